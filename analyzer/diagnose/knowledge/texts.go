package knowledge

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"vedette.dev/analyzer/diagnose/patterns"
)

// A Place is where a pattern is looked for.
type Place string

// The places.
const (
	Log     Place = "log"     // lines of containers
	Kernel  Place = "kernel"  // lines of nodes' kernels
	Event   Place = "event"   // "Reason: message" of Events
	Status  Place = "status"  // "Reason: message" of pods and their containers
	Journal Place = "journal" // lines of the journals of nodes' units
)

var places = []Place{Log, Kernel, Event, Status, Journal}

// Places are written as one or as a list.
type Places []Place

// UnmarshalYAML reads a place or a list of them.
func (ps *Places) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		*ps = Places{Place(n.Value)}
		return nil
	}
	return n.Decode((*[]Place)(ps))
}

// A Text is a pattern whose match is a fact. Named groups become details of
// the fact; the group ms says how many milliseconds before its own time it began.
type Text struct {
	Fact    string  `yaml:"fact"`
	In      Place   `yaml:"in"`
	Also    Places  `yaml:"also"`    // further places
	Pattern string  `yaml:"pattern"` // RE2; what has no word to look for costs every line
	On      string  `yaml:"on"`      // whom the fact is about: "" is where it was seen; node, workload, namespace or cluster
	Weight  float64 `yaml:"weight"`
	Lasting bool    `yaml:"lasting"` // of a node: it is so until the next boot, or until the unit says other things
	Example string  `yaml:"example"` // a text that matches
	Near    string  `yaml:"near"`    // one that almost does
	Source  string  `yaml:"source"`

	Likewise []string `yaml:"likewise"` // further texts that match: in the words of other programs and versions
}

// A Shelf is the texts of one place.
type Shelf struct {
	texts []*Text
	set   *patterns.Set
}

// A Found is a text that a line matches.
type Found struct {
	*Text
	Details map[string]string // what its named groups hold; never nil
}

func (b *Book) shelve() error {
	b.shelves = map[Place]*Shelf{}
	for i := range b.Texts {
		t := &b.Texts[i]
		if strange := func(p Place) bool { return !slices.Contains(places, p) }; strange(t.In) || slices.ContainsFunc(t.Also, strange) {
			return fmt.Errorf("text %s: in is %q and also %v, want one of %v", t.Fact, t.In, t.Also, places)
		}
		if t.Example == "" || t.Near == "" || t.Source == "" {
			return fmt.Errorf("text %s: %w", t.Fact, errors.New("example, near and source are required"))
		}
	}
	for _, p := range places {
		s := &Shelf{}
		var exprs []string
		for i := range b.Texts {
			if t := &b.Texts[i]; t.In == p || slices.Contains(t.Also, p) {
				s.texts = append(s.texts, t)
				exprs = append(exprs, t.Pattern)
			}
		}
		var err error
		if s.set, err = patterns.Compile(exprs); err != nil {
			return fmt.Errorf("texts in %s: %w", p, err)
		}
		b.shelves[p] = s
	}
	return nil
}

// In returns the texts of a place.
func (b *Book) In(p Place) *Shelf { return b.shelves[p] }

// Match returns the texts whose patterns match line, in the order of the file;
// for most lines nil.
func (s *Shelf) Match(line string) []Found {
	var all []Found
	for _, m := range s.set.Match(line) {
		details := map[string]string{}
		for g, name := range s.set.Expr(m.Expr).SubexpNames() {
			name = strings.TrimRight(name, "0123456789") // host2 is another place of the pattern for host
			if from, to := m.Groups[2*g], m.Groups[2*g+1]; name != "" && to > from {
				details[name] = line[from:to]
			}
		}
		all = append(all, Found{s.texts[m.Expr], details})
	}
	return all
}
