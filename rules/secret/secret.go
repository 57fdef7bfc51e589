// Package secret knows what secrets look like: in a text, and by the name of
// what holds them. Who takes them out decides what stands in their place.
//
// What a reader would get wrong: it knows how secrets are usually written, not
// which they are. What is written otherwise stays.
package secret

import (
	"bytes"
	_ "embed"
	"errors"
	"regexp"
	"slices"
	"strings"
	"sync"

	"vedette.dev/rules/strictcsv"
)

// Hidden stands for what may be a secret, where it need not come back.
const Hidden = "[redacted]"

//go:embed patterns.csv
var patternsCSV []byte

// A pattern is a row of patterns.csv.
type pattern struct {
	near [][]string // all of one of them are in a text that matches
	hex  bool       // or a long number is
	*regexp.Regexp
}

var patterns = sync.OnceValue(func() []pattern {
	var all []pattern
	err := strictcsv.Each("patterns.csv", bytes.NewReader(patternsCSV), "near,pattern,source", func(f []string) error {
		p := pattern{hex: f[0] == "hex()"}
		for either := range strings.SplitSeq(f[0], "|") {
			p.near = append(p.near, strings.Split(either, "&"))
		}
		var err error
		p.Regexp, err = regexp.Compile(f[1])
		if err == nil && (f[0] == "" || f[2] == "") {
			err = errors.New("there is nothing near it, or no source")
		}
		all = append(all, p)
		return err
	})
	if err != nil {
		panic(err) // embedded data: a test reads it too
	}
	return all
})

// may reports whether a text can match at all.
func (p pattern) may(lower string) bool {
	if p.hex {
		return longHex(lower)
	}
	return slices.ContainsFunc(p.near, func(all []string) bool {
		return !slices.ContainsFunc(all, func(word string) bool { return !strings.Contains(lower, word) })
	})
}

// longHex reports whether text has a number as long as the shortest digest, SHA-1's.
func longHex(lower string) bool {
	run := 0
	for i := range len(lower) {
		if c := lower[i]; '0' <= c && c <= '9' || 'a' <= c && c <= 'f' {
			if run++; run == 40 {
				return true
			}
			continue
		}
		run = 0
	}
	return false
}

// shortest is how long a text is at least that holds a secret and says so.
const shortest = 8

// Replace returns text with what put returns for each secret in it.
func Replace(text string, put func(secret string) string) string {
	if len(text) < shortest {
		return text
	}
	lower := strings.ToLower(text)
	for _, p := range patterns() {
		if !p.may(lower) {
			continue
		}
		var b strings.Builder
		done := 0
		for _, at := range p.FindAllStringSubmatchIndex(text, -1) {
			from, to := at[0], at[1]
			if len(at) > 2 && at[2] >= 0 {
				from, to = at[2], at[3]
			}
			b.WriteString(text[done:from])
			b.WriteString(put(text[from:to]))
			done = to
		}
		if done > 0 {
			text = b.String() + text[done:]
			lower = strings.ToLower(text)
		}
	}
	return text
}

// Named reports whether the name of a variable, an option or a key says that
// its value is a secret.
func Named(name string) bool {
	name = strings.ReplaceAll(strings.ToUpper(name), "-", "_")
	if strings.HasSuffix(name, "PASS") && !strings.HasSuffix(name, "BYPASS") { // PGPASS, DB_PASS
		return true
	}
	return slices.ContainsFunc([]string{"PASSWORD", "PASSWD", "PASSPHRASE", "SECRET", "TOKEN", "CREDENTIAL", "API_KEY", "APIKEY", "ACCESS_KEY", "PRIVATE_KEY"},
		func(word string) bool { return strings.Contains(name, word) })
}
