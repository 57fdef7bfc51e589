package nlq

import (
	"bytes"
	_ "embed"
	"io"
	"regexp"
	"slices"
	"sync"

	"vedette.dev/rules/catalog"
	"vedette.dev/rules/strictcsv"
)

// A Place is a kind of thing that series are about and can be narrowed to:
// node, namespace, pod. One place goes by different labels on different metrics.
type Place struct {
	Name   string
	Words  []string       // what people call it
	Labels []string       // the labels that say it, the first that a metric carries is used
	Shape  *regexp.Regexp // names of it are known by this alone; nil: they are not
	Within string         // the preposition before it: "on" a node
}

// Label returns the label by which series of the measure id say p. It reports
// false where they do not.
func (p Place) Label(id catalog.ID, c *catalog.Catalog) (string, bool) {
	i := slices.IndexFunc(p.Labels, func(l string) bool { return c.Takes(id, l) })
	if i < 0 {
		return "", false
	}
	return p.Labels[i], true
}

//go:embed places.csv
var places []byte

// Places returns the places that come with the program.
var Places = sync.OnceValue(func() []Place {
	ps, err := parsePlaces("places.csv", bytes.NewReader(places))
	if err != nil {
		panic(err) // embedded data: a test reads it too
	}
	return ps
})

func parsePlaces(file string, r io.Reader) ([]Place, error) {
	var ps []Place
	err := strictcsv.Each(file, r, "place,words,labels,shape,within", func(f []string) (err error) {
		p := Place{Name: f[0], Words: strictcsv.List(f[1]), Labels: strictcsv.List(f[2]), Within: f[4]}
		if f[3] != "" {
			p.Shape, err = regexp.Compile(f[3])
		}
		ps = append(ps, p)
		return err
	})
	return ps, err
}

// placeOf returns the place that label says for the measure id.
func placeOf(label string, id catalog.ID, c *catalog.Catalog) (Place, bool) {
	for _, p := range Places() {
		if l, ok := p.Label(id, c); ok && l == label {
			return p, true
		}
	}
	return Place{}, false
}
