package grammar

// mostBefore is how many words at most a request to be told takes before it
// comes to the point: with more they say something else too.
const mostBefore = 14

// takeAsked reads a request to be told in whatever words it is put: would it be
// possible to get an alert once, I want be informed if. All before the word
// that leads to the condition is courtesy, if somebody is to be told and
// nothing is measured there.
func (f *frame) takeAsked() {
	for i := range min(len(f.items), mostBefore) {
		it := &f.items[i]
		if !f.lexicon.sets["lead"][it.low] {
			if it.number != nil || it.metric || it.sign {
				return
			}
			continue
		}
		severity, told := "", false
		if i == 0 && it.low != "when" && it.low != "as soon as" { // "when will"
			for k := range f.items {
				v, tell := f.says(k, "tell")
				if !tell {
					continue
				}
				severity, told = v, true // if it stays so, let us know
				if f.use(k); f.last(k) && at(f.items, k-2).low == "let" {
					f.use(k - 2)
				}
			}
		}
		for k := range f.items[:i] {
			if v, tell := f.says(k, "tell"); tell {
				severity, told = v, true
			}
			if _, cmp := f.items[k].has("compare"); cmp {
				return
			}
		}
		if !told {
			return
		}
		f.kind, f.severity = alert, severity
		for k := range f.items[:i] {
			_, now := f.says(k, "once")
			f.holdSaid = f.holdSaid || now // alert immediately when
		}
		_, now := it.has("once")
		f.holdSaid = f.holdSaid || now
		f.useAll(span(0, i+1)...)
		return
	}
}

// happens reports whether something is told as an event: that it happens at
// all is the condition.
func (f *frame) happens() bool { return f.saysAny("happens") }
