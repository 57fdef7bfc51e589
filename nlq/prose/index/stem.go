package index

import "strings"

// endings are taken off words, the longest first, so that what is one thing
// said as a verb, a noun or a plural is one word: failed, failing, failures.
var endings = []string{"ications", "ication", "ization", "ations", "ation", "ating", "ated", "ates", "ures", "ions", "ings", "ness", "ment", "ures",
	"ure", "ate", "ity", "ion", "ing", "ied", "ies", "ers", "ed", "es", "er", "ly", "s", "e", "y"}

// least is how much of a word must be left: shorter stems are those of too
// many words.
const least = 3

// Stem returns w without its ending. Both sides of a comparison go through it.
func Stem(w string) string {
	for _, e := range endings {
		if len(w)-len(e) >= least && strings.HasSuffix(w, e) && !strings.HasSuffix(w, "ss") {
			w = strings.TrimSuffix(w, e)
			break
		}
	}
	if n := len(w); n > least && w[n-1] == w[n-2] && w[n-1] != 's' && w[n-1] != 'l' { // dropped, dropping
		w = w[:n-1]
	}
	return w
}
