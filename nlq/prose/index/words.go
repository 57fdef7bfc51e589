package index

import (
	"strings"
	"unicode"
)

// Words say how words are compared when metrics are looked for.
type Words struct {
	Same map[string]string // stem of a word to the stem that stands for all that mean the same
	Stop map[string]bool   // words that name no measure
}

// Key returns what word counts as.
func (w *Words) Key(word string) string {
	s := Stem(word)
	if same, ok := w.Same[s]; ok {
		return same
	}
	return s
}

func (w *Words) keys(words []string) []string {
	var out []string
	for _, word := range words {
		if !w.Stop[word] {
			out = append(out, w.Key(word))
		}
	}
	return out
}

// Pairs returns the words that follow one another, as one: "queue depth" says
// more than queue and depth.
func (w *Words) Pairs(words []string) []string {
	var out []string
	before := ""
	for _, word := range words {
		if w.Stop[word] {
			continue
		}
		k := w.Key(word)
		if before != "" {
			out = append(out, before+" "+k)
		}
		before = k
	}
	return out
}

// Name splits a metric's name into words: at underscores, colons and capitals.
func Name(id string) []string {
	var out []string
	for _, part := range strings.FieldsFunc(id, func(r rune) bool { return r == '_' || r == ':' || r == '.' }) {
		if part == strings.ToUpper(part) {
			out = append(out, strings.ToLower(part))
			continue
		}
		from := 0
		for i, r := range part {
			if i > 0 && unicode.IsUpper(r) {
				out = append(out, strings.ToLower(part[from:i]))
				from = i
			}
		}
		out = append(out, strings.ToLower(part[from:]))
	}
	return out
}

// Plain splits a text into its words, in lower case.
func Plain(s string) []string {
	return strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}
