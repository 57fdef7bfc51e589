package cluster

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"

	"vedette.dev/collector"
)

// tombstone is how long the time of a deletion is remembered, so that an
// object made anew under the same name is not told as older: longer than
// clocks of a cluster differ.
const tombstone = 10 * time.Minute

// burials is how many deletions there are between looks for tombstones that
// are no longer needed: a cluster of short jobs deletes thousands an hour.
const burials = 1000

// told is what has been told of one object.
type told struct {
	uid  string
	text [16]byte // digest of the newest text
	at   time.Time
	gone bool
}

// A mirror knows of each object of one kind what was told of it, and tells
// what differs. It is a reflector's store; only the reflector calls it.
type mirror struct {
	kind   kind
	gvk    schema.GroupVersionKind // Kind is learned from the first object where no Go type tells it
	series generator
	desk   *desk
	page   *page
	kin    *kin
	now    func() time.Time
	synced func() // called after each list

	told      map[string]told // by namespace/name
	remembers bool            // what an earlier process told
	listed    bool            // once at least
	deleted   int             // how many were told as gone
}

var _ cache.ReflectorStore = (*mirror)(nil)

// remember takes over what was told by an earlier process.
func (m *mirror) remember(kept []Object) {
	for _, o := range kept {
		var head metav1.PartialObjectMetadata
		if json.Unmarshal([]byte(o.Text), &head) != nil {
			continue // not ours: it is told anew
		}
		m.gvk.Kind = head.Kind
		m.told[o.Namespace+"/"+o.Name] = told{uid: string(head.UID), text: digest(o.Text), at: o.At}
	}
	m.remembers = true
}

// Add implements [cache.ReflectorStore].
func (m *mirror) Add(obj any) error { return m.put(obj) }

// Update implements [cache.ReflectorStore].
func (m *mirror) Update(obj any) error { return m.put(obj) }

// Delete implements [cache.ReflectorStore].
func (m *mirror) Delete(obj any) error {
	if last, ok := obj.(cache.DeletedFinalStateUnknown); ok {
		obj = last.Obj
	}
	o, acc, err := m.open(obj)
	if err != nil {
		return err
	}
	key := keyOf(acc)
	m.page.set(m.path(key), nil)
	m.kin.remove(string(acc.GetUID()))
	if m.kind.resource == events {
		delete(m.told, key) // the API server forgets; the history does not
		return nil
	}
	text, err := m.text(o)
	if err != nil {
		return err
	}
	m.tell(key, "DELETED", m.now(), text, acc)
	if m.deleted++; m.deleted%burials == 0 {
		maps.DeleteFunc(m.told, func(_ string, t told) bool { return m.buried(t) })
	}
	return nil
}

// buried reports whether t is of an object that went so long ago that nothing
// need be known of it.
func (m *mirror) buried(t told) bool { return t.gone && m.now().Sub(t.at) > tombstone }

// Replace implements [cache.ReflectorStore]: list is all there is. What was
// told and is not in it has gone while nobody watched.
func (m *mirror) Replace(list []any, _ string) error {
	here := make(map[string]string, len(list))
	var errs []error
	for _, obj := range list {
		if acc, err := meta.Accessor(obj); err == nil {
			key, uid := keyOf(acc), string(acc.GetUID())
			here[key] = uid
			if was, ok := m.told[key]; ok && !was.gone && was.uid != "" && was.uid != uid {
				m.lost(key, was)
			}
		}
		errs = append(errs, m.put(obj))
	}
	for key, was := range m.told {
		if _, ok := here[key]; ok {
			continue
		}
		switch {
		case m.kind.resource == events, m.buried(was):
			delete(m.told, key)
		case !was.gone:
			m.lost(key, was)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	m.listed = true
	m.synced()
	return nil
}

// Resync implements [cache.ReflectorStore].
func (m *mirror) Resync() error { return nil }

// forget takes the series of a kind away that is watched no longer.
func (m *mirror) forget() {
	for key, t := range m.told {
		m.page.set(m.path(key), nil)
		m.kin.remove(t.uid)
	}
}

func (m *mirror) put(obj any) error {
	o, acc, err := m.open(obj)
	if err != nil {
		return err
	}
	key, at := keyOf(acc), changedAt(acc, o)
	if ss := m.series.of(o); ss != nil {
		m.page.set(m.path(key), ss)
	}
	if m.kind.resource != events {
		m.kin.put(o, acc)
	}
	text, err := m.text(o)
	if err != nil {
		return err
	}
	was, known := m.told[key]
	if known && !was.gone && was.text == digest(text) {
		return nil
	}
	// Told the same by whoever lists it, and after whatever restart: the history
	// knows a revision again by its time, its verb and its text.
	verb := "MODIFIED"
	if !at.After(acc.GetCreationTimestamp().Time) {
		verb = "ADDED"
	}
	m.tell(key, verb, at, text, acc)
	return nil
}

// lost tells that an object has gone while nobody watched: when, and what it
// was at the end, is not known.
func (m *mirror) lost(key string, was told) {
	namespace, name, _ := strings.Cut(key, "/")
	o := &metav1.PartialObjectMetadata{TypeMeta: metav1.TypeMeta{APIVersion: m.gvk.GroupVersion().String(), Kind: m.gvk.Kind}}
	o.Namespace, o.Name, o.UID = namespace, name, types.UID(was.uid)
	m.page.set(m.path(key), nil)
	m.kin.remove(was.uid)
	text, err := json.Marshal(o)
	if err != nil {
		panic(fmt.Sprintf("%s %s: metadata that cannot be written as JSON: %v", m.kind.resource, key, err))
	}
	m.tell(key, "DELETED", m.now(), string(text), o)
}

func (m *mirror) tell(key, verb string, at time.Time, text string, acc metav1.Object) {
	if was, ok := m.told[key]; ok && at.Before(was.at) {
		at = was.at // clocks differ; what is told later is not older
	}
	m.told[key] = told{uid: string(acc.GetUID()), text: digest(text), at: at, gone: verb == "DELETED"}
	e := collector.Event{Kind: collector.KubeObject, At: at, Text: text, Attrs: []collector.Attr{
		{Key: collector.AttrResource, Value: m.kind.resource}, {Key: collector.AttrNamespace, Value: acc.GetNamespace()},
		{Key: collector.AttrObject, Value: acc.GetName()}, {Key: collector.AttrVerb, Value: verb}}}
	if m.kind.resource == events {
		e.Kind, e.Attrs = collector.KubeEvent, nil
	}
	m.desk.put(e)
}

func (m *mirror) path(key string) string { return m.kind.resource + "/" + key }

// open returns obj as a runtime object that says its kind, with its metadata.
func (m *mirror) open(obj any) (runtime.Object, metav1.Object, error) {
	o, ok := obj.(runtime.Object)
	if !ok {
		return nil, nil, fmt.Errorf("watch %s: a %T is not an object", m.kind.resource, obj)
	}
	acc, err := meta.Accessor(o)
	if err != nil {
		return nil, nil, fmt.Errorf("watch %s: %w", m.kind.resource, err)
	}
	if said := o.GetObjectKind().GroupVersionKind(); said.Kind != "" {
		m.gvk.Kind = said.Kind
	}
	o.GetObjectKind().SetGroupVersionKind(m.gvk) // decoders leave it out of typed objects
	return o, acc, nil
}

// text is what is kept of an object.
func (m *mirror) text(o runtime.Object) (string, error) {
	prune(o)
	b, err := json.Marshal(o)
	if err != nil {
		return "", fmt.Errorf("watch %s: %w", m.kind.resource, err)
	}
	return string(b), nil
}

func keyOf(o metav1.Object) string { return o.GetNamespace() + "/" + o.GetName() }

func digest(text string) [16]byte {
	sum := sha256.Sum256([]byte(text))
	return [16]byte(sum[:])
}
