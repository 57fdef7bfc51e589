package investigate

import (
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A token is a word of a sentence.
type token struct {
	text, lower string
	name        bool // by its looks: a digit among letters, a capital or a sign within
	capital     bool // begins with one
	number      bool
	value       float64
	ends        bool // a sentence ends after it
	pause       bool // a comma is after it
}

// amount is a number and its unit, where that is written at it.
var amount = regexp.MustCompile(`^([+-]?\d[\d,]*(?:\.\d+)?)(?:[A-Za-z°µ%]{0,7})$`)

// tokens splits s into words.
func tokens(s string) []token {
	var all []token
	for _, w := range strings.Fields(s) {
		trimmed := strings.Trim(w, ".,;:!?()[]{}<>\"'`“”‘’—–*")
		if trimmed == "" {
			if len(all) > 0 && strings.ContainsAny(w, "—–:") {
				all[len(all)-1].ends = true
			}
			continue
		}
		after := w[strings.LastIndex(w, trimmed)+len(trimmed):]
		t := token{text: trimmed, ends: strings.ContainsAny(after, ".!?;:"), pause: strings.Contains(after, ",")}
		for _, own := range []string{"'s", "’s"} {
			trimmed = strings.TrimSuffix(trimmed, own)
		}
		t.lower = strings.ToLower(trimmed)
		if m := amount.FindStringSubmatch(trimmed); m != nil {
			if v, err := strconv.ParseFloat(strings.ReplaceAll(m[1], ",", ""), 64); err == nil {
				t.number, t.value = true, v
			}
		}
		first, size := utf8.DecodeRuneInString(trimmed)
		t.capital = unicode.IsUpper(first)
		t.name = !t.number && strings.ContainsFunc(trimmed[size:], func(r rune) bool {
			return unicode.IsUpper(r) || unicode.IsDigit(r) || strings.ContainsRune("-_/.:=@#{}", r)
		}) || unicode.IsDigit(first) && !t.number
		all = append(all, t)
	}
	return all
}

// numbersIn returns the numbers of a text that are no part of a name.
func numbersIn(text string) []float64 {
	var all []float64
	for _, w := range strings.FieldsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune("()[]{}<>\"'`;/=|", r) }) {
		w = strings.Trim(w, ".,:!?*#~")
		if m := amount.FindStringSubmatch(w); m != nil {
			if v, err := strconv.ParseFloat(strings.ReplaceAll(m[1], ",", ""), 64); err == nil {
				all = append(all, v)
			}
		}
		if v, ok := numberWord(w); ok {
			all = append(all, v)
		}
	}
	return all
}

// numberWord returns the number that a word is.
func numberWord(word string) (float64, bool) {
	for _, c := range claims()[word] {
		if n, ok := strings.CutPrefix(c, "number "); ok {
			v, err := strconv.ParseFloat(n, 64)
			return v, err == nil
		}
	}
	return 0, false
}

// plain is text in lower case, its words with one blank around each.
func plain(text string) string {
	words := strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	return " " + strings.Join(words, " ") + " "
}

// holdsWord reports whether word is in text, and not as a part of a longer one:
// gpu-7 is not in gpu-70, nor in my-gpu-7.
func holdsWord(text, word string) bool {
	within := func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) || r == '-' || r == '_' }
	for from := 0; ; {
		i := strings.Index(text[from:], word)
		if i < 0 || word == "" {
			return false
		}
		i += from
		before, _ := utf8.DecodeLastRuneInString(text[:i])
		after, _ := utf8.DecodeRuneInString(text[i+len(word):])
		if (i == 0 || !within(before)) && (i+len(word) == len(text) || !within(after)) {
			return true
		}
		from = i + 1
	}
}

// alike reports whether two words are forms of one: failed and fails.
func alike(a, b string) bool {
	if a == b {
		return true
	}
	a, b = stem(a), stem(b)
	if len(a) > 5 && len(b) > 5 { // evict and eviction
		return a[:5] == b[:5]
	}
	return a == b
}

func stem(w string) string {
	for _, end := range []string{"ing", "ied", "ies", "ed", "es", "s", "ly"} {
		if s, ok := strings.CutSuffix(w, end); ok && len(s) >= 3 {
			return strings.TrimSuffix(s, "e")
		}
	}
	return strings.TrimSuffix(w, "e")
}
