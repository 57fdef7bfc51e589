package grammar

import (
	"strings"

	"vedette.dev/nlq"
	"vedette.dev/rules/catalog"
)

// A shaper makes a term of another: what a phenomenon that no single measure
// can say adds to the measure.
type shaper func(t nlq.Term, m catalog.Metric) nlq.Term

// shaped reports whether something beyond a measure and a comparison was said.
func (f *frame) shaped() bool {
	return len(f.values) > 0 || f.scale != nil || f.test != nil || len(f.conds) > 0
}

// formula puts a shaped frame together: of the measure a value, of the value
// what holds, of what holds the answer.
func (f *frame) formula(ms nlq.Measure, m catalog.Metric, c nlq.Comparison) nlq.Formula {
	var t nlq.Term = ms
	for _, s := range f.values {
		t = s(t, m)
	}
	if f.scale != nil {
		t = f.scale(t, m)
	}
	switch {
	case f.test != nil:
		t = f.test(t, m)
	case c.Op != "":
		t = nlq.Binary{Op: c.Op, Left: t, Right: nlq.Number(c.Limit)}
	}
	for _, s := range f.conds {
		t = s(t, m)
	}
	if f.top != 0 {
		t = nlq.Group{Agg: map[bool]nlq.Aggregation{true: nlq.Largest, false: nlq.Smallest}[f.top > 0], Param: float64(max(f.top, -f.top)), Of: t}
	}
	return nlq.Formula{Term: t, Alert: f.kind == alert, For: f.hold, ForSaid: f.holdSaid, Keep: f.keep, Severity: f.severity}
}

// takeShapes reads what takes more than a measure and a comparison, each
// phenomenon its own words.
func (f *frame) takeShapes() {
	f.takeRequesting()
	f.takeHours()
	f.takeRecent()
	f.takeThroughout()
	f.takeLost()
	f.takeSometime()
	f.takeUnit()
	f.takeForecast()
	f.takeBetween()
	f.takePeers()
	f.takeSigma()
	f.takeDifference()
	f.takeBaseline()
	f.takeQuotient()
	f.takeYesterday()
	f.takeFlips()
	f.takeChange()
	f.takeSpread()
	f.takeDistinct()
	f.takePortion(false)
	f.takeShareOf()
	f.takePortion(true)
	f.takeWhole()
	f.takePart()
	f.takeRatio()
	f.takeSum()
	f.takeDistance()
	f.takeCeiling()
	f.takeVersus()
	f.takeTogether()
	f.takeEvery()
	f.takeEitherWay()
	f.takeFraction()
}

// next returns the first item from i on that is said and not yet used, len
// where there is none.
func (f *frame) next(i int) int {
	for i < len(f.items) && (f.items[i].used || f.lexicon.stop[f.items[i].low] && len(f.items[i].roles) == 0) {
		i++
	}
	return i
}

// says returns the value of role r of item i, if it is there to be used.
func (f *frame) says(i int, r role) (string, bool) {
	if i < 0 || i >= len(f.items) || f.items[i].used {
		return "", false
	}
	return f.items[i].has(r)
}

// amount returns the number that item i is, if it is there to be used.
func (f *frame) amount(i int) (number, bool) {
	if i < 0 || i >= len(f.items) || f.items[i].used || f.items[i].number == nil {
		return number{}, false
	}
	return *f.items[i].number, true
}

func (f *frame) useAll(is ...int) {
	for _, i := range is {
		f.use(i)
	}
}

// A relation is how a value stands to what it is compared with: above by 20 %,
// three times as high, below.
type relation struct {
	op      string  // > or <, or "" where it was not said
	pace    bool    // slower: longer, of what is a time
	reached bool    // just so far is enough: at least 20 degrees warmer
	by      *number // how far, nil: at all
	factor  float64 // times, 0: not said
	of      bool    // how far is a share of what it is compared with
	took    []int   // items
}

// relationBefore reads the relation that ends before item end, and after it
// where it goes on there: "by 20%". The nearest direction counts: "more than
// 30% below" is below.
func (f *frame) relationBefore(end, after int) relation {
	var r relation
	skipped, did := 0, false
	for i := end - 1; i >= 0; i-- {
		it := &f.items[i]
		if it.used {
			break
		}
		cmp, isCmp := it.has("compare")
		op, word, _ := strings.Cut(cmp, " ")
		dir, isDir := it.has("direction")
		_, isPace := it.has("pace")
		_, isTimes := it.has("times")
		_, isVs := it.has("versus")
		_, isOver := it.has("over")
		n := it.number
		switch {
		case isCmp && (strings.HasPrefix(op, ">") || strings.HasPrefix(op, "<")) && !strings.Contains(word, " "):
			if r.op == "" {
				r.op = op[:1]
			}
			r.reached = r.reached || strings.HasSuffix(op, "=")
			if word != "" {
				f.extra = append(f.extra, word)
			}
		case isDir:
			if r.op == "" {
				r.op = dir
			}
		case isPace:
			if r.op == "" {
				r.op, r.pace = "<", true
			}
		case isOver:
			if r.op == "" {
				r.op = ">"
			}
		case isTimes:
			v, _ := it.has("times")
			r.factor = float64(len(v)) // "xx" is twice, "xxx" three times
			switch v {
			case "n":
				r.factor = -1 // the number before it
			case "half":
				r.factor, r.op = 0.5, "<"
			}
		case f.lexicon.sets["did"][it.low]:
			did = true
		case did && f.placeWord(it.low): // of what the same card ran at
		case isVs, it.low == "by", f.lexicon.stop[it.low] && len(it.roles) == 0:
		case n != nil && r.by == nil && (n.unit.dimension != "time" || !n.isUnit):
			r.by = n
			next := at(f.items, i+1).low
			r.of = strings.HasSuffix(it.low, " of") || next == "of" || next == "the" // half the tokens
		case r.op == "" && skipped < 2 && len(r.took) > 0 && f.items[r.took[0]].low == "than" && len(it.norms) > 0 && !f.placeWord(it.low):
			skipped++ // "less power than": what is compared stands in between
			continue
		case it.low == "rate of" || it.low == "level of" || it.low == "number of" || it.low == "count of":
		case r.op == "" && r.factor == 0 && len(r.took) > 0 && f.timesBefore(i) >= 0:
			i = f.timesBefore(i) + 1 // "half the tokens per second it did": what is compared stands in between
			continue
		default:
			return f.finish(r, after)
		}
		r.took = append(r.took, i)
	}
	return f.finish(r, after)
}

// timesBefore finds the word for a multiple that is followed by the measure
// whose last word is item i: half the tokens per second. It returns -1 where
// there is none.
func (f *frame) timesBefore(i int) int {
	for k := i; k >= max(0, i-4); k-- {
		it := f.items[k]
		_, over := it.has("over time")
		share := it.number != nil && it.number.unit.dimension == "ratio" && f.items[k+1].low == "the"
		switch _, times := it.has("times"); {
		case it.used:
			return -1
		case times, share:
			return k
		case it.number != nil:
			return -1
		case over || f.lexicon.stop[it.low] || f.words.all(it.norms) && !f.placeWord(it.low) && len(it.roles) == 0:
		default:
			return -1
		}
	}
	return -1
}

func (f *frame) finish(r relation, after int) relation {
	if j := f.next(after); r.by == nil && r.op != "" && j < len(f.items) && j > 0 && f.items[j-1].low == "by" {
		if n, ok := f.amount(j); ok {
			r.by = &n
			r.took = append(r.took, j, j-1)
		}
	} else if v, ok := f.says(after, "by"); r.by == nil && r.op != "" && ok && v == "" && f.items[after].low == "by" {
		far := after + 1
		if more, cmp := f.says(far, "compare"); cmp && (more == ">" || more == ">=") {
			r.reached = more == ">=" // by more than 10 degrees
			far++
		}
		if n, ok := f.amount(far); ok {
			r.by = &n
			r.took = append(r.took, span(after, far+1)...)
		} else {
			r.reached = false
		}
	}
	if r.of && r.by != nil && r.by.unit.dimension == "ratio" {
		r.factor, r.by = round(r.by.value*r.by.unit.factor), nil // less than a third of the average
		if r.op == "" && r.factor < 1 {
			r.op = "<" // generates half the tokens that it did
		}
	}
	if r.factor == -1 && r.by != nil {
		r.factor, r.by = r.by.value, nil
	}
	if r.by != nil && r.by.value < 1 && r.by.unit.dimension == "ratio" && r.by.unitRaw == "" && r.op == "<" {
		r.factor, r.by = 1-r.by.value, nil // fell by half, by a third
	}
	return r
}

// A reference is what a value is compared with: of the same series, or, with
// on, one for several of them.
type reference struct {
	of   nlq.Term
	on   []string
	many bool
}

// against returns what holds where t stands in relation r to ref.
func (f *frame) against(r relation, t nlq.Term, ref reference, m catalog.Metric) nlq.Term {
	join := func(op string, right nlq.Term) nlq.Term {
		return nlq.Binary{Op: op, Left: t, Right: right, On: ref.on, Many: ref.many}
	}
	op, far := r.op, 1.0
	switch {
	case op == "", r.pace && f.dimension(m.Unit) == "time":
		op = ">"
	case op[0] == '<':
		far = -1
	}
	if r.reached && len(op) == 1 {
		op += "="
	}
	switch {
	case r.factor > 0:
		return join(op, nlq.Binary{Op: "*", Left: nlq.Number(r.factor), Right: ref.of})
	case r.by == nil:
		return join(op, ref.of)
	case r.by.unit.dimension == "ratio" && r.by.unitRaw != "points":
		share := far * r.by.value * r.by.unit.factor
		return join(op, nlq.Binary{Op: "*", Left: nlq.Number(round(1 + share)), Right: ref.of})
	}
	return nlq.Binary{Op: op, Left: join("-", ref.of), Right: nlq.Number(far * f.convert(*r.by, m.Unit))}
}
