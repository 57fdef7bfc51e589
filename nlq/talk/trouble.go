package talk

import (
	"bytes"
	_ "embed"
	"fmt"
	"io"
	"regexp"
	"sync"

	"vedette.dev/rules/strictcsv"
)

// What providers refuse that can be asked for otherwise.
const (
	tooLong  = "long"   // the talk: a shorter one may do
	noFormat = "format" // the way in which the form is told of: a plainer one may do
)

//go:embed trouble.csv
var troubleCSV []byte

// troubles are the words in which they refuse it, by what it is: the protocols
// have no code for either that all of them use.
var troubles = sync.OnceValue(func() map[string][]*regexp.Regexp {
	ts, err := readTroubles("trouble.csv", bytes.NewReader(troubleCSV))
	if err != nil {
		panic(err) // embedded data: a test reads it too
	}
	return ts
})

func readTroubles(file string, r io.Reader) (map[string][]*regexp.Regexp, error) {
	ts := map[string][]*regexp.Regexp{}
	err := strictcsv.Each(file, r, "what,pattern,example,source", func(f []string) error {
		re, err := regexp.Compile("(?i)" + f[1])
		switch {
		case err != nil:
			return err
		case f[0] != tooLong && f[0] != noFormat:
			return fmt.Errorf("what is %q", f[0])
		case !re.MatchString(f[2]):
			return fmt.Errorf("%s does not match its example", f[1])
		}
		ts[f[0]] = append(ts[f[0]], re)
		return nil
	})
	return ts, err
}

// isTrouble reports whether a provider's words say that.
func isTrouble(what, said string) bool {
	for _, re := range troubles()[what] {
		if re.MatchString(said) {
			return true
		}
	}
	return false
}
