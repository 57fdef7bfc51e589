// Package collector is the house of what Vedette sees. It defines the words
// for it ([Point], [Event], [Batch]), a [Source] of readings, a [Sink] for
// them, and the [Agent] that carries one to the other; its subpackages are the
// sources and the sinks, and cluster, which watches rather than looks.
//
// What a reader would get wrong: a point's name and attributes are final here.
// They are the ecosystem's metric and label names (dcgm-exporter's,
// node_exporter's, kube-state-metrics'), and nothing downstream renames them.
package collector

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"vedette.dev/rules/catalog"
)

// An Attr is one key and value naming what a reading is about.
type Attr struct{ Key, Value string }

// A Point is one reading of one metric, in the metric's own unit.
type Point struct {
	Metric  catalog.ID
	Counter bool // a count since some start that only grows; otherwise a gauge
	Value   float64
	At      time.Time
	Attrs   []Attr // the labels, without __name__; keys are unique; may be shared, so never written to
}

// An EventKind says what the text of an [Event] is.
type EventKind string

// The kinds of events.
const (
	KernelLine EventKind = "kernel"     // a line of the kernel log, without its time
	KubeEvent  EventKind = "k8s.event"  // a core/v1 Event as JSON
	KubeObject EventKind = "k8s.object" // a whole API object as JSON, whenever it changed
	LogLine    EventKind = "log"        // a line that a container wrote
)

// Keys of event attributes: OpenTelemetry's where it has one, ours otherwise.
const (
	AttrNode      = "k8s.node.name"
	AttrNamespace = "k8s.namespace.name"
	AttrPod       = "k8s.pod.name"
	AttrContainer = "k8s.container.name"
	AttrResource  = "k8s.resource.name" // of a KubeObject: "pods", "deployments.apps": its file in a snapshot
	AttrObject    = "k8s.object.name"   // of a KubeObject
	AttrVerb      = "k8s.watch.type"    // of a KubeObject: ADDED, MODIFIED or DELETED
	AttrXid       = "nvidia.xid"        // of a KernelLine that reports an Xid
	AttrPCI       = "nvidia.pci.bus_id" // of a KernelLine about a GPU: 00000000:4E:00.0
	AttrSXid      = "nvidia.sxid"       // of a KernelLine that reports an SXid, of an NVSwitch
	AttrInstance  = "nvidia.gpu_i.id"   // of an Xid of a MIG instance: the driver's number of it, GPU_I_ID
)

// An Event is one thing that happened.
type Event struct {
	Kind  EventKind
	At    time.Time
	Text  string
	Attrs []Attr
}

// Attr returns the value of the attribute named key, or "".
func (e Event) Attr(key string) string { return valueOf(e.Attrs, key) }

// Attr returns the value of the label named key, or "".
func (p Point) Attr(key string) string { return valueOf(p.Attrs, key) }

func valueOf(attrs []Attr, key string) string {
	for _, a := range attrs {
		if a.Key == key {
			return a.Value
		}
	}
	return ""
}

// A Batch is what one look at some sources saw.
type Batch struct {
	Points []Point
	Events []Event
}

// A Source is looked at once in every period.
//
// Collect may return readings together with an error, where some were to be
// had and some were not; the readings are good.
type Source interface {
	Collect(ctx context.Context) (Batch, error)
}

// ErrRefused says that a sink's far end has refused a batch, or part of it, for
// good: pushing it again would change nothing.
var ErrRefused = errors.New("refused for good")

// SourceFunc makes a function a [Source].
type SourceFunc func(ctx context.Context) (Batch, error)

// Collect calls f.
func (f SourceFunc) Collect(ctx context.Context) (Batch, error) { return f(ctx) }

// A Sink takes batches away. Push returns nil only when the batch is safe.
type Sink interface {
	Push(ctx context.Context, b Batch) error
}

// Up says whether a source could be read: 1 or 0, with labels instance and source.
const Up catalog.ID = "vedette_source_up"

// Took is how many seconds a source took to be read, with labels instance and source.
const Took catalog.ID = "vedette_source_seconds"

// Instance says which part of a GPU a MIG device is: 1, with the labels
// Hostname, gpu and UUID of the GPU, GPU_I_ID and GPU_I_PROFILE of the GPU
// instance, and GPU_CI_ID and MIG_UUID of the compute instance, which together
// with the former is the device.
const Instance catalog.ID = "vedette_gpu_instance"

// Dropped counts events that were given up because the sink was away too long.
const Dropped catalog.ID = "vedette_agent_events_dropped_total"

// maxHeldEvents bounds the events that wait for a sink that is away: about an
// hour of a node whose kernel writes one line a second, in under 2 MiB.
const maxHeldEvents = 4096

// An Agent carries readings from its sources to its sink until its context
// ends. A source or a sink that fails is tried again in the next period, and
// its failure is itself a reading. Events that could not be pushed are held
// and pushed again, the oldest given up first; points are not, since the next
// look gives newer ones.
type Agent struct {
	Node     string            // the value of the label instance on the agent's own readings
	Cluster  string            // added to every point as the label cluster, unless empty
	Sources  map[string]Source // by name
	Sink     Sink
	Period   time.Duration
	Troubles *Troubles // follows what fails: "source dcgm", "sink"; may be nil

	held    []Event
	dropped float64
}

// Run looks at every source at once, and then again in each period. It returns when ctx ends.
func (a *Agent) Run(ctx context.Context) {
	tick := time.NewTicker(a.Period)
	defer tick.Stop()
	for now := time.Now(); ; {
		a.Look(ctx, now)
		select {
		case <-ctx.Done():
			return
		case now = <-tick.C:
		}
	}
}

// Look collects from every source once and pushes what was read.
func (a *Agent) Look(ctx context.Context, now time.Time) {
	ctx, cancel := context.WithTimeout(ctx, max(a.Period, time.Second))
	defer cancel()

	var all Batch
	for _, name := range sortedKeys(a.Sources) {
		began := time.Now() // of the monotonic clock; now may be another's
		b, err := a.Sources[name].Collect(ctx)
		took := time.Since(began).Seconds()
		up := 1.0
		if err != nil {
			up = 0
		}
		a.note(ctx, "source "+name, err)
		all.Events = append(all.Events, b.Events...)
		all.Points = append(all.Points, b.Points...)
		about := []Attr{{"instance", a.Node}, {"source", name}}
		all.Points = append(all.Points, Point{Metric: Up, Value: up, At: now, Attrs: about}, Point{Metric: Took, Value: took, At: now, Attrs: about})
	}
	all.Points = append(all.Points, Point{Metric: Dropped, Counter: true, Value: a.dropped, At: now,
		Attrs: []Attr{{"instance", a.Node}}})
	if a.Cluster != "" {
		addAttr(all.Points, Attr{"cluster", a.Cluster})
	}

	all.Events = append(a.held, all.Events...)
	a.held = nil
	err := a.Sink.Push(ctx, all)
	if err != nil {
		err = errors.Join(err, a.hold(all.Events))
	}
	a.note(ctx, "sink", err)
}

// addAttr gives every point one more attribute. Points in a row that share
// their attributes, as those of a GPU do, go on sharing them.
func addAttr(points []Point, more Attr) {
	var was, is []Attr
	for i := range points {
		p := &points[i]
		if !SameAttrs(p.Attrs, was) {
			was, is = p.Attrs, append(slices.Clip(p.Attrs), more)
		}
		p.Attrs = is
	}
}

// SameAttrs reports whether a and b are one slice, and not merely equal.
func SameAttrs(a, b []Attr) bool {
	return len(a) == len(b) && len(a) > 0 && &a[0] == &b[0]
}

// hold keeps the newest of es for the next push, and says what it gave up.
func (a *Agent) hold(es []Event) (err error) {
	if over := len(es) - maxHeldEvents; over > 0 {
		a.dropped += float64(over)
		err = fmt.Errorf("gave up %d events: %w", over, errHeldTooMany)
		es = es[over:]
	}
	a.held = slices.Clone(es)
	return err
}

var errHeldTooMany = errors.New("the sink was away too long")

func (a *Agent) note(ctx context.Context, what string, err error) {
	if a.Troubles != nil {
		a.Troubles.Note(ctx, what, err)
	}
}

func sortedKeys(m map[string]Source) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
