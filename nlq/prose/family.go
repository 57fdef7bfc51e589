package prose

import (
	"regexp"
	"slices"
	"strings"

	"vedette.dev/nlq"
	"vedette.dev/nlq/prose/index"
	"vedette.dev/rules/catalog"
)

// A pair are two metrics of one family: a part and its whole, or what is and
// what should be.
type pair struct {
	of, by catalog.ID
	rest   bool // of is what is left of by
}

// share returns the share that m is of its whole, where the text speaks of
// shares and m is an amount.
func (r *reading) share(m catalog.Metric) (nlq.Term, bool) {
	if ofOne(m) || m.Unit == "%" || !r.percent() && (!r.cues["share"] || r.amount(m)) {
		return nil, false
	}
	p, ok := r.partner(m, "part", "whole")
	if !ok {
		return r.ofOther(m)
	}
	if len(r.conds) > 0 && p.rest != r.speaksOfRest() && (p.rest || r.conds[0].op[0] == '<') && !(p.rest && r.conds[0].op[0] == '<') {
		r.mirror() // "less than a fifth left": more than four used
	}
	all := r.flow(p.by)
	if r.catalog.Complements(p.of, p.by) {
		all = nlq.Binary{Op: "+", Left: r.flow(p.of), Right: all} // what succeeded is not all
	}
	return nlq.Binary{Op: "/", Left: r.flow(p.of), Right: all}, true
}

// amount reports whether the limit in the text is an amount of what m counts:
// 500 bytes of its capacity are no share of it.
func (r *reading) amount(m catalog.Metric) bool {
	if len(r.conds) == 0 || r.conds[0].limit.Dimension() == "count" {
		return false
	}
	_, ok := r.conds[0].limit.In(m.Unit)
	return ok && r.conds[0].limit.Dimension() != ""
}

// spare returns how much of its whole m leaves, where the text speaks of what is
// left, in an amount: "fewer than 100 free file descriptors".
func (r *reading) spare(m catalog.Metric) (nlq.Term, bool) {
	if !r.speaksOfRest() || r.percent() || m.Type != catalog.Gauge || r.traits[m.ID].rest {
		return nil, false
	}
	p, ok := r.partner(m, "part", "whole")
	if !ok || p.rest {
		return nil, false
	}
	return nlq.Binary{Op: "-", Left: r.measure(p.by), Right: r.measure(p.of)}, true
}

// whole is what comes after "90% of", in the text without its signs.
var whole = regexp.MustCompile(`[0-9] of (.*)`)

// ofOther is the share that a measure is of another of the same kind, which
// the text names after "% of": "98% of the temperature at which it shuts down".
func (r *reading) ofOther(m catalog.Metric) (nlq.Term, bool) {
	after := whole.FindStringSubmatch(r.text)
	if after == nil || m.Type != catalog.Gauge || m.Unit == "{bool}" || m.Unit == "" {
		return nil, false
	}
	said := func(id catalog.ID) (n int) {
		for _, w := range r.traits[id].words {
			if slices.Contains(strings.Fields(after[1]), w) {
				n++
			}
		}
		return n
	}
	for _, c := range r.ranked {
		if c.ID == m.ID || c.metric.Type != m.Type || c.metric.Unit != m.Unit || c.first != r.traits[m.ID].first || c.derived {
			continue
		}
		part, all := m.ID, c.ID
		if said(part) > said(all) {
			part, all = all, part
		}
		if said(all) > 0 {
			return nlq.Binary{Op: "/", Left: r.measure(part), Right: r.measure(all)}, true
		}
	}
	return nil, false
}

// mirror makes limits of what is left those of what is not.
func (r *reading) mirror() {
	for i, c := range r.conds {
		r.conds[i] = condition{op: mirrored[c.op], limit: c.limit, rest: true}
	}
}

var mirrored = map[string]string{">": "<", ">=": "<=", "<": ">", "<=": ">=", "==": "==", "!=": "!="}

// speaksOfRest reports whether the limit in the text is one of what is left.
func (r *reading) speaksOfRest() bool {
	return len(r.conds) > 0 && r.has("left", "free", "available", "remaining")
}

// percent reports whether the text has a limit in percent.
func (r *reading) percent() bool {
	return slices.ContainsFunc(r.conds, func(c condition) bool { return c.limit.Dimension() == "ratio" })
}

// partner returns m with the metric that completes it: that which has all the
// words of m's name but for those that tell one side from the other.
func (r *reading) partner(m catalog.Metric, side, other string) (pair, bool) {
	best, found := 0.0, pair{}
	own := r.index.Parts(m.ID)
	for o, parts := range r.index.Family(m.ID) {
		of, rest := r.fit(own, parts, side, other)
		by, left := r.fit(parts, own, side, other)
		if max(of, by) <= best || o == m.ID {
			continue
		}
		if om, ok := r.catalog.Metric(o); !ok || om.Type != m.Type {
			continue
		}
		if best = max(of, by); of >= by {
			found = pair{m.ID, o, rest}
		} else {
			found = pair{o, m.ID, left}
		}
	}
	return found, best > 0
}

// isVersion reports whether the values of m tell versions of something apart,
// and nothing else: copies of what should be the same have the same.
func isVersion(m catalog.Metric) bool {
	return m.Type == catalog.Gauge && slices.ContainsFunc(index.Name(string(m.ID)), func(w string) bool {
		return w == "hash" || w == "checksum" || w == "revision" || w == "generation"
	})
}

// bothTold is what it is worth that a name says itself which side it is:
// spec of status rather than what goes without.
const bothTold = 0.15

// fit says how well names with the stems a and b differ by words for the two sides
// and by nothing else; 0 is not at all. It reports whether a is of what is left.
func (r *reading) fit(a, b []string, side, other string) (float64, bool) {
	rest, odd, common, told := false, 0.0, 0.0, 0.0
	for _, w := range a {
		if slices.Contains(b, w) {
			common++
		}
	}
	if common < 2 {
		return 0, false // most
	}
	for _, w := range a {
		switch {
		case slices.Contains(b, w):
		case r.lexicon.Partner(w, side):
			told++
		case side == "part" && r.lexicon.Partner(w, "rest"):
			rest = true
			told++
		default:
			odd++
		}
	}
	if odd > 1 {
		return 0, false
	}
	for _, w := range b {
		switch {
		case slices.Contains(a, w):
		case r.lexicon.Partner(w, other):
			told++
		default:
			odd++
		}
	}
	if told == 0 || odd > 1 {
		return 0, false
	}
	said := 0.0
	for _, w := range append(a, b...) {
		said += r.query[w] / 10
	}
	return common/(1+float64(len(a)+len(b))/2+odd) + said/float64(len(a)+len(b)) + min(2, told)*bothTold, rest
}

// flow is a metric as it can be divided: counters as rates.
func (r *reading) flow(id catalog.ID) nlq.Term {
	m, _ := r.catalog.Metric(id)
	if m.Type == catalog.Counter {
		t := r.measure(id)
		t.Over, t.Window = nlq.Rate, r.windowOr(usual)
		if by := r.by(m); len(by) > 0 || r.asOne(m) {
			t.Agg, t.By = nlq.Sum, by
		}
		return t
	}
	return r.measure(id)
}

// against compares m with what it should be, or with its limit, where the text
// says that they do not match or that the limit is reached.
func (r *reading) against(m catalog.Metric) (nlq.Term, bool) {
	if m.Type == catalog.Counter || len(r.conds) > 0 {
		return nil, false
	}
	switch {
	case r.cues["limit"]:
		if p, ok := r.partner(m, "part", "whole"); ok {
			return nlq.Binary{Op: ">=", Left: r.gauge(p.of), Right: r.measure(p.by)}, true
		}
	case r.cues["fewer"] && m.Type == catalog.Gauge && m.Unit != "{bool}":
		if p, ok := r.partner(m, "want", "have"); ok {
			return nlq.Binary{Op: "<", Left: r.measure(p.by), Right: r.measure(p.of)}, true
		}
		if p, ok := r.partner(m, "part", "whole"); ok {
			return nlq.Binary{Op: "<", Left: r.measure(p.of), Right: r.measure(p.by)}, true
		}
	case r.cues["mismatch"]:
		if p, ok := r.partner(m, "want", "have"); ok {
			return nlq.Binary{Op: "!=", Left: r.measure(p.of), Right: r.measure(p.by)}, true
		}
		if isVersion(m) {
			highest, lowest := r.measure(m.ID), r.measure(m.ID)
			highest.Agg, lowest.Agg = nlq.Maximum, nlq.Minimum
			highest.By, lowest.By = r.scope.By(m), r.scope.By(m)
			return nlq.Binary{Op: ">", Left: nlq.Binary{Op: "-", Left: highest, Right: lowest}, Right: nlq.Number(0)}, true
		}
	case r.cues["bad"] && !r.traits[m.ID].bad && m.Unit != "{bool}" && m.Unit != "{state}": // some are not as they should be
		p, ok := r.partner(m, "want", "have")
		if have, _ := r.catalog.Metric(p.by); ok && p.of == m.ID && have.Unit == m.Unit {
			return nlq.Binary{Op: ">", Left: nlq.Binary{Op: "-", Left: r.measure(p.of), Right: r.measure(p.by)}, Right: nlq.Number(0)}, true
		}
	}
	return nil, false
}
