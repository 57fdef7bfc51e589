package check

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"vedette.dev/rules"
	"vedette.dev/rules/strictyaml"
)

// A House is what one house asks of its rules beyond that they are right.
type House struct {
	APIVersion string `yaml:"apiVersion"` // vedette.dev/v1
	Kind       string `yaml:"kind"`       // RuleDemands

	External map[string]string `yaml:"external_labels"` // [Checker.External]
	Demands  []demand          `yaml:"demands"`
}

// A demand is what is asked of some rules. What is not set is not asked.
type demand struct {
	Of       scope    `yaml:"of"`
	Severity Severity `yaml:"severity"` // of a rule that does otherwise; a warning unless set
	Why      string   `yaml:"why"`      // is added to what is said of it

	Name        *pattern            `yaml:"name"`
	Labels      map[string]*pattern `yaml:"labels"`      // that the rule sets; null is to any value
	Annotations map[string]*pattern `yaml:"annotations"` // of alerts
	Without     unwanted            `yaml:"without"`

	For        bounds `yaml:"for"`         // of alerts
	KeepFiring bounds `yaml:"keep_firing"` // of alerts

	Selectors []string `yaml:"selectors"` // labels that every selector asks for
	Keep      []string `yaml:"keep"`      // labels that the result can have
	Drop      []string `yaml:"drop"`      // labels that the result does not have, as far as is known
	Samples   int      `yaml:"max_samples"`
	Series    int      `yaml:"max_series"`
}

// A scope says which rules a demand is about: those of which all that is set is true.
type scope struct {
	Kind   kind                `yaml:"kind"`
	Group  *pattern            `yaml:"group"`
	Name   *pattern            `yaml:"name"`
	Labels map[string]*pattern `yaml:"labels"`
}

// unwanted is what a rule must not have.
type unwanted struct {
	Labels      []string `yaml:"labels"`
	Annotations []string `yaml:"annotations"`
	Text        *pattern `yaml:"text"` // anywhere in its name, expression, labels and annotations
}

// bounds are the ends of a duration; 0 is none.
type bounds struct {
	Min strictyaml.Duration `yaml:"min"`
	Max strictyaml.Duration `yaml:"max"`
}

// A kind is what a rule makes; "" is either.
type kind string

const (
	alerting  kind = "alerting"
	recording kind = "recording"
)

// UnmarshalYAML refuses what is no kind, naming the line.
func (k *kind) UnmarshalYAML(n *yaml.Node) error {
	return oneOf(n, (*string)(k), string(alerting), string(recording))
}

// UnmarshalYAML refuses what is no severity, naming the line.
func (s *Severity) UnmarshalYAML(n *yaml.Node) error {
	return oneOf(n, (*string)(s), string(Error), string(Warning), string(Info))
}

func oneOf(n *yaml.Node, into *string, known ...string) error {
	if !slices.Contains(known, n.Value) {
		return wrong(n, "%q is none of %s", n.Value, strings.Join(known, ", "))
	}
	*into = n.Value
	return nil
}

func wrong(n *yaml.Node, format string, args ...any) error {
	return &yaml.TypeError{Errors: []string{fmt.Sprintf("line %d: %s", n.Line, fmt.Sprintf(format, args...))}}
}

// A pattern is a regular expression that has to match from beginning to end.
type pattern struct {
	text   string
	whole  *regexp.Regexp
	within *regexp.Regexp
}

// UnmarshalYAML reads p and names the line where it cannot.
func (p *pattern) UnmarshalYAML(n *yaml.Node) error {
	within, err := regexp.Compile(n.Value)
	if err != nil || n.Kind != yaml.ScalarNode {
		return wrong(n, "%q is no regular expression", n.Value)
	}
	*p = pattern{text: n.Value, whole: regexp.MustCompile("^(?s:" + n.Value + ")$"), within: within}
	return nil
}

// matches reports whether s is what is wanted; no pattern wants anything but nothing.
func (p *pattern) matches(s string) bool {
	if p == nil {
		return s != ""
	}
	return p.whole.MatchString(s)
}

// ReadHouse reads a house from YAML. What it does not know is an error that
// names file and line.
func ReadHouse(file string, data []byte) (*House, error) {
	var h House
	if err := strictyaml.Decode(file, data, &h); err != nil {
		return nil, err
	}
	var errs []error
	if h.APIVersion != "vedette.dev/v1" || h.Kind != "RuleDemands" {
		errs = append(errs, fmt.Errorf("%s: apiVersion and kind are %q and %q, want vedette.dev/v1 and RuleDemands", file, h.APIVersion, h.Kind))
	}
	for i, d := range h.Demands {
		if d.empty() {
			errs = append(errs, fmt.Errorf("%s: demand %d asks for nothing", file, i+1))
		}
	}
	return &h, errors.Join(errs...)
}

func (d demand) empty() bool {
	return d.Name == nil && d.Without.Text == nil && d.For == bounds{} && d.KeepFiring == bounds{} && d.Samples == 0 && d.Series == 0 &&
		len(d.Labels)+len(d.Annotations)+len(d.Without.Labels)+len(d.Without.Annotations)+len(d.Selectors)+len(d.Keep)+len(d.Drop) == 0
}

// about reports whether d is about r.
func (d demand) about(k kind, group string, r rules.Rule) bool {
	if d.Of.Kind != "" && d.Of.Kind != k || d.Of.Group != nil && !d.Of.Group.matches(group) || d.Of.Name != nil && !d.Of.Name.matches(r.Name) {
		return false
	}
	for name, p := range d.Of.Labels {
		if !p.matches(r.Labels[name]) {
			return false
		}
	}
	return true
}
