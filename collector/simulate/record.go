package simulate

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"vedette.dev/collector"
)

// remembered is how long the API server keeps events.
const remembered = time.Hour

// maxRecorded bounds the events that wait for somebody to collect them.
const maxRecorded = 20000

// A record is what the API server would have told a watcher, and the lines
// that containers wrote, until they are collected.
type record struct {
	off         bool // nothing is recorded
	listed      bool // somebody has seen the objects, and hears of changes from now on
	version     int64
	objects     []object // but nodes and pods, in the order they were made
	changed     []object // since the last revision, each once
	waiting     []collector.Event
	occurrences map[string]*occurrence
}

// An object is one object of the API server.
type object interface {
	head() *meta
	resource() string                // its file in a snapshot: pods, deployments.apps
	ref() corev1.ObjectReference     // with apiVersion, kind, namespace and name
	encode(w *World) json.RawMessage // the object as it is now
}

// meta is what objects have in common.
type meta struct {
	uid     string
	created time.Time
	version int64
	shown   bool // an ADDED has been recorded
	dirty   bool
}

func (m *meta) head() *meta { return m }

func (w *World) newMeta(created time.Time, kind string, name ...string) meta {
	w.serial++
	w.record.version++
	return meta{uid: w.uuid(append(name, kind, fmt.Sprint(w.serial))...), created: created, version: 4_100_000 + w.record.version}
}

func (w *World) register(os ...object) { w.record.objects = append(w.record.objects, os...) }

func (w *World) unregister(o object) {
	w.record.objects = slices.DeleteFunc(w.record.objects, func(x object) bool { return x == o })
}

// touch notes that o has changed; its new revision is recorded with the step.
func (w *World) touch(o object) {
	m := o.head()
	w.record.version++
	m.version = 4_100_000 + w.record.version
	if !w.record.listed || m.dirty {
		return
	}
	m.dirty = true
	w.record.changed = append(w.record.changed, o)
}

// delete records that o is gone.
func (w *World) delete(o object) {
	m := o.head()
	m.dirty = false
	w.record.changed = slices.DeleteFunc(w.record.changed, func(x object) bool { return x == o })
	if m.shown {
		w.revision(o, "DELETED")
	}
}

// reviseObjects records the objects that have changed since it last did.
func (w *World) reviseObjects() {
	for _, o := range w.record.changed {
		m := o.head()
		m.dirty = false
		verb := "MODIFIED"
		if !m.shown {
			verb = "ADDED"
		}
		w.revision(o, verb)
	}
	w.record.changed = w.record.changed[:0]
}

// list records every object as ADDED. What happened more than an hour ago, the API server has forgotten.
func (w *World) list() {
	w.record.listed = true
	w.record.waiting = slices.DeleteFunc(w.record.waiting, func(e collector.Event) bool { return w.now.Sub(e.At) > remembered })
	for _, o := range w.all() {
		w.revision(o, "ADDED")
	}
}

// all returns every object.
func (w *World) all() []object {
	var os []object
	for _, name := range w.namespaces() {
		os = append(os, &namespace{meta: meta{uid: w.uuid("namespace", name), created: w.start.Add(-30 * 24 * time.Hour), version: 1000}, name: name})
	}
	for _, n := range w.nodes {
		os = append(os, n)
	}
	os = append(os, w.record.objects...)
	for _, p := range w.pods {
		os = append(os, p)
	}
	return os
}

func (w *World) namespaces() []string {
	var names []string
	for _, wl := range w.workloads {
		names = append(names, wl.spec.Namespace)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func (w *World) revision(o object, verb string) {
	o.head().shown = true
	ref := o.ref()
	e := collector.Event{Kind: collector.KubeObject, At: w.now, Text: string(o.encode(w)), Attrs: []collector.Attr{
		{Key: collector.AttrVerb, Value: verb}, {Key: collector.AttrResource, Value: o.resource()}, {Key: collector.AttrObject, Value: ref.Name}}}
	e.Attrs = append(e.Attrs, where(o, ref)...)
	w.keep(e)
}

// where returns the attributes that say which part of the cluster o is.
func where(o object, ref corev1.ObjectReference) []collector.Attr {
	var attrs []collector.Attr
	if ref.Namespace != "" {
		attrs = append(attrs, collector.Attr{Key: collector.AttrNamespace, Value: ref.Namespace})
	}
	switch o := o.(type) {
	case *pod:
		attrs = append(attrs, collector.Attr{Key: collector.AttrPod, Value: o.name})
		if o.node != nil {
			attrs = append(attrs, collector.Attr{Key: collector.AttrNode, Value: o.node.name})
		}
	case *node:
		attrs = append(attrs, collector.Attr{Key: collector.AttrNode, Value: o.name})
	}
	return attrs
}

func (w *World) keep(e collector.Event) {
	if w.record.off {
		return
	}
	if len(w.record.waiting) == maxRecorded {
		w.record.waiting = slices.Delete(w.record.waiting, 0, maxRecorded/10)
	}
	w.record.waiting = append(w.record.waiting, e)
}

// An occurrence is an event that the API server counts rather than lists again.
type occurrence struct {
	name        string
	first, last time.Time
	count       int32
}

// event records that something happened to about.
func (w *World) event(about object, kind, reason, component, host, message string) {
	if w.record.off {
		return
	}
	ref := about.ref()
	ref.UID = types.UID(about.head().uid)
	key := strings.Join([]string{string(ref.UID), reason, message}, "\x00")
	o := w.record.occurrences[key]
	if o == nil || w.now.Sub(o.last) > remembered {
		w.forget()
		h := w.hash("event", key, fmt.Sprint(w.now.UnixNano()))
		o = &occurrence{name: fmt.Sprintf("%s.%x", ref.Name, h[:8]), first: w.now}
		w.record.occurrences[key] = o
	}
	o.last = w.now
	o.count++
	w.record.version++
	ns := ref.Namespace
	if ns == "" {
		ns = "default"
	}
	ref.ResourceVersion = fmt.Sprint(about.head().version)
	text := marshal(&corev1.Event{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Event"},
		ObjectMeta: metav1.ObjectMeta{Name: o.name, Namespace: ns, UID: types.UID(w.uuid("event", o.name)),
			ResourceVersion: fmt.Sprint(4_100_000 + w.record.version), CreationTimestamp: metav1.NewTime(o.first)},
		InvolvedObject: ref, Reason: reason, Message: message, Type: kind, Count: o.count,
		FirstTimestamp: metav1.NewTime(o.first), LastTimestamp: metav1.NewTime(o.last),
		Source: corev1.EventSource{Component: component, Host: host}, ReportingController: component, ReportingInstance: host,
	})
	attrs := where(about, ref)
	w.keep(collector.Event{Kind: collector.KubeEvent, At: w.now, Text: string(text), Attrs: append(attrs, collector.Attr{Key: collector.AttrObject, Value: ref.Name})})
}

// forget drops the counts of what the API server has forgotten, now and then.
func (w *World) forget() {
	if len(w.record.occurrences)%1024 == 1023 {
		maps.DeleteFunc(w.record.occurrences, func(_ string, o *occurrence) bool { return w.now.Sub(o.last) > remembered })
	}
}

// log records a line that p's container wrote.
func (p *pod) log(w *World, line string) {
	w.keep(collector.Event{Kind: collector.LogLine, At: w.now, Text: line, Attrs: append(where(p, p.ref()),
		collector.Attr{Key: collector.AttrContainer, Value: p.workload.container()})})
}

// marshal encodes a Kubernetes object, which cannot fail.
func marshal(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // the types of k8s.io/api encode
	}
	return b
}
