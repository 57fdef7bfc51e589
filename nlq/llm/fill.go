package llm

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"vedette.dev/nlq"
	"vedette.dev/nlq/talk"
	"vedette.dev/rules/catalog"
)

// Bounds of what a form may ask for.
const (
	mostTop   = 1000                 // series that somebody could still read
	mostSteps = 40                   // terms in a formula: the longest of the public rules that it is developed on has 23
	mostValue = 512                  // bytes of a label's value: pods and paths stay below half of it
	longest   = 366 * 24 * time.Hour // a window, a duration: longer is a slip
)

// intent returns what f says, with what was assumed. The intent of "none" and
// "refuse" is nil.
func (f form) intent(c *catalog.Catalog) (nlq.Intent, error) {
	var d durations
	held, said := d.read("for", f.For), f.For != ""
	since := d.read("since", f.Since)
	m, err := f.Measure.term(&d)
	if err := errors.Join(d.err, err); err != nil {
		return nil, err
	}
	compare := nlq.Comparison(f.Compare)
	switch f.Kind {
	case "lookup":
		if f.Top > mostTop || f.Top < -mostTop {
			return nil, fmt.Errorf("top is %d, want at most %d", f.Top, mostTop)
		}
		return nlq.Lookup{Measure: m, Top: f.Top, Compare: compare, Since: since}, nil
	case "alert":
		if compare.Op == "" {
			return nil, errors.New("an alert needs compare: without it, it would always fire")
		}
		return nlq.Alert{Measure: m, Compare: compare, For: held, ForSaid: said, Severity: f.Severity}, nil
	case "when":
		if !slices.Contains([]string{">", ">=", "<", "<="}, compare.Op) {
			return nil, errors.New("when needs compare.op, > or <: from which side the limit is reached")
		}
		return nlq.When{Measure: m, Capacity: catalog.ID(f.Capacity), Limit: compare.Limit, Rising: compare.Op[0] == '>'}, nil
	case "why":
		kind := f.Thing
		if kind == "cluster" && f.Name == "" {
			kind = "" // that is how the whole is said
		}
		return nlq.Why{Kind: kind, Name: f.Name}, nil
	case "formula":
		t, err := f.term(c)
		return nlq.Formula{Term: t, Alert: f.Alert, For: held, ForSaid: said, Severity: f.Severity}, err
	case "raw":
		return nlq.Raw{Expr: f.Expr, Alert: f.Alert, For: held, ForSaid: said, Severity: f.Severity}, nil
	}
	return nil, nil
}

func (m measure) term(d *durations) (nlq.Measure, error) {
	out := nlq.Measure{Metric: catalog.ID(m.Metric), Over: nlq.OverTime(m.Over), Window: d.read("window", m.Window),
		Only: nlq.Comparison(m.Only), Agg: nlq.Aggregation(m.Agg), By: m.By}
	for _, w := range m.Where {
		if len(w.Value) > mostValue {
			return out, fmt.Errorf("the value of label %q is longer than %d bytes", talk.Short(w.Label), mostValue)
		}
		out.Where = append(out.Where, nlq.Matcher(w))
	}
	return out, nil
}

// term puts the steps together. A term that is used twice is there twice, so
// what counts is how large terms become.
func (f form) term(c *catalog.Catalog) (nlq.Term, error) {
	var terms []nlq.Term
	var sizes []int
	for i, s := range f.Steps {
		size := 1
		for _, of := range s.needs() {
			if of < 0 || of >= i {
				return nil, fmt.Errorf("step %d needs step %d, which is not before it", i, of)
			}
			size += sizes[of]
		}
		if size > mostSteps {
			return nil, fmt.Errorf("step %d is made of more than %d steps", i, mostSteps)
		}
		t, err := s.term(terms, c)
		if err != nil {
			return nil, fmt.Errorf("step %d: %w", i, err)
		}
		terms, sizes = append(terms, t), append(sizes, size)
	}
	if len(terms) == 0 {
		return nil, errors.New("a formula needs steps")
	}
	return terms[len(terms)-1], nil
}

// bare are the functions of no series.
var bare = []string{"hour", "day_of_week"}

// ranged are the functions that look at a window of each series.
var ranged = []string{nlq.Ago, "delta", "deriv", "changes", "resets", "predict_linear", "quantile_over_time", "stddev_over_time"}

// needs are the steps that s is made of.
func (s step) needs() []int {
	switch {
	case s.Is == "binary":
		return []int{s.Of, s.With}
	case s.Is == "group", s.Is == "func" && !slices.Contains(bare, s.Func):
		return []int{s.Of}
	}
	return nil
}

func (s step) term(before []nlq.Term, c *catalog.Catalog) (nlq.Term, error) {
	var d durations
	window := d.read("window", s.Window)
	m, err := s.Measure.term(&d)
	if err := errors.Join(d.err, err); err != nil {
		return nil, err
	}
	if err := s.checkParam(); err != nil {
		return nil, err
	}
	switch s.Is {
	case "measure":
		return m, nil
	case "number":
		return nlq.Number(s.Number), nil
	case "now":
		return nlq.Now{}, nil
	case "group":
		if s.Agg == "" {
			return nil, errors.New("a group needs agg")
		}
		return nlq.Group{Agg: nlq.Aggregation(s.Agg), Of: before[s.Of], By: s.By, Param: s.Param}, nil
	case "func":
		switch {
		case s.Func == "":
			return nil, errors.New("a func needs its name")
		case slices.Contains(bare, s.Func):
			return nlq.Func{Name: s.Func}, nil
		case slices.Contains(ranged, s.Func) != (window > 0):
			return nil, fmt.Errorf("%s needs a window, and only what looks at one may have it: %s", s.Func, strings.Join(ranged, ", "))
		}
		return nlq.Func{Name: s.Func, Of: before[s.Of], Param: s.Param, Window: window}, nil
	}
	return join(s.Op, before[s.Of], before[s.With], c)
}

// checkParam keeps a 99 from being a quantile: it would always be infinite.
func (s step) checkParam() error {
	quantile := s.Agg == "quantile" || s.Func == "histogram_quantile" || s.Func == "quantile_over_time"
	most := s.Agg == "topk" || s.Agg == "bottomk"
	switch {
	case quantile && (s.Param < 0 || s.Param > 1):
		return fmt.Errorf("param is %v, want a quantile from 0 to 1", s.Param)
	case most && (s.Param < 1 || s.Param > mostTop):
		return fmt.Errorf("param is %v, want 1 to %d", s.Param, mostTop)
	}
	return nil
}

// join joins two terms by the labels that both have: which series belong
// together is known here better than by a model.
func join(op string, left, right nlq.Term, c *catalog.Catalog) (nlq.Term, error) {
	if op == "" {
		return nil, errors.New("a binary needs op")
	}
	if scalar(left) || scalar(right) {
		if nlq.OpWord(op) != "" && scalar(left) {
			return nil, errors.New("a comparison keeps series of its left side: put the number on the right")
		}
		return nlq.Binary{Op: op, Left: left, Right: right}, nil
	}
	right, on := nlq.Joint(left, right, c)
	b := nlq.Binary{Op: op, Left: left, Right: right, On: on}
	if on != nil && len(on) == 0 && len(nlq.Labels(left, c)) > 0 && len(nlq.Labels(right, c)) > 0 {
		return nil, fmt.Errorf("the sides of %s have no label in common: %v and %v", op, nlq.Labels(left, c), nlq.Labels(right, c))
	}
	if on == nil || op == "and" || op == "or" || op == "unless" {
		return b, nil
	}
	same := on // what says the same as on
	if r, ok := right.(nlq.Renamed); ok {
		same = append(slices.Clip(on), r.From)
	}
	for _, l := range nlq.Labels(right, c) {
		if !slices.Contains(same, l) {
			return nil, fmt.Errorf("several series of the right side of %s belong to one of the left, by label %s: group it by %v first", op, l, on)
		}
	}
	b.Many = slices.ContainsFunc(nlq.Labels(left, c), func(l string) bool { return !slices.Contains(on, l) })
	return b, nil
}

func scalar(t nlq.Term) bool {
	switch t := t.(type) {
	case nlq.Number, nlq.Now:
		return true
	case nlq.Binary:
		return scalar(t.Left) && scalar(t.Right)
	}
	return false
}

// durations reads several and keeps the first error.
type durations struct{ err error }

func (d *durations) read(what, s string) time.Duration {
	if s == "" {
		return 0
	}
	v, err := model.ParseDuration(s)
	switch {
	case d.err != nil:
	case err != nil:
		d.err = fmt.Errorf("%s is %q, want a duration such as 5m", what, talk.Short(s))
	case time.Duration(v) > longest || math.Signbit(float64(v)):
		d.err = fmt.Errorf("%s is %q, want at most a year", what, talk.Short(s))
	}
	return time.Duration(v)
}
