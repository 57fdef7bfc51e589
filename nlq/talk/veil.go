package talk

import (
	"bytes"
	_ "embed"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"sync"

	"vedette.dev/rules/secret"
	"vedette.dev/rules/strictcsv"
)

// What can be taken out of a text besides secrets, which always are.
const (
	Mail    = "mail"    // e-mail addresses
	Address = "address" // IP addresses, and names of nodes that are made of one
)

type pattern struct {
	what string
	*regexp.Regexp
}

//go:embed redact.csv
var redactCSV []byte

var patterns = sync.OnceValue(func() []pattern {
	ps, err := readPatterns("redact.csv", bytes.NewReader(redactCSV))
	if err != nil {
		panic(err) // embedded data: a test reads it too
	}
	return ps
})

func readPatterns(file string, r io.Reader) ([]pattern, error) {
	var ps []pattern
	err := strictcsv.Each(file, r, "what,pattern,source", func(f []string) error {
		re, err := regexp.Compile(f[1])
		if err == nil && !slices.Contains([]string{Mail, Address}, f[0]) {
			err = fmt.Errorf("what is %q", f[0])
		}
		ps = append(ps, pattern{f[0], re})
		return err
	})
	return ps, err
}

// A Veil remembers what was taken out of texts, by what stands in its place.
type Veil struct {
	Also   []string // Mail, Address: what is taken out besides secrets
	Forget bool     // secrets do not come back: they are nobody's words to be repeated

	hidden []string
}

// placeholder stands for the n-th thing taken out. It can be a label's value
// and is like no word that people write.
func placeholder(n int) string { return fmt.Sprintf("vdt-hidden-%d-x", n) }

// Veiled reports whether something in s stands for what was taken out.
func Veiled(s string) bool { return placeholders.MatchString(s) }

var placeholders = regexp.MustCompile(`vdt-hidden-(\d+)-x`)

// Hide returns text with what must not leave taken out. The same thing gets
// the same placeholder, in all texts.
func (v *Veil) Hide(text string) string {
	put := v.stand
	if v.Forget {
		put = func(string) string { return secret.Hidden }
	}
	text = secret.Replace(text, put)
	for _, p := range patterns() {
		if slices.Contains(v.Also, p.what) {
			text = p.ReplaceAllStringFunc(text, v.stand)
		}
	}
	return text
}

// stand returns what stands for thing.
func (v *Veil) stand(thing string) string {
	if placeholders.MatchString(thing) {
		return thing
	}
	i := slices.Index(v.hidden, thing)
	if i < 0 {
		i = len(v.hidden)
		v.hidden = append(v.hidden, thing)
	}
	return placeholder(i)
}

// Back puts back what was taken out of s, each through quote where that is not nil.
func (v *Veil) Back(s string, quote func(string) string) string {
	for i, thing := range v.hidden {
		if quote != nil {
			thing = quote(thing)
		}
		s = strings.ReplaceAll(s, placeholder(i), thing)
	}
	return s
}
