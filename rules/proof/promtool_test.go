package proof_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	promrules "github.com/prometheus/prometheus/rules"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/util/teststorage"
	"go.yaml.in/yaml/v3"
)

// runTests is `promtool test rules` for the rule file at path, out of the same
// parts; promtool itself is asked in the end-to-end tests.
func runTests(path string, doc []byte) error {
	var f struct {
		Every model.Duration `yaml:"evaluation_interval"`
		Tests []struct {
			Name     string
			Interval model.Duration
			Series   []struct{ Series, Values string } `yaml:"input_series"`
			Alerts   []struct {
				At     model.Duration `yaml:"eval_time"`
				Name   string         `yaml:"alertname"`
				Alerts []struct {
					Labels      map[string]string `yaml:"exp_labels"`
					Annotations map[string]string `yaml:"exp_annotations"`
				} `yaml:"exp_alerts"`
			} `yaml:"alert_rule_test"`
		}
	}
	if err := yaml.Unmarshal(doc, &f); err != nil {
		return err
	}
	for _, t := range f.Tests {
		db, err := small()
		if err != nil {
			return fmt.Errorf("%s: %w", t.Name, err)
		}
		defer db.Close()
		app := db.Appender(context.Background()) // one for all: the next would find their beginnings too old
		for _, s := range t.Series {
			if err := load(app, s.Series+" "+s.Values, time.Duration(t.Interval)); err != nil {
				return fmt.Errorf("%s: %w", t.Name, errors.Join(err, app.Rollback()))
			}
		}
		if err := app.Commit(); err != nil {
			return fmt.Errorf("%s: %w", t.Name, err)
		}
		for _, want := range t.Alerts {
			got, err := firing(db, path, time.Duration(f.Every), want.Name, time.Duration(want.At))
			if err != nil {
				return fmt.Errorf("%s: %w", t.Name, err)
			}
			wanted := map[string]map[string]string{}
			for _, a := range want.Alerts {
				b := labels.NewBuilder(labels.FromMap(a.Labels)).Set(labels.AlertName, want.Name)
				wanted[b.Labels().String()] = map[string]string{}
				maps.Copy(wanted[b.Labels().String()], a.Annotations)
			}
			if diff := cmp.Diff(wanted, got); diff != "" {
				return fmt.Errorf("%s at %s (-want +got):\n%s", t.Name, want.At, diff)
			}
		}
	}
	return nil
}

// small opens promtool's own storage without what makes it slow to open: room
// for exemplars and for many series, and a write-ahead log.
func small() (*teststorage.TestStorage, error) {
	return teststorage.NewWithError(func(o *tsdb.Options) {
		o.EnableExemplarStorage, o.MaxExemplars = false, 0
		o.StripeSize = 16
		o.WALSegmentSize = -1
	})
}

// load appends a series in promtool's notation.
func load(app storage.Appender, text string, step time.Duration) error {
	lset, values, err := parser.NewParser(parser.Options{}).ParseSeriesDesc(text)
	if err != nil {
		return err
	}
	for i, v := range values {
		if v.Omitted {
			continue
		}
		if _, err := app.Append(0, lset, (time.Duration(i) * step).Milliseconds(), v.Value); err != nil {
			return err
		}
	}
	return nil
}

// firing returns the annotations of the alerts called name that fire at at, by
// their labels. What fires then is what has held for its duration up to then,
// so no step before is evaluated, unless alerts go on firing by themselves.
func firing(db *teststorage.TestStorage, path string, every time.Duration, name string, at time.Duration) (map[string]map[string]string, error) {
	query := promrules.EngineQueryFunc(promql.NewEngine(promql.EngineOpts{
		MaxSamples: 10_000, Timeout: 100 * time.Second, EnableAtModifier: true, EnableNegativeOffset: true, // as promtool has it
		NoStepSubqueryIntervalFn: func(int64) int64 { return every.Milliseconds() },
	}), db)
	m := promrules.NewManager(&promrules.ManagerOptions{QueryFunc: query, Appendable: db,
		Context: context.Background(), NotifyFunc: func(context.Context, string, ...*promrules.Alert) {}, Logger: slog.New(slog.DiscardHandler),
		Parser: parser.NewParser(parser.Options{})})
	groups, errs := m.LoadGroups(every, labels.EmptyLabels(), "", nil, false, path)
	if len(errs) > 0 {
		return nil, errs[0]
	}
	got := map[string]map[string]string{}
	for _, g := range groups {
		for _, rule := range g.Rules() {
			r := rule.(*promrules.AlertingRule)
			if r.Name() != name {
				continue
			}
			now := time.Duration(0)
			if r.KeepFiringFor() == 0 {
				now = max(now, at-(r.HoldDuration()/every+2)*every)
			}
			for ; now <= at; now += every {
				then := time.Unix(0, 0).UTC().Add(now)
				if _, err := r.Eval(context.Background(), 0, then, query, &url.URL{}, 0); err != nil {
					return nil, err
				}
			}
			for _, a := range r.ActiveAlerts() {
				if a.State == promrules.StateFiring {
					got[a.Labels.String()] = a.Annotations.Map()
				}
			}
		}
	}
	return got, nil
}
