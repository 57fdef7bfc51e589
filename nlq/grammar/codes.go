package grammar

import (
	"strings"

	"vedette.dev/nlq"
	"vedette.dev/rules/catalog"
)

// takeCodes reads several codes, any of which is meant: xid 48, 94 or 95, all
// but xid 13 and 31. It comes before conditions are joined: no value is two.
func (f *frame) takeCodes() {
	for i := range f.items {
		p, n, ok := f.place(i)
		if !ok || p.Name != "xid" || f.test != nil {
			continue
		}
		from, not := i+n, false
		for k := max(0, i-2); k < min(from+2, len(f.items)); k++ {
			if _, except := f.says(k, "not"); except {
				f.use(k)
				not = true
				if k >= from {
					from = k + 1
				}
			}
		}
		for k := from; k < min(from+3, len(f.items)) && !not; k++ {
			equal, compares := f.says(k, "compare")
			if _, ok := f.amount(k); ok && from < k {
				f.useAll(span(from, k)...)
				from = k // "xid is one of 48, 94 and 95"
			}
			if !f.plain(f.items[k]) && !(compares && equal == "==") {
				break
			}
		}
		codes, to := f.codes(from)
		if len(codes) < 2 {
			continue
		}
		f.useAll(append(span(i, i+n), span(from, to)...)...)
		f.extra = append(f.extra, p.Name)
		f.test = func(t nlq.Term, _ catalog.Metric) nlq.Term {
			op, join := "==", "or"
			if not {
				op, join = "!=", "and"
			}
			var all nlq.Term
			for _, c := range codes {
				one := nlq.Term(nlq.Binary{Op: op, Left: t, Right: nlq.Number(c)})
				if all == nil {
					all = one
				} else {
					all = nlq.Binary{Op: join, Left: all, Right: one}
				}
			}
			return all
		}
		return
	}
}

// codes returns the plain numbers that are listed from item i on, and where the
// list ends.
func (f *frame) codes(i int) (list []float64, to int) {
	for to = i; ; {
		n, ok := f.amount(i)
		if !ok || n.isUnit {
			return list, to
		}
		list, to = append(list, n.value), i+1
		for i = to; f.after(i+1, "join") || f.after(i+1, "and"); i++ {
		}
	}
}

// ofEvents settles that m, which has the code of the last of some events, is not
// meant where it is how many there were: how many Xids, more than 3 Xid errors in 10
// minutes. It returns what counts them, m where nothing does.
func (f *frame) ofEvents(m catalog.Metric) catalog.Metric {
	many := f.counting && f.subject == "xid" && (m.ID == "" || m.Unit == "{xid}")
	if m.Unit == "{xid}" && len(f.compares) == 1 {
		c := f.compares[0]
		many = many || strings.HasPrefix(c.op, ">") && c.limit.value > 0 && !c.limit.isUnit
	}
	if !many || f.test != nil {
		return m
	}
	for _, counts := range f.catalog.All() {
		if (counts.Unit == "{event}" || counts.Unit == "{error}") && counts.Has("xid") && counts.Entity == "gpu" {
			if f.counting {
				f.counting, f.subject, f.agg = false, "", nlq.Sum
			}
			if f.per > 0 {
				f.window, f.per = f.per, 0
			}
			if counts.Type == catalog.Counter {
				f.over = nlq.Increase
			} else {
				f.window = 0
				f.assume(0.2, "%s counts within a window of its exporter's own", counts.ID)
			}
			return counts
		}
	}
	return m
}
