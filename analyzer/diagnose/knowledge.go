package diagnose

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"time"

	"go.yaml.in/yaml/v3"

	"vedette.dev/rules/fault"
)

// A book is what knowledge.yaml says.
type book struct {
	Texts  []text      `yaml:"texts"`
	Links  []link      `yaml:"links"`
	Causes []signature `yaml:"causes"`
}

// A text is a pattern whose match is a fact. Named groups become details of
// the fact; the group ms says how many milliseconds before its own time it began.
type text struct {
	Fact    string  `yaml:"fact"`
	In      string  `yaml:"in"`      // log, kernel, event or status
	Also    string  `yaml:"also"`    // a second such place
	Holds   string  `yaml:"holds"`   // a string that every match holds, cheaper to look for; "" where there is none
	Pattern string  `yaml:"pattern"` // RE2
	On      string  `yaml:"on"`      // whom the fact is about: "" is where it was seen; node, workload, namespace or cluster
	Weight  float64 `yaml:"weight"`
	Example string  `yaml:"example"` // a text that matches
	Near    string  `yaml:"near"`    // one that almost does
	Source  string  `yaml:"source"`

	pattern *regexp.Regexp
}

// A link says that one fact brings about another.
type link struct {
	From   []string      `yaml:"from"`
	To     []string      `yaml:"to"`
	Where  string        `yaml:"where"`  // how their subjects must hang together: a relation
	Within time.Duration `yaml:"within"` // how long after From the effect may begin; 0 is any time
	Before time.Duration `yaml:"before"` // how long before From it may have been noticed already
}

// A signature says which facts point to a cause.
type signature struct {
	ID      fault.CauseID `yaml:"id"`
	Roots   []string      `yaml:"roots"` // any of these facts; "xid" stands for the Xids whose row of xids.csv names the cause
	On      string        `yaml:"on"`    // whom it blames: "" is the root's subject; workload, holder, node, gpu, namespace or cluster
	Base    float64       `yaml:"base"`  // the confidence from one kind of evidence
	Against []string      `yaml:"against"`
	When    string        `yaml:"when"` // a predicate that must hold besides
	Say     string        `yaml:"say"`  // what is so, with {subject} and details of the root in braces
	Caveat  string        `yaml:"caveat"`
	Why     string        `yaml:"why"` // the reason for the base and the predicate
}

//go:embed knowledge.yaml
var knowledgeFile []byte

var knowledge = sync.OnceValue(func() *book {
	b, err := parseBook("knowledge.yaml", bytes.NewReader(knowledgeFile))
	if err != nil {
		panic(err) // embedded data: a test reads it too
	}
	return b
})

// parseBook reads a file in the form of knowledge.yaml. An error names the
// file and, where YAML itself is at fault, the line.
func parseBook(file string, r io.Reader) (*book, error) {
	dec := yaml.NewDecoder(r)
	dec.KnownFields(true)
	var b book
	if err := dec.Decode(&b); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	for i := range b.Texts {
		if err := b.Texts[i].check(); err != nil {
			return nil, fmt.Errorf("%s: text %s: %w", file, b.Texts[i].Fact, err)
		}
	}
	for i := range b.Causes {
		c := &b.Causes[i]
		c.Roots = withXids(c.Roots, c.ID)
		if err := c.check(); err != nil {
			return nil, fmt.Errorf("%s: cause %s: %w", file, c.ID, err)
		}
	}
	for i, l := range b.Links {
		if relations[l.Where] == nil {
			return nil, fmt.Errorf("%s: link %d from %v: there is no relation %q", file, i+1, l.From, l.Where)
		}
	}
	return &b, nil
}

func (t *text) check() (err error) {
	places := []string{inLog, inKernel, inEvent, inStatus}
	if !slices.Contains(places, t.In) || t.Also != "" && !slices.Contains(places, t.Also) {
		return fmt.Errorf("in is %q and also %q, want one of %v", t.In, t.Also, places)
	}
	if t.Example == "" || t.Near == "" || t.Source == "" {
		return errors.New("example, near and source are required")
	}
	t.pattern, err = regexp.Compile(t.Pattern)
	return err
}

func (c *signature) check() error {
	if _, ok := fault.Causes()[c.ID]; !ok {
		return errors.New("causes.csv does not have it")
	}
	if c.Base <= 0 || c.Base >= 1 || len(c.Roots) == 0 || c.Say == "" {
		return errors.New("roots, say and a base between 0 and 1 are required")
	}
	if c.When != "" && predicates[c.When] == nil {
		return fmt.Errorf("there is no predicate %q", c.When)
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
