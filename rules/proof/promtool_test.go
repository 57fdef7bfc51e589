package proof_test

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/promql/promqltest"
	promrules "github.com/prometheus/prometheus/rules"
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
		suite, err := promqltest.NewLazyLoader(seriesLoad(t.Interval.String(), t.Series), promqltest.LazyLoaderOpts{EnableAtModifier: true, EnableNegativeOffset: true})
		if err != nil {
			return fmt.Errorf("%s: %w", t.Name, err)
		}
		defer suite.Close()
		suite.SubqueryInterval = time.Duration(f.Every)
		m := promrules.NewManager(&promrules.ManagerOptions{QueryFunc: promrules.EngineQueryFunc(suite.QueryEngine(), suite.Storage()), Appendable: suite.Storage(),
			Context: context.Background(), NotifyFunc: func(context.Context, string, ...*promrules.Alert) {}, Logger: slog.New(slog.DiscardHandler),
			Parser: parser.NewParser(parser.Options{})})
		groups, errs := m.LoadGroups(time.Duration(f.Every), labels.EmptyLabels(), "", nil, false, path)
		if len(errs) > 0 {
			return errs[0]
		}
		next := 0
		for now := time.Duration(0); next < len(t.Alerts); now += time.Duration(f.Every) {
			at := time.Unix(0, 0).UTC().Add(now)
			suite.WithSamplesTill(at, func(failed error) { err = failed })
			if err != nil {
				return fmt.Errorf("%s: %w", t.Name, err)
			}
			got := map[string]map[string]string{}
			for _, g := range groups {
				g.Eval(suite.Context(), at)
				for _, r := range g.Rules() {
					if r.LastError() != nil {
						return fmt.Errorf("%s: %w", t.Name, r.LastError())
					}
					for _, a := range r.(*promrules.AlertingRule).ActiveAlerts() {
						if a.State == promrules.StateFiring {
							got[a.Labels.String()] = a.Annotations.Map()
						}
					}
				}
			}
			if now < time.Duration(t.Alerts[next].At) {
				continue
			}
			want := map[string]map[string]string{}
			for _, a := range t.Alerts[next].Alerts {
				b := labels.NewBuilder(labels.FromMap(a.Labels)).Set(labels.AlertName, t.Alerts[next].Name)
				want[b.Labels().String()] = map[string]string{}
				for k, v := range a.Annotations {
					want[b.Labels().String()][k] = v
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				return fmt.Errorf("%s at %s (-want +got):\n%s", t.Name, now, diff)
			}
			next++
		}
	}
	return nil
}
