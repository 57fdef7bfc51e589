package detect

import (
	"maps"
	"math"
)

// A line explains one metric of a subject by another of the same subject, as
// value ≈ middle + slope * (given - usual): a GPU's temperature by its power.
// What is left, the residual, is watched where a watch has a Given; the load
// comes and goes, the residual does not. This is what is spent on chosen
// series only: the second tier.
//
// It forgets over a day by the clock, so that a fault of hours stays a fault, and
// says nothing where it does not know: where what is given is outside what it
// has been. While that moves, all that it lately was may explain the value.
type line struct {
	Given, Middle float64 // means
	Square, Cross float64 // of given, and of both, around the means
	Seen          uint32  // pairs learnt
	Last          int64   // Unix milliseconds of the newest pair
	Now           float64 // what is given: the newest,
	Late, Later   float64 // of half a minute, and of five
	Was           float64 // Late, a sample before
	At            int64   // when
	Step          float64 // seconds between pairs
	Asked         int64   // when a value was last shown, explained or not
}

const (
	// A die follows its power within half a minute, its heat sink within five.
	explainLag, explainLags = 30, 300 // seconds

	// A day's memory: with an hour's, a leak of two hours is its own explanation.
	explainMemory = day

	// What is given is beyond what is known so many spreads from its mean: there
	// a line is a guess.
	explainReach = 3

	// Before so much has been seen nothing is explained.
	explainAfter = 2 * 3600 // seconds
)

// given takes what explains.
func (l *line) given(ms int64, v float64) {
	if math.IsNaN(v) || math.IsInf(v, 0) || ms <= l.At {
		return
	}
	if l.At == 0 {
		l.Late, l.Later, l.Was = v, v, v
	}
	gap := float64(ms-l.At) / 1000
	l.Was = l.Late
	l.Late += (1 - math.Exp(-gap/explainLag)) * (v - l.Late)
	l.Later += (1 - math.Exp(-gap/explainLags)) * (v - l.Later)
	l.Now, l.At = v, ms
}

// knows reports whether enough has been seen for the line to be believed.
func (l *line) knows() bool { return l.Seen > warmup && float64(l.Seen)*l.Step >= explainAfter }

// fresh reports whether what explains was heard lately.
func (l *line) fresh(ms int64) bool {
	return l.At != 0 && math.Abs(float64(ms-l.At))/1000 <= max(2*l.Step, explainLag)
}

// residual takes a value of what is explained and returns what is left of it;
// NaN where the line cannot tell. effect is what would matter.
func (l *line) residual(ms int64, v float64, d Direction, effect float64) float64 {
	l.Asked = ms
	if math.IsNaN(v) || math.IsInf(v, 0) || ms <= l.Last || !l.fresh(ms) {
		return math.NaN()
	}
	if l.Seen == 0 {
		l.Given, l.Middle = l.Late, v
	} else if gap := float64(ms-l.Last) / 1000; l.Step == 0 || gap < 3*l.Step {
		l.Step += max(0.05, 1/float64(l.Seen)) * (gap - l.Step)
	}
	left := math.NaN()
	if l.knows() {
		left = l.rest(v, d, effect)
	}
	l.learn(ms, v)
	return left
}

// rest returns how far v is from all that is explained by what lately was given.
func (l *line) rest(v float64, d Direction, effect float64) float64 {
	slope, reach := l.slope(), explainReach*math.Sqrt(l.Square)
	low, high, guessed := math.Inf(1), math.Inf(-1), false
	for _, g := range [...]float64{l.Now, l.Late, l.Was, l.Later} {
		off := g - l.Given
		known := l.Middle + slope*min(max(off, -reach), reach)
		if math.Abs(off) > reach {
			if d.off(l.Middle+slope*off, known) > 0 {
				return math.NaN() // it may explain more than is known
			}
			guessed = true
		}
		low, high = min(low, known), max(high, known)
	}
	left := v - min(max(v, low), high)

	// Where nothing is known, it may tell only that even the last that is known
	// does not explain it: hotter at less power than ever is too hot.
	if guessed && d.off(left, 0) < effect {
		return math.NaN()
	}
	return left
}

func (l *line) slope() float64 {
	if l.Square == 0 {
		return 0
	}
	return l.Cross / l.Square
}

func (l *line) learn(ms int64, v float64) {
	l.Seen++
	l.Last = ms
	w := max(1/float64(l.Seen), min(1, l.Step/explainMemory))
	dg, dv := l.Late-l.Given, v-l.Middle
	l.Given += w * dg
	l.Middle += w * dv
	l.Square += w * ((1-w)*dg*dg - l.Square)
	l.Cross += w * ((1-w)*dg*dv - l.Cross)
}

// An explanation is a line of one subject and the series of what it leaves.
type explanation struct {
	line
	watch *Watch
	id    uint32 // of that series, in the bank
}

// explain finds the explanation that watch i gives of the subject in labels,
// or makes one. It reports false where a label is missing.
func (b *Bank) explain(i int, labels map[string]string) (*explanation, bool) {
	w := &b.watches[i]
	subject, ok := w.subject(labels)
	if !ok {
		return nil, false
	}
	key := w.name() + "\xff" + subject.String()
	if e := b.explanations[key]; e != nil {
		return e, true
	}
	own := map[string]string{"__name__": w.name()}
	for _, l := range w.Labels {
		own[l] = labels[l]
	}
	e := &explanation{watch: w}
	m := &member{labels: own, watch: i, subject: subject, key: keyOf(own), left: e}
	e.id = b.place(m)
	b.join(e.id, m)
	b.explanations[key] = e
	return e, true
}

// explains returns what a series of these labels explains, and what explains it.
func (b *Bank) explains(labels map[string]string) (gives, by []*explanation) {
	for i := range b.watches {
		w := &b.watches[i]
		gives1, by1 := string(w.Given) == labels["__name__"], w.Given != "" && string(w.Metric) == labels["__name__"]
		if !gives1 && !by1 {
			continue
		}
		e, ok := b.explain(i, labels)
		if ok && gives1 {
			gives = append(gives, e)
		}
		if ok && by1 {
			by = append(by, e)
		}
	}
	return gives, by
}

// forget drops an explanation with its series.
func (b *Bank) forget(e *explanation) {
	maps.DeleteFunc(b.explanations, func(_ string, x *explanation) bool { return x == e })
}
