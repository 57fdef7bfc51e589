package grammar

import (
	"regexp"
	"slices"
	"time"

	"vedette.dev/nlq"
)

const (
	// quiet is for how long where nobody said: what Alertmanager's own page offers.
	quiet = 2 * time.Hour
	// longestQuiet is for how long at most: who wants less of a rule for more
	// than a week wants another rule.
	longestQuiet = 7 * day
)

// such is a silence that is understood, shown where one is not.
const such = "silence GPUTooHot on node gpu-07 for 2 hours"

// alertName is how alerts are called: GPUTooHot, KubePodCrashLooping.
var alertName = regexp.MustCompile(`^[A-Z][A-Za-z0-9_]*[a-z][A-Za-z0-9_]*[A-Z][A-Za-z0-9_]*$|^[A-Z]{2,}[A-Za-z0-9_]*[a-z][A-Za-z0-9_]*$`)

// parseSilence reads: silence GPUTooHot on dgx-07 for 2 hours.
func (f *frame) parseSilence() (nlq.Parse, error) {
	s := nlq.Silence{For: quiet, Lift: f.kind == lift}
	said := false
	for i := range f.items {
		it := &f.items[i]
		if d, ok := it.number.duration(); ok && !it.used {
			if said {
				return nlq.Parse{}, f.settle("There is more than one time in this. For how long?", such)
			}
			s.For, said = d, true
			f.useAll(i, i-1)
			continue
		}
		_, rule := f.says(i-1, "alerts")
		_, after := at(f.items, i-1).has("called")
		if s.Alert == "" && !it.used && it.number == nil && (it.name && (rule || after) || alertName.MatchString(it.raw)) {
			s.Alert = it.raw
			if f.use(i); after {
				f.use(i - 1)
			}
			continue
		}
		if _, ok := f.says(i, "alerts"); ok {
			f.use(i)
		}
	}
	f.takeNames()
	for _, fl := range f.filters {
		if fl.not || fl.label != "" {
			return nlq.Parse{}, f.settle("What a silence leaves out cannot be said here. Which alerts should nobody be told of?", such)
		}
		s.At = append(s.At, nlq.Named{Place: fl.place, Name: fl.value})
	}
	if left := slices.DeleteFunc(f.unexplained(), func(w string) bool { return w == "all" || w == "from" || w == "about" }); len(left) > 0 {
		return nlq.Parse{}, &nlq.NotUnderstood{Words: left, Nearest: []string{such}, Refused: true, Ask: "Which alerts should nobody be told of? An alert goes by its name, and a place by its kind."}
	}
	switch {
	case s.Alert == "" && len(s.At) == 0:
		return nlq.Parse{}, &nlq.NotUnderstood{Nearest: []string{such}, Refused: true, Ask: "Everything at once is never silenced here. Which alert, or of which node or namespace?"}
	case s.Lift:
		s.For = 0
	case s.For <= 0 || s.For > longestQuiet:
		return nlq.Parse{}, f.settle("A silence lasts a week at most: who wants to hear less for longer changes the rule. For how long?", such)
	case !said:
		f.assume(0.05, "for 2 hours")
	}
	return nlq.Parse{Intent: s, Assumed: f.assumed, Confidence: f.confidence()}, nil
}
