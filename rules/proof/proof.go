// Package proof writes the promtool unit test of a rule from the rule itself:
// series that make it fire, series that almost do, and the alerts to expect.
// The test stands beside the rule and fails when somebody breaks it.
//
// The series are found by working backwards from the comparison to the metrics
// (solve.go), and tried on Prometheus' own engine before they are written
// down (try.go). What a reader would get wrong: a rule for which none are found
// gets no test, and [Test] says so; it does not get one that proves nothing.
package proof

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/prometheus/common/model"
	"go.yaml.in/yaml/v3"

	"vedette.dev/rules"
	"vedette.dev/rules/syntax"
)

// ErrNoProof reports a rule for which no firing or no quiet series were found.
var ErrNoProof = errors.New("no series were found that make it fire and that do not")

// file is promtool's own form.
type file struct {
	RuleFiles []string       `yaml:"rule_files"`
	Every     model.Duration `yaml:"evaluation_interval"`
	Tests     []test         `yaml:"tests"`
}

type test struct {
	Name   string         `yaml:"name"`
	Step   model.Duration `yaml:"interval"`
	Series []input        `yaml:"input_series"`
	Alerts []expectation  `yaml:"alert_rule_test"`
}

type input struct {
	Series string `yaml:"series"`
	Values string `yaml:"values"`
}

type expectation struct {
	At     model.Duration `yaml:"eval_time"`
	Name   string         `yaml:"alertname"`
	Alerts []alert        `yaml:"exp_alerts"`
}

type alert struct {
	Labels      map[string]string `yaml:"exp_labels"`
	Annotations map[string]string `yaml:"exp_annotations,omitempty"`

	by   staged    // the rule that made it
	said time.Time // when its condition was last true
}

// Test returns a promtool unit-test file for the rules of g, which stand in
// the file called ruleFile as seen from the test. The error joins one that
// wraps [ErrNoProof] for each rule that no test was found for; data is nil
// where that is every rule.
func Test(g rules.Group, ruleFile string) (data []byte, err error) {
	f := file{RuleFiles: []string{ruleFile}, Every: model.Duration(stepOf(g))}
	var errs []error
	for i, r := range g.Rules {
		if slices.ContainsFunc(g.Rules[:i], func(s rules.Rule) bool { return s.Name == r.Name && s.Expr == r.Expr }) {
			continue
		}
		tests, err := prove(g, r, stepOf(g))
		if err != nil {
			errs = append(errs, fmt.Errorf("rule %s: %w", r.Name, err))
			continue
		}
		f.Tests = append(f.Tests, tests...)
	}
	if len(f.Tests) == 0 {
		return nil, errors.Join(errs...)
	}
	var b bytes.Buffer
	b.WriteString("# Made from the rule when it was published: promtool test rules FILE.\n")
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := errors.Join(enc.Encode(f), enc.Close()); err != nil {
		return nil, err
	}
	return b.Bytes(), errors.Join(errs...)
}

const (
	// fine is how often rules are usually evaluated, and the longest that shows
	// a hold of a minute.
	fine   = time.Minute
	coarse = lookback // with anything more there are holes between samples
	// long is the memory from which on every minute would make a slow test.
	long = 3 * 24 * time.Hour
	// most is how many steps a test may have: it is evaluated at each, and is
	// to be done within a second or two.
	most = 5000
)

// stepOf is the step at which all of g is tried.
func stepOf(g rules.Group) time.Duration {
	step := fine
	for _, r := range g.Rules {
		e, err := syntax.Parse(r.Expr)
		if err != nil {
			continue // the one that proves the rule says so
		}
		if memory(e)+r.For > long && (shortest(e) == 0 || shortest(e) >= 4*coarse) {
			return coarse
		}
		for _, d := range []time.Duration{r.For, r.KeepFiring, shortest(e) / 4} { // four samples make a rate
			if d > 0 && d < step {
				step = d
			}
		}
	}
	return max(step, time.Second)
}

// prove finds the tests of r: one for each way it can fire, and one for each
// condition that must keep it quiet when it alone does not hold.
func prove(g rules.Group, r rules.Rule, step time.Duration) ([]test, error) {
	e, err := syntax.Parse(r.Expr)
	if err != nil {
		return nil, err
	}
	if (memory(e)+r.For)/step > most {
		return nil, fmt.Errorf("%w: it looks back %s", ErrNoProof, model.Duration(memory(e)))
	}
	var out []test
	fires, quiet := 0, 0
	tried := map[string]bool{} // whether it showed what it was to
	for _, c := range cases(e) {
		for _, w := range worlds(e, r, c, step) {
			as := fmt.Sprint(c.fires(), w.tracks(w.steps))
			if good, known := tried[as]; good {
				break // a test of the same series stands
			} else if known {
				continue
			}
			t, ok, err := try(g, r, w, c)
			if err != nil {
				return nil, err
			}
			if tried[as] = ok; !ok {
				continue
			}
			if c.fires() {
				fires++
			} else {
				quiet++
			}
			out = append(out, t)
			break
		}
	}
	if fires == 0 || quiet == 0 {
		return nil, ErrNoProof
	}
	return out, nil
}
