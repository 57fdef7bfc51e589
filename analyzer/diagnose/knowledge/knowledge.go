// Package knowledge is what the diagnosis knows: texts whose match is a fact,
// which facts bring about which, and which point to a cause. It is one file,
// knowledge.yaml, and the matching of its texts.
//
// What a reader would get wrong: it concludes nothing. How two subjects must
// hang together and when a cause may be named are words here, and code of the
// diagnosis.
package knowledge

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"sync"
	"time"

	"go.yaml.in/yaml/v3"

	"vedette.dev/rules/fault"
)

// A Book is what knowledge.yaml says.
type Book struct {
	Texts  []Text   `yaml:"texts"`
	Links  []Link   `yaml:"links"`
	Echoes []string `yaml:"echoes"` // facts that every fault brings about: they tell that there is one, and not which
	Causes []Cause  `yaml:"causes"`

	shelves map[Place]*Shelf
}

// A Link says that one fact brings about another.
type Link struct {
	From   []string      `yaml:"from"`
	To     []string      `yaml:"to"`
	Where  string        `yaml:"where"`  // how their subjects must hang together: a relation
	Within time.Duration `yaml:"within"` // how long after From the effect may begin; 0 is any time
	Before time.Duration `yaml:"before"` // how long before From it may have been noticed already
}

// A Cause says which facts point to a cause.
type Cause struct {
	ID      fault.CauseID `yaml:"id"`
	Roots   []string      `yaml:"roots"` // any of these facts; "xid" stands for the Xids whose row of xids.csv names the cause
	On      string        `yaml:"on"`    // whom it blames: "" is the root's subject; workload, holder, node, gpu, namespace or cluster
	Base    float64       `yaml:"base"`  // the confidence from one kind of evidence
	Against []string      `yaml:"against"`
	Hears   []string      `yaml:"hears"` // echoes that confirm it all the same
	When    string        `yaml:"when"`  // a predicate that must hold besides
	Say     string        `yaml:"say"`   // what is so, with {subject} and details of the root in braces
	Caveat  string        `yaml:"caveat"`
	Why     string        `yaml:"why"` // the reason for the base and the predicate
}

//go:embed knowledge.yaml
var file []byte

// All returns what comes with the program.
var All = sync.OnceValue(func() *Book {
	b, err := read("knowledge.yaml", bytes.NewReader(file))
	if err != nil {
		panic(err) // embedded data: a test reads it too
	}
	return b
})

// read reads a file in the form of knowledge.yaml. An error names the file
// and, where YAML itself is at fault, the line.
func read(file string, r io.Reader) (*Book, error) {
	dec := yaml.NewDecoder(r)
	dec.KnownFields(true)
	var b Book
	if err := dec.Decode(&b); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	for i := range b.Causes {
		c := &b.Causes[i]
		c.Roots = withXids(c.Roots, c.ID)
		if err := c.check(); err != nil {
			return nil, fmt.Errorf("%s: cause %s: %w", file, c.ID, err)
		}
	}
	if err := b.shelve(); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return &b, nil
}

// IsEcho reports whether the fact is one that every fault brings about.
func (b *Book) IsEcho(fact string) bool { return slices.Contains(b.Echoes, fact) }

func (c *Cause) check() error {
	if _, ok := fault.Causes()[c.ID]; !ok {
		return errors.New("causes.csv does not have it")
	}
	if c.Base <= 0 || c.Base >= 1 || len(c.Roots) == 0 || c.Say == "" {
		return errors.New("roots, say and a base between 0 and 1 are required")
	}
	return nil
}

// withXids replaces "xid" by the facts of the Xids that point to the cause.
func withXids(roots []string, id fault.CauseID) []string {
	i := slices.Index(roots, "xid")
	if i < 0 {
		return roots
	}
	var codes []int
	for code, x := range fault.Xids() {
		if x.Cause == id {
			codes = append(codes, int(code))
		}
	}
	slices.Sort(codes)
	all := slices.Delete(slices.Clone(roots), i, i+1)
	for _, c := range codes {
		all = append(all, "xid-"+strconv.Itoa(c))
	}
	return all
}
