// Package snapshot is what a cluster looked like: objects, what became of
// them, events, logs, kernel lines and metrics of one window of time, each
// with the source that a diagnosis cites. It reads and writes the format of
// snapshots and knows nothing of what went wrong in one.
//
// What a reader would get wrong: a missing fact is not an empty one. A
// resource that was not captured has no key in Objects; one that was captured
// and has no object has an empty list.
package snapshot

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"

	"vedette.dev/analyzer"
)

// A Snapshot is a cluster as it was captured. A live system fills it from its
// own history, with sources such as "history#123".
//
// The typed accessors ([Snapshot.Pods] and the like) decode a resource when it
// is first asked for and remember it, and so does [Snapshot.Series]: change
// Objects and Metrics before, not after.
type Snapshot struct {
	CapturedAt time.Time // the clock of every conclusion from this snapshot
	Window     Window
	Cluster    Cluster
	Origin     string // who captured it: vedette, opsbench …
	Redacted   bool

	Objects map[string][]Object // by resource: "pods", "deployments.apps"
	History []Revision          // in time order
	Events  []Event             // in time order
	Logs    []Log
	Kernel  map[string][]Line // by node
	Units   []UnitLog
	Metrics []Series
	Edges   []Edge
	Alerts  []json.RawMessage // as Alertmanager's API v2 prints them
	Unseen  []string          // what could not be captured or read, in words

	mu      sync.Mutex
	decoded map[string]any // typed lists by resource
	broken  []string       // objects that did not decode
	series  map[string][]Series
	press   press
}

// A Window is the stretch of time that a snapshot tells of.
type Window struct {
	From time.Time `json:"from,omitzero"`
	To   time.Time `json:"to,omitzero"`
}

// A Cluster says which cluster it was.
type Cluster struct {
	Name     string `json:"name"`
	Provider string `json:"provider,omitempty"`
	Version  string `json:"version,omitempty"`
}

// An Object is one API object as JSON.
type Object struct {
	Raw    json.RawMessage
	Source string // objects/pods.json#ns/name
}

// A Revision is an object as it was at some time, or as it was when it went.
type Revision struct {
	At     time.Time
	Type   string // ADDED, MODIFIED or DELETED
	Raw    json.RawMessage
	Source string // history.jsonl:17
}

// An Event is one Event of the API server.
type Event struct {
	corev1.Event
	Source string // events.jsonl:17
}

// Onset returns when what the event tells of first happened.
func (e Event) Onset() time.Time {
	for _, t := range []time.Time{e.FirstTimestamp.Time, e.EventTime.Time, e.LastTimestamp.Time, e.CreationTimestamp.Time} {
		if !t.IsZero() {
			return t.UTC()
		}
	}
	return time.Time{}
}

// Latest returns when it was last seen to happen.
func (e Event) Latest() time.Time {
	if e.Series != nil && !e.Series.LastObservedTime.IsZero() {
		return e.Series.LastObservedTime.UTC()
	}
	if !e.LastTimestamp.IsZero() {
		return e.LastTimestamp.UTC()
	}
	return e.Onset()
}

// Times returns how often it happened.
func (e Event) Times() int {
	if e.Series != nil {
		return int(max(e.Series.Count, 1))
	}
	return int(max(e.Count, 1))
}

// About returns what the event is about.
func (e Event) About() analyzer.Subject {
	o := e.InvolvedObject
	return subjectOf(o.Kind, o.Namespace, o.Name)
}

// A Line is one line of a log. At is zero where the log did not say.
type Line struct {
	At     time.Time
	Text   string
	Source string // logs/ns/pod/container.log:12, nodes/<node>/kmsg.log:5
}

// A Log is what one container wrote.
type Log struct {
	Namespace, Pod, Container string
	Previous                  bool // of the instance before this one
	Lines                     []Line
}

// A UnitLog is the journal of one unit of a node.
type UnitLog struct {
	Node, Unit string
	Lines      []Line
}

// A Series is one time series.
type Series struct {
	Labels  map[string]string // with __name__
	Samples []Sample          // in time order; never empty
	Source  string            // metrics.om#selector
}

// A Sample is one value of a series. At is zero where the file gave no time.
type Sample struct {
	At    time.Time
	Value float64
}

// Name returns the metric's name.
func (s Series) Name() string { return s.Labels["__name__"] }

// Last returns the newest sample.
func (s Series) Last() Sample { return s.Samples[len(s.Samples)-1] }

// Before returns the newest sample at or before t, and whether there is one.
func (s Series) Before(t time.Time) (Sample, bool) {
	for _, p := range slices.Backward(s.Samples) {
		if !p.At.After(t) {
			return p, true
		}
	}
	return Sample{}, false
}

// An Edge says how two subjects hang together.
type Edge struct {
	From analyzer.Subject `json:"from"`
	To   analyzer.Subject `json:"to"`
	Kind EdgeKind         `json:"kind"`
}

// An EdgeKind says what an edge means, read from its From to its To.
type EdgeKind string

// The kinds of edges.
const (
	Calls   EdgeKind = "calls"
	RunsOn  EdgeKind = "runsOn"
	Holds   EdgeKind = "holds"
	Mounts  EdgeKind = "mounts"
	PartOf  EdgeKind = "partOf"
	OwnedBy EdgeKind = "ownedBy"
)

// Captured reports whether resource was captured, were it only as empty.
func (s *Snapshot) Captured(resource string) bool {
	_, ok := s.Objects[resource]
	return ok
}

// Series returns the series of the metric called name, in the order of s. The
// caller must not change them.
func (s *Snapshot) Series(name string) []Series {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.series == nil {
		s.series = map[string][]Series{}
		for _, m := range s.Metrics {
			s.series[m.Name()] = append(s.series[m.Name()], m)
		}
	}
	return s.series[name]
}

// SourceOf returns the source of the object called namespace/name in a
// snapshot's files; namespace is "" where the kind has none.
func SourceOf(resource, namespace, name string) string {
	if namespace != "" {
		name = namespace + "/" + name
	}
	return "objects/" + resource + ".json#" + name
}

// Selector writes labels as a selector: name{a="b",c="d"}, in label order.
func Selector(labels map[string]string) string {
	keys := make([]string, 0, len(labels))
	for k := range labels {
		if k != "__name__" {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	var b strings.Builder
	b.WriteString(labels["__name__"])
	for i, k := range keys {
		sep := ","
		if i == 0 {
			sep = "{"
		}
		fmt.Fprintf(&b, `%s%s="%s"`, sep, k, labelEscaper.Replace(labels[k]))
	}
	if len(keys) > 0 {
		b.WriteByte('}')
	}
	return b.String()
}

// labelEscaper writes a label's value as the exposition formats do.
var labelEscaper = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)
