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

var patterns = sync.OnceValue(func() []*regexp.Regexp {
	var all []*regexp.Regexp
	err := strictcsv.Each("patterns.csv", bytes.NewReader(patternsCSV), "pattern,source", func(f []string) error {
		re, err := regexp.Compile(f[0])
		if err == nil && f[1] == "" {
			err = errors.New("there is no source")
		}
		all = append(all, re)
		return err
	})
	if err != nil {
		panic(err) // embedded data: a test reads it too
	}
	return all
})

// Replace returns text with what put returns for each secret in it.
func Replace(text string, put func(secret string) string) string {
	for _, p := range patterns() {
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
		}
	}
	return text
}

// Named reports whether the name of a variable, an option or a key says that
// its value is a secret.
func Named(name string) bool {
	name = strings.ReplaceAll(strings.ToUpper(name), "-", "_")
	return slices.ContainsFunc([]string{"PASSWORD", "PASSWD", "SECRET", "TOKEN", "CREDENTIAL", "API_KEY", "APIKEY", "ACCESS_KEY", "PRIVATE_KEY"},
		func(word string) bool { return strings.Contains(name, word) })
}
