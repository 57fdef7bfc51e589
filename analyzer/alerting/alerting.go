// Package alerting evaluates the published rules and tells Alertmanager. It is
// Prometheus' own rules manager and notifier over the store, so that a rule
// means here what it means there.
//
// What a reader would get wrong: it decides nothing about who is told.
// Silences, routing and grouping are Alertmanager's; a [Silencer] asks for a
// silence there and keeps none itself.
package alerting

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/discovery/targetgroup"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/notifier"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/rules"
	"github.com/prometheus/prometheus/storage"

	"vedette.dev/analyzer"
)

const (
	// resendEvery is how often a firing alert is sent again, as Prometheus does.
	resendEvery = time.Minute
	// queueLength is Prometheus' default for alerts that wait to be sent.
	queueLength = 10_000
	// outage is how long a restart may take without a rule's "for" starting over.
	outage = time.Hour
)

// Options are what the rules are evaluated on and who is told.
type Options struct {
	Storage interface {
		storage.Queryable
		storage.Appendable
	}
	Engine        promql.QueryEngine
	Files         func() ([]string, error) // the rule files, asked for at every reload
	Every         time.Duration            // evaluation interval of groups that name none
	Alertmanagers []string                 // URLs; none: alerts are kept and shown, and nobody is told
	ExternalURL   *url.URL                 // where a link in an alert leads
	Logger        *slog.Logger
	Registerer    prometheus.Registerer
}

// A Manager evaluates rules and sends alerts.
type Manager struct {
	Rules    *rules.Manager
	Notifier *notifier.Manager

	o       Options
	targets map[string][]*targetgroup.Group
}

var _ analyzer.Watcher = (*Manager)(nil)

// New returns a manager that has read the rule files. A file that does not
// parse, or an Alertmanager's URL that does not, is an error.
func New(o Options) (*Manager, error) {
	m := &Manager{o: o}
	conf, targets, err := notification(o.Alertmanagers)
	if err != nil {
		return nil, err
	}
	m.targets = targets
	m.Notifier = notifier.NewManager(&notifier.Options{QueueCapacity: queueLength, DrainOnShutdown: true, Registerer: o.Registerer},
		model.UTF8Validation, o.Logger)
	if err := m.Notifier.ApplyConfig(conf); err != nil {
		return nil, fmt.Errorf("set up Alertmanager: %w", err)
	}
	m.Rules = rules.NewManager(&rules.ManagerOptions{
		ExternalURL:     o.ExternalURL,
		QueryFunc:       rules.EngineQueryFunc(o.Engine, o.Storage),
		NotifyFunc:      rules.SendAlerts(m.Notifier, o.ExternalURL.String()),
		Context:         context.Background(), // Run stops it
		Appendable:      o.Storage,
		Queryable:       o.Storage,
		Logger:          o.Logger,
		Registerer:      o.Registerer,
		OutageTolerance: outage,
		ResendDelay:     resendEvery,
		// A rule that was published while it fires must not wait for a restart's grace.
		ForGracePeriod: 0,
		Parser:         parser.NewParser(parser.Options{}),
	})
	return m, m.Reload()
}

// notification describes the Alertmanagers to the notifier: each is a set of
// its own, since each may have its own scheme and path.
func notification(urls []string) (*config.Config, map[string][]*targetgroup.Group, error) {
	conf := config.DefaultConfig
	targets := map[string][]*targetgroup.Group{}
	for i, raw := range urls {
		u, err := address(raw)
		if err != nil {
			return nil, nil, err
		}
		am := config.DefaultAlertmanagerConfig
		am.Scheme, am.PathPrefix = u.Scheme, u.Path
		conf.AlertingConfig.AlertmanagerConfigs = append(conf.AlertingConfig.AlertmanagerConfigs, &am)
		targets["config-"+strconv.Itoa(i)] = []*targetgroup.Group{{
			Targets: []model.LabelSet{{model.AddressLabel: model.LabelValue(u.Host)}}, Source: raw,
		}}
	}
	return &conf, targets, nil
}

// address parses the URL of an Alertmanager.
func address(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, fmt.Errorf("alertmanager %q is not an http or https URL", raw)
	}
	return u, nil
}

// Run evaluates and sends until ctx ends; then it sends what still waits.
func (m *Manager) Run(ctx context.Context) {
	sets := make(chan map[string][]*targetgroup.Group, 1)
	sets <- m.targets
	sent := make(chan struct{})
	go func() { defer close(sent); m.Notifier.Run(sets) }()
	evaluated := make(chan struct{})
	go func() { defer close(evaluated); m.Rules.Run() }()

	<-ctx.Done()
	m.Rules.Stop()
	<-evaluated
	m.Notifier.Stop()
	<-sent
}

// Reload takes up the rule files as they are now. Where one does not parse,
// the rules stay as they were and the error names the file.
func (m *Manager) Reload() error {
	files, err := m.o.Files()
	if err != nil {
		return err
	}
	for _, f := range files { // the manager below only logs what is wrong
		if _, errs := rulefmt.ParseFile(f, false, model.UTF8Validation, parser.NewParser(parser.Options{}), m.o.Logger); len(errs) > 0 {
			return fmt.Errorf("read rules: %w", errors.Join(errs...))
		}
	}
	if err := m.Rules.Update(m.o.Every, files, labels.EmptyLabels(), m.o.ExternalURL.String(), nil); err != nil {
		return fmt.Errorf("read rules: %w", err)
	}
	return nil
}

// Findings implements [analyzer.Watcher]: a finding for every alert that fires.
func (m *Manager) Findings(ctx context.Context, now time.Time) ([]analyzer.Finding, error) {
	var fs []analyzer.Finding
	for _, rule := range m.Rules.AlertingRules() {
		rule.ForEachActiveAlert(func(a *rules.Alert) {
			if a.State != rules.StateFiring {
				return
			}
			lset := a.Labels.Map()
			fs = append(fs, analyzer.Finding{
				Kind: analyzer.Alert, Subject: analyzer.SubjectOf(lset), Signal: rule.Name(),
				From: a.FiredAt.UTC(), Severity: lset["severity"],
				Text: text(a, rule), Query: narrow(rule, lset),
			})
		})
	}
	return fs, nil
}

// text is what the alert says of itself.
func text(a *rules.Alert, rule *rules.AlertingRule) string {
	if s := a.Annotations.Get("summary"); s != "" {
		return s
	}
	return fmt.Sprintf("%s fires: %s is %s", rule.Name(), rule.Query(), strconv.FormatFloat(a.Value, 'g', 6, 64))
}

// narrow is the alert's own series: what the rule itself wrote while it fired.
func narrow(rule *rules.AlertingRule, lset map[string]string) string {
	sel := []string{fmt.Sprintf("alertname=%q", rule.Name())}
	for _, k := range []string{"Hostname", "UUID", "instance", "namespace", "pod"} {
		if v := lset[k]; v != "" {
			sel = append(sel, fmt.Sprintf("%s=%q", k, v))
		}
	}
	return "ALERTS{" + strings.Join(sel, ",") + "}"
}
