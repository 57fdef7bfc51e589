package catalog

import (
	"bytes"
	_ "embed"
	"strconv"
	"sync"

	"vedette.dev/rules/strictcsv"
)

// A State is a number that stands for a state of what a metric is of, with the
// words that people say for it: 4 for an InfiniBand port that is active.
type State struct {
	Metrics []ID
	Op      string // "=", or "!=" for all but one
	Code    float64
	Words   []string
}

//go:embed states.csv
var builtinStates []byte

// States returns the states of metrics that tell them by numbers. The caller must
// not change them.
var States = sync.OnceValue(func() (all []State) {
	err := strictcsv.Each("states.csv", bytes.NewReader(builtinStates), "metrics,op,code,words,source", func(f []string) error {
		code, err := strconv.ParseFloat(f[2], 64)
		if err != nil {
			return err
		}
		s := State{Op: f[1], Code: code, Words: strictcsv.List(f[3])}
		for _, id := range strictcsv.List(f[0]) {
			s.Metrics = append(s.Metrics, ID(id))
		}
		all = append(all, s)
		return nil
	})
	if err != nil {
		panic(err) // embedded data: a test reads it too
	}
	return all
})
