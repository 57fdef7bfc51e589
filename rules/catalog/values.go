package catalog

import (
	"bytes"
	_ "embed"
	"slices"
	"strings"
	"sync"

	"vedette.dev/rules/strictcsv"
)

// A LabelValue is a value of a label with the words that people say for it: what
// series of one metric are told apart by, such as the reason a container waits.
type LabelValue struct {
	Metrics []string // beginnings of the names of those whose label it is; none: any
	Labels  []string // the names that the label goes by
	Op      string   // of a matcher
	Value   string
	Words   []string
	Negated string // what "not" makes of it: zero, false, or nothing of its own
}

// Of reports whether v is a value of a label of id.
func (v LabelValue) Of(id ID) bool {
	return len(v.Metrics) == 0 || slices.ContainsFunc(v.Metrics, func(begin string) bool { return strings.HasPrefix(string(id), begin) })
}

//go:embed values.csv
var builtinValues []byte

// LabelValues returns the values of labels that have words of their own. The caller
// must not change them.
var LabelValues = sync.OnceValue(func() (vs []LabelValue) {
	err := strictcsv.Each("values.csv", bytes.NewReader(builtinValues), "metrics,labels,op,value,words,negated,source", func(f []string) error {
		vs = append(vs, LabelValue{strictcsv.List(f[0]), strictcsv.List(f[1]), f[2], f[3], strictcsv.List(f[4]), f[5]})
		return nil
	})
	if err != nil {
		panic(err) // embedded data: a test reads it too
	}
	return vs
})
