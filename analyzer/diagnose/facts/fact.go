package facts

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"vedette.dev/analyzer"
	"vedette.dev/analyzer/topology"
)

// A Kind of evidence is one way of knowing. Two facts of one kind may share a
// mistake, so only facts of different kinds confirm each other. Each metric is
// a kind of its own: "metric DCGM_FI_DEV_GPU_TEMP".
type Kind string

// The kinds of evidence that are no metrics.
const (
	KernelKind  Kind = "kernel log"
	JournalKind Kind = "journal"
	EventKind   Kind = "event"
	ObjectKind  Kind = "object"
	LogKind     Kind = "container log"
	AlertKind   Kind = "alert"
	nodesKind   Kind = "arithmetic over nodes"
)

func metricKind(name string) Kind { return Kind("metric " + name) }

// Sampled reports whether it notices only when it is looked at.
func (k Kind) Sampled() bool { return strings.HasPrefix(string(k), "metric ") }

// A Fact is an [analyzer.Fact] with what the reasoning needs besides.
type Fact struct {
	analyzer.Fact
	Kind   Kind
	Lag    time.Duration     // of what is sampled: how long before At it may have begun unseen
	Until  time.Time         // when it was last seen, where it was seen more than once
	Weight float64           // how much it hurts; 0 is a fact that nobody complains of
	Detail map[string]string // values that later steps and texts use
	Also   []analyzer.Evidence
	Seen   []analyzer.Subject // where it showed, where that is not its subject
	Lasts  bool               // nothing that was seen since can have ended it
}

// inOrder is the order of facts: of their onset first.
func inOrder(a, b *Fact) int {
	return cmp.Or(a.At.Compare(b.At), topology.Compare(a.Subject, b.Subject), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Source, b.Source), cmp.Compare(a.Text, b.Text))
}

// add records a fact and returns it.
func (w *World) add(f Fact) *Fact {
	if f.Detail == nil {
		f.Detail = map[string]string{}
	}
	f.At = f.At.UTC()
	w.Facts = append(w.Facts, &f)
	w.named[f.Name] = append(w.named[f.Name], &f)
	return &f
}

// Called returns the facts with one of the names, in the order of facts.
func (w *World) Called(names ...string) []*Fact {
	if len(names) == 1 {
		return w.named[names[0]]
	}

	var all []*Fact
	for _, n := range names {
		all = append(all, w.named[n]...)
	}
	slices.SortStableFunc(all, inOrder)
	return all
}
