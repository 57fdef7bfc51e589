package grammar

import (
	"fmt"
	"slices"
	"strings"
)

// clause reports whether items say of something that it is so, without a
// number or a state: requests are queueing.
func (f *frame) clause(items []item) bool {
	verb := slices.IndexFunc(items, func(it item) bool { return f.lexicon.sets["verb"][it.low] })
	return verb >= 0 && slices.ContainsFunc(items, func(it item) bool {
		return !it.used && it.number == nil && !f.plain(it) && f.words.anyOf(it.norms)
	})
}

// dropped asks for what follows a word that joins or leaves out, where the
// measure that comes nearest has none of it: half of a condition is another
// condition.
func (f *frame) dropped(covered []string) error {
	for i := range f.items {
		if _, joins := f.says(i, "and"); !joins {
			continue
		}
		end := i + 1
		for ; end < len(f.items); end++ {
			_, next := f.items[end].has("join")
			_, hold := f.items[end].has("hold")
			if next || hold || f.items[end].number != nil || f.items[end].low == "," {
				break
			}
		}
		var words []string
		known, has := false, false
		for _, it := range f.items[i+1 : end] {
			words = append(words, it.raw)
			if it.used || it.weak || f.plain(it) {
				continue
			}
			known = known || f.words.anyOf(it.norms)
			has = has || slices.ContainsFunc(it.norms, func(w string) bool { return slices.Contains(covered, w) })
		}
		if known && !has {
			return f.settle(fmt.Sprintf("How should %q be told?", f.items[i].raw+" "+strings.Join(words, " ")))
		}
	}
	return nil
}
