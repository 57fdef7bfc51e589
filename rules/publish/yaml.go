package publish

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"regexp"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
	"go.yaml.in/yaml/v3"

	"vedette.dev/rules"
)

// document is a group with what Prometheus' own form has no room for.
type document struct {
	APIVersion string            `yaml:"apiVersion"`
	Kind       string            `yaml:"kind"`
	ID         rules.ID          `yaml:"id"`
	Owner      string            `yaml:"owner"`
	Revision   int               `yaml:"revision"`
	Asked      string            `yaml:"asked,omitempty"`
	Group      rulefmt.RuleGroup `yaml:"group"`
}

const (
	apiVersion = "vedette.dev/v1"
	kind       = "RuleGroup"
)

// Encode writes g whole, in the form that [Decode] reads.
func Encode(g rules.Group) ([]byte, error) {
	return marshal(document{apiVersion, kind, g.ID, g.Owner, g.Revision, g.Asked, prometheusGroup(g)})
}

// Decode reads one group that [Encode] wrote. Unknown keys are errors.
func Decode(data []byte) (rules.Group, error) {
	gs, err := decodeAll(data)
	if err != nil {
		return rules.Group{}, err
	}
	if len(gs) != 1 {
		return rules.Group{}, fmt.Errorf("holds %d rule groups, want one", len(gs))
	}
	return gs[0], nil
}

func decodeAll(data []byte) ([]rules.Group, error) {
	dec := yaml.NewDecoder(bytes.NewReader(data))
	dec.KnownFields(true)
	var gs []rules.Group
	for {
		var d document
		if err := dec.Decode(&d); err == io.EOF {
			return gs, nil
		} else if err != nil {
			return nil, err
		}
		if d.APIVersion != apiVersion || d.Kind != kind {
			return nil, fmt.Errorf("is %s %s, want %s %s", d.APIVersion, d.Kind, apiVersion, kind)
		}
		g := rules.Group{ID: d.ID, Owner: d.Owner, Revision: d.Revision, Asked: d.Asked, Every: time.Duration(d.Group.Interval)}
		for _, r := range d.Group.Rules {
			g.Rules = append(g.Rules, rules.Rule{Name: r.Alert, Expr: r.Expr, For: time.Duration(r.For),
				KeepFiring: time.Duration(r.KeepFiringFor), Labels: r.Labels, Annotations: r.Annotations})
		}
		gs = append(gs, g)
	}
}

// YAML writes g as a file that Prometheus reads. What Prometheus would refuse
// is an error here.
func YAML(g rules.Group) ([]byte, error) {
	group := prometheusGroup(g)
	if err := refused(group); err != nil {
		return nil, err
	}
	return marshal(rulefmt.RuleGroups{Groups: []rulefmt.RuleGroup{group}})
}

// refused returns what Prometheus would refuse of g. It looks at what g holds, as
// Prometheus does, and not at how it is written: to read that again took longer
// than all else that is made of a question.
func refused(g rulefmt.RuleGroup) error {
	var errs []error
	if g.Name == "" {
		errs = append(errs, errors.New("the group has no name"))
	}
	if g.Interval < 0 {
		errs = append(errs, fmt.Errorf("it is looked at every %v", time.Duration(g.Interval)))
	}
	for _, r := range g.Rules {
		if r.For < 0 || r.KeepFiringFor < 0 { // Prometheus has no way to write them
			errs = append(errs, fmt.Errorf("rule %s: for %v and keep_firing_for %v must not be negative", r.Alert, time.Duration(r.For), time.Duration(r.KeepFiringFor)))
		}
		r.Labels, r.Annotations = doubtful(r.Labels), doubtful(r.Annotations)
		for _, err := range r.Validate(rulefmt.RuleNode{}, model.UTF8Validation, parser.NewParser(parser.Options{})) {
			errs = append(errs, fmt.Errorf("rule %s: %w", r.Alert, err.Unwrap()))
		}
	}
	return errors.Join(errs...)
}

// told are actions that are right wherever they stand: the value, and a label where
// there is one. Most templates have no others.
var told = regexp.MustCompile(`\{\{ (?:printf "%\.[0-9]g" )?\$value \}\}|\{\{ with \$labels\.[a-zA-Z_]\w* \}\}[^{}]*\{\{ \. \}\}[^{}]*\{\{ end \}\}`)

// doubtful returns those of texts, by their names, that can be refused at all: text
// without other actions is not, and the parser of templates takes long to set up.
func doubtful(texts map[string]string) map[string]string {
	out := map[string]string{}
	for name, text := range texts {
		rest := told.ReplaceAllString(text, "{ ") // with a brace before it, it is another action
		if strings.Contains(rest, "{{") || !utf8.ValidString(text) || !model.UTF8Validation.IsValidLabelName(name) || name == model.MetricNameLabel {
			out[name] = text
		}
	}
	return out
}

// Parse reads a rule file of Prometheus, anyone's, as groups that can be
// published: their names become IDs. What a group here cannot say is an error.
func Parse(data []byte) ([]rules.Group, error) {
	parsed, errs := rulefmt.Parse(data, false, model.UTF8Validation, parser.NewParser(parser.Options{}), slog.New(slog.DiscardHandler))
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	var gs []rules.Group
	for _, pg := range parsed.Groups {
		g, err := groupOf(pg)
		if err != nil {
			return nil, err
		}
		gs = append(gs, g)
	}
	if len(gs) == 0 {
		return nil, errors.New("holds no rule groups")
	}
	return gs, nil
}

// ParseGroup reads one group in the form of a rule file's list.
func ParseGroup(data []byte) (rules.Group, error) {
	var pg rulefmt.RuleGroup
	if err := yaml.Unmarshal(data, &pg); err != nil {
		return rules.Group{}, err
	}
	return groupOf(pg)
}

// GroupYAML writes g in the form that [ParseGroup] reads.
func GroupYAML(g rules.Group) ([]byte, error) {
	if _, err := YAML(g); err != nil { // it says what Prometheus would refuse
		return nil, err
	}
	return marshal(prometheusGroup(g))
}

func groupOf(pg rulefmt.RuleGroup) (rules.Group, error) {
	g := rules.Group{ID: rules.ID(pg.Name), Every: time.Duration(pg.Interval)}
	switch {
	case pg.Limit != 0, pg.QueryOffset != nil, len(pg.Labels) > 0:
		return g, fmt.Errorf("group %s: limit, query_offset and labels of a group are not published here", pg.Name)
	}
	for _, r := range pg.Rules {
		if r.Record != "" {
			return g, fmt.Errorf("group %s: rule %s: recording rules are not published here, alerting rules are", pg.Name, r.Record)
		}
		g.Rules = append(g.Rules, rules.Rule{Name: r.Alert, Expr: r.Expr, For: time.Duration(r.For),
			KeepFiring: time.Duration(r.KeepFiringFor), Labels: r.Labels, Annotations: r.Annotations})
	}
	return g, nil
}

func prometheusGroup(g rules.Group) rulefmt.RuleGroup {
	out := rulefmt.RuleGroup{Name: string(g.ID), Interval: model.Duration(g.Every)}
	for _, r := range g.Rules {
		out.Rules = append(out.Rules, rulefmt.Rule{Alert: r.Name, Expr: r.Expr, For: model.Duration(r.For),
			KeepFiringFor: model.Duration(r.KeepFiring), Labels: r.Labels, Annotations: r.Annotations})
	}
	return out
}

func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := errors.Join(enc.Encode(v), enc.Close()); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

//go:embed builtin.yaml
var builtin []byte

// Builtin returns the rule groups that come with the program.
var Builtin = sync.OnceValue(func() []rules.Group {
	gs, err := decodeAll(builtin)
	if err != nil {
		panic(fmt.Errorf("builtin.yaml: %w", err)) // embedded data: a test reads it too
	}
	return gs
})
