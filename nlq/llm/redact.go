package llm

import (
	"bytes"
	_ "embed"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"sync"

	"vedette.dev/nlq"
	"vedette.dev/rules/secret"
	"vedette.dev/rules/strictcsv"
)

// What can be taken out of a question besides secrets, which always are.
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

// A veil remembers what was taken out of texts, by what stands in its place.
type veil struct {
	also   []string // what is taken out besides secrets
	hidden []string
}

// placeholder stands for the n-th thing taken out. It can be a label's value
// and is like no word that people write.
func placeholder(n int) string { return fmt.Sprintf("vdt-hidden-%d-x", n) }

var placeholders = regexp.MustCompile(`vdt-hidden-(\d+)-x`)

// hide returns text with what must not leave taken out. The same thing gets
// the same placeholder, in all texts.
func (v *veil) hide(text string) string {
	text = secret.Replace(text, v.stand)
	for _, p := range patterns() {
		if slices.Contains(v.also, p.what) {
			text = p.ReplaceAllStringFunc(text, v.stand)
		}
	}
	return text
}

// stand returns what stands for thing.
func (v *veil) stand(thing string) string {
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

// restore puts back what was taken out, where an asker's words can be: in the
// values of labels, and in the name of what is asked about.
func (v *veil) restore(i nlq.Intent) nlq.Intent {
	if len(v.hidden) == 0 {
		return i
	}
	switch i := i.(type) {
	case nlq.Lookup:
		i.Measure = v.measure(i.Measure)
		return i
	case nlq.Alert:
		i.Measure = v.measure(i.Measure)
		return i
	case nlq.When:
		i.Measure = v.measure(i.Measure)
		return i
	case nlq.Why:
		i.Name = v.back(i.Name, nil)
		return i
	case nlq.Formula:
		i.Term = nlq.Map(i.Term, v.measure)
		return i
	}
	return i
}

func (v *veil) measure(m nlq.Measure) nlq.Measure {
	m.Where = slices.Clone(m.Where)
	for i, w := range m.Where {
		quote := regexp.QuoteMeta
		if w.Op == "=" || w.Op == "!=" {
			quote = nil
		}
		m.Where[i].Value = v.back(w.Value, quote)
	}
	return m
}

// back puts back what was taken out of s, each through quote where that is not nil.
func (v *veil) back(s string, quote func(string) string) string {
	for i, thing := range v.hidden {
		if quote != nil {
			thing = quote(thing)
		}
		s = strings.ReplaceAll(s, placeholder(i), thing)
	}
	return s
}
