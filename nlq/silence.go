package nlq

import (
	"strings"
	"time"

	"vedette.dev/rules/catalog"
)

// A Silence asks that nobody be told of some alerts for a while. Like every
// change it is proposed and never made for the words alone.
type Silence struct {
	Alert string        // its name; "" is any
	At    []Named       // where: all must hold
	For   time.Duration // how long
	Lift  bool          // the asker wants to be told again: a silence of just these ends
}

// A Named is a place by name; one that ends in * begins so.
type Named struct{ Place, Name string }

func (Silence) isIntent()        {}
func (s Silence) String() string { return Read(s, catalog.Builtin()) }

func readSilence(s Silence) string {
	var b strings.Builder
	b.WriteString("silence ")
	if s.Lift {
		b.WriteString("no longer ")
	}
	if b.WriteString("alerts"); s.Alert != "" {
		b.WriteString(" called " + quoted(s.Alert))
	}
	for _, n := range s.At {
		b.WriteString(" " + withinOf(n.Place) + " " + n.Place + " " + quoted(n.Name))
	}
	if !s.Lift {
		b.WriteString(" for " + Period(s.For))
	}
	return b.String()
}

// withinOf returns the preposition before a place of this name.
func withinOf(place string) string {
	for _, p := range Places() {
		if p.Name == place {
			return p.Within
		}
	}
	return "of"
}
