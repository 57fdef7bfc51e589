package investigate

import (
	"bytes"
	_ "embed"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode"

	"vedette.dev/rules/strictcsv"
)

// This file is what is tested of a sentence, one thing after another. Each test
// says why the sentence is not borne out, or "".

//go:embed words.csv
var wordsCSV []byte

// claims are what words claim, by the word.
var claims = sync.OnceValue(func() map[string][]string {
	all := map[string][]string{}
	err := strictcsv.Each("words.csv", bytes.NewReader(wordsCSV), "word,claims", func(f []string) error {
		what, n, number := strings.Cut(f[1], " ")
		switch {
		case what == "against" && number:
		case what == "number":
			if _, err := strconv.ParseFloat(n, 64); err != nil || !number {
				return fmt.Errorf("%s: %q is no number", f[0], n)
			}
		case !slices.Contains([]string{"well", "denies", "denies all", "rejects", "blames", "first", "advises", "does", "begins advice", "numbered", "is", "plain"}, f[1]):
			return fmt.Errorf("%s claims %q", f[0], f[1])
		}
		all[f[0]] = append(all[f[0]], f[1])
		return nil
	})
	if err != nil {
		panic(err) // embedded data: a test reads it too
	}
	return all
})

func claim(word, what string) bool { return slices.Contains(claims()[word], what) }

// content reports whether a word says something of the matter: it claims nothing,
// or only the opposite of another.
func content(word string) bool {
	return !slices.ContainsFunc(claims()[word], func(c string) bool { return !strings.HasPrefix(c, "against ") })
}

// named wants each name of s in e: of what has a digit, a capital within or a
// sign within, a capital in the middle of a sentence, or is called so in the cluster.
func (c *court) named(e *exhibit, says []token) string {
	for i, t := range says {
		name := t.name || t.capital && i > 0 && !says[i-1].ends && content(t.lower) || c.names[t.lower] && content(t.lower)
		if name && !t.number && !e.names(t) {
			return fmt.Sprintf("it names %s, which what it cites does not", t.text)
		}
		if i > 0 && t.number && claim(strings.TrimSuffix(says[i-1].lower, "s"), "numbered") && !strings.Contains(e.plain, " "+says[i-1].lower+" "+t.lower+" ") {
			return fmt.Sprintf("it names %s %s, which what it cites does not", says[i-1].text, t.text)
		}
	}
	return ""
}

// counted wants each number of s among those of e, in digits or in words; a
// share may be written as per cent.
func counted(e *exhibit, says []token) string {
	for i, t := range says {
		var n float64
		switch word, ok := numberWord(t.lower); {
		case t.number:
			n = t.value
		case ok && !(t.lower == "one" && i+1 < len(says) && says[i+1].lower == "of"): // one of many is no amount
			n = word
		default:
			continue
		}
		if t.number && i+1 < len(says) && says[i+1].lower == "of" && !strings.Contains(e.plain, " "+t.lower+" of ") {
			return fmt.Sprintf("it has %s of what it cites otherwise", t.text)
		}
		percent := strings.HasSuffix(t.lower, "%") || i+1 < len(says) && (says[i+1].lower == "%" || says[i+1].lower == "percent" || says[i+1].lower == "per")
		if written := t.number && strings.ContainsFunc(t.lower, unicode.IsLetter) && e.has(t.lower); !written && !slices.Contains(e.numbers, n) && !(percent && slices.ContainsFunc(e.numbers, func(x float64) bool { return x*100-n < 1e-9 && n-x*100 < 1e-9 })) {
			return fmt.Sprintf("it has the amount %s, which what it cites does not", t.text)
		}
	}
	return ""
}

// judged lets the engine alone say what caused what, and which cause is the first.
func (c *court) judged(e *exhibit, says []token) string {
	var named []string
	if !slices.ContainsFunc(e.items, func(i *item) bool { return i.id[0] != 'R' }) {
		return "" // why something is no cause is the engine's word too
	}
	for _, i := range e.items {
		if i.id[0] == 'C' {
			named = append(named, i.id)
		}
	}
	for i, t := range says {
		blames, first := claim(t.lower, "blames"), claim(t.lower, "first")
		first = first && !e.quoted(says, i) // container main
		switch {
		case !blames && !first:
			continue
		case len(named) != 1:
			return fmt.Sprintf("%q says what is the cause, and it does not cite the one cause that the program found", t.text)
		case !slices.Contains(c.sure, named[0]):
			return fmt.Sprintf("%q says what is the cause, and the program is not sure of it", t.text)
		case first && named[0] != c.sure[0]:
			return fmt.Sprintf("%q says which cause is the first, and that is another", t.text)
		}
		for _, i := range e.items {
			if i.id[0] != 'C' && !slices.Contains(i.of, named[0]) {
				return fmt.Sprintf("%q says what is the cause, and %s is no evidence of %s", t.text, i.id, named[0])
			}
		}
	}
	return ""
}

// advised lets the engine alone give advice: what the cluster wrote is none. What
// is to be done has to be in the engine's words, and half of what is said of it.
func advised(e *exhibit, says []token) string {
	advice := ""
	for i, t := range says {
		does := claim(t.lower, "does") || (i == 0 || says[i-1].ends) && claim(t.lower, "begins advice")
		if does && !slices.ContainsFunc(tokens(e.remedy), func(w token) bool { return alike(w.lower, t.lower) }) {
			return fmt.Sprintf("%q advises what the program does not", t.text)
		}
		if does || claim(t.lower, "advises") && !e.quoted(says, i) {
			advice = t.text
		}
	}
	if found, all := overlap(e.remedy, tokens(e.remedy), says); advice != "" && found*2 < all {
		return fmt.Sprintf("%q advises what the program does not", advice)
	}
	return ""
}

// denied wants what is denied in s denied in e, and what is denied throughout e
// not asserted in s. That something is well no report of what is wrong says, and
// a log that says so may have been written for this reader.
func denied(e *exhibit, says []token) string {
	rejects := func(t token) bool {
		return claim(t.lower, "rejects") || claim(t.lower, "denies") || claim(t.lower, "denies all")
	}
	for _, i := range e.items {
		if i.id[0] == 'R' && !slices.ContainsFunc(says, rejects) {
			return fmt.Sprintf("%s was rejected, and it does not say so", i.id)
		}
	}
	denies := func(words []token, k int) bool { return claim(words[k].lower, "denies") || none(words, k) }
	denied := false
	for k := range e.words {
		denied = denied || denies(e.words, k)
	}
	for i, t := range says {
		if denies(says, i) && !denied {
			return fmt.Sprintf("%q denies something, and what it cites does not", t.text)
		}
		for _, c := range claims()[t.lower] {
			if opposite, ok := strings.CutPrefix(c, "against "); ok && !e.says(t.lower) && e.says(opposite) {
				return fmt.Sprintf("it says %s where what it cites says %s", t.text, opposite)
			}
		}
		if claim(t.lower, "well") && !behindDenial(says, i) && !holdsWord(e.remedy, t.lower) {
			return fmt.Sprintf("%q says that something is well, which no report of what is wrong does", t.text)
		}
		if !content(t.lower) && !claim(t.lower, "well") || t.name || len(t.lower) < 4 {
			continue
		}
		asserted, turned := false, false
		for k, w := range e.words {
			if !w.name && alike(w.lower, t.lower) {
				if behindDenial(e.words, k) == behindDenial(says, i) {
					asserted = true
				} else {
					turned = true
				}
			}
		}
		if turned && !asserted {
			return fmt.Sprintf("about %q it says the opposite of what it cites", t.text)
		}
	}
	return ""
}

// behindDenial reports whether the word at i is denied: by one of the three words
// before it; or, where it says how something is, by a nought or a no before it,
// which reach as far as their clause: "0 of 1 wanted pods are ready".
func behindDenial(words []token, i int) bool {
	state := i > 0 && claim(words[i-1].lower, "is") || i > 1 && claim(words[i-2].lower, "is")
	for k := i - 1; k >= 0 && !words[k].ends && !words[k].pause; k-- {
		if i-k <= 3 && claim(words[k].lower, "denies") || state && none(words, k) {
			return true
		}
	}
	return false
}

// none reports whether the word at k says that there are none: GPU 0 does not.
func none(words []token, k int) bool {
	nought := words[k].lower == "0" && (k == 0 || !claim(words[k-1].lower, "numbered"))
	return nought || claim(words[k].lower, "denies all")
}

// overlapping wants more than two thirds of the words that say something to be
// words of e. At half, a sentence may say of a probe that it timed out which failed
// otherwise; at three quarters, too much that is true is dropped: TestStories says.
func overlapping(e *exhibit, says []token) string {
	if found, all := overlap(e.text, append(tokens(e.plain), e.words...), says); (all-found)*3 >= all || found == 0 {
		return fmt.Sprintf("only %d of its %d words are those of what it cites", found, all)
	}
	return ""
}

// overlap counts the words of says that say something, and those of them that a
// text has.
func overlap(text string, words, says []token) (found, all int) {
	for _, t := range says {
		if t.number || !content(t.lower) || claim(strings.TrimSuffix(t.lower, "s"), "numbered") || len(t.lower) < 3 {
			continue
		}
		all++
		if holdsWord(text, t.lower) || slices.ContainsFunc(words, func(w token) bool { return alike(w.lower, t.lower) }) {
			found++
		}
	}
	return found, all
}
