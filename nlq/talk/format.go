package talk

import "sync/atomic"

// A format is how a provider is told of the form of a reply, besides in words.
type format int32

// The formats, from the one that leaves least to the model.
const (
	inSchema format = iota // it holds the reply to the schema
	inJSON                 // it holds it to JSON
	inWords                // it does not know of it
)

// Formats are the names of the formats, in their order.
var Formats = []string{"schema", "json", "text"}

// A ladder is the format that a provider takes: where it refuses one, the next.
type ladder struct{ at atomic.Int32 }

func ladderAt(f format) *ladder {
	l := &ladder{}
	l.at.Store(int32(f))
	return l
}

func (l *ladder) now() format { return format(l.at.Load()) }

// down goes one step down from was, and reports whether there is one.
func (l *ladder) down(was format) bool {
	if was >= inWords {
		return false
	}
	l.at.CompareAndSwap(int32(was), int32(was+1)) // or somebody else went before
	return true
}
