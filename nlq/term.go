package nlq

import "time"

// A Term is a number for each of some series: a [Measure], a [Number], [Now],
// or what a function, an arithmetic, a comparison or a join makes of terms. It
// is what a [Formula] is made of, and as little of PromQL as questions need.
type Term interface{ isTerm() }

// A Number is the same everywhere.
type Number float64

// Now is the time, in seconds since 1970.
type Now struct{}

// A Func is what is done to the series of a term. Window is the range that
// the function looks at, 0 where it looks at none; Param is its number: the
// quantile, or how many seconds ahead.
type Func struct {
	Name   string // histogram_quantile, predict_linear, delta, absent, hour, …: a function of PromQL, or Ago
	Of     Term   // nil for what needs none: hour
	Param  float64
	Window time.Duration
}

// Ago is the Func that looks at its term as it was Window ago.
const Ago = "ago"

// A Group puts the series of a term together, keeping the labels By. Param is
// the quantile of [Quantile], the number of series of [Largest] and [Smallest].
type Group struct {
	Agg   Aggregation
	Of    Term
	By    []string
	Param float64
}

// The aggregations that only a Group has.
const (
	Quantile  Aggregation = "quantile"
	Deviation Aggregation = "stddev"
	Largest   Aggregation = "topk"
	Smallest  Aggregation = "bottomk"
)

// A Binary joins two terms. Op is one of + - * / % for arithmetic, one of
// > >= < <= == != for a comparison, which keeps of Left those series for which
// it holds, or one of and, or, unless. On are the labels by which series of
// both belong together; nil is all, and an empty list none: everything belongs
// to everything. Many: several of Left belong to one of Right.
type Binary struct {
	Op          string
	Left, Right Term
	On          []string
	Many        bool
}

// A Renamed has the value of label From as label To too. What is scraped is
// called by host and port: the port does not count.
type Renamed struct {
	Of       Term
	From, To string
}

func (Measure) isTerm() {}
func (Number) isTerm()  {}
func (Now) isTerm()     {}
func (Func) isTerm()    {}
func (Group) isTerm()   {}
func (Binary) isTerm()  {}
func (Renamed) isTerm() {}

// A Formula asks for what no single measure says: a ratio of two, a quantile
// of a histogram, something that is absent, several conditions at once. As an
// alert its Term has a comparison or tells of something absent.
type Formula struct {
	Term     Term
	Alert    bool // else its value is asked for
	For      time.Duration
	ForSaid  bool
	Keep     time.Duration
	Severity string
}

func (Formula) isIntent() {}

// Measures returns what i measures, and whether it is an intent that measures: a value,
// an alert, a forecast or a formula.
func Measures(i Intent) (ms []Measure, measures bool) {
	switch i := i.(type) {
	case Lookup:
		return []Measure{i.Measure}, true
	case Alert:
		return []Measure{i.Measure}, true
	case When:
		return []Measure{i.Measure}, true
	case Formula:
		Map(i.Term, func(m Measure) Measure {
			ms = append(ms, m)
			return m
		})
		return ms, true
	}
	return nil, false
}

// Map returns t with f of each of its measures.
func Map(t Term, f func(Measure) Measure) Term {
	switch t := t.(type) {
	case Measure:
		return f(t)
	case Func:
		if t.Of != nil {
			t.Of = Map(t.Of, f)
		}
		return t
	case Group:
		t.Of = Map(t.Of, f)
		return t
	case Renamed:
		t.Of = Map(t.Of, f)
		return t
	case Binary:
		t.Left, t.Right = Map(t.Left, f), Map(t.Right, f)
		return t
	}
	return t
}

// Subject returns the measure that t is mainly about: its leftmost.
func Subject(t Term) (Measure, bool) {
	switch t := t.(type) {
	case Measure:
		return t, true
	case Func:
		return Subject(t.Of)
	case Group:
		return Subject(t.Of)
	case Renamed:
		return Subject(t.Of)
	case Binary:
		if m, ok := Subject(t.Left); ok {
			return m, true
		}
		return Subject(t.Right)
	}
	return Measure{}, false
}
