package snapshot

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// A form is how another program lays out what it captured of a cluster. What
// is read of it keeps the names of its files as sources.
type form struct {
	name string // as people call it
	// marks reports whether a file of that name is only in this form.
	marks func(t *tree, name string) bool
	// file reads one file into b, or passes over it.
	file func(b *bundle, name string, data []byte)
}

var forms = []form{
	{"support bundle", marksSupport, (*bundle).supportFile},
	{"must-gather", marksGather, (*bundle).gatherFile},
	{"kubectl cluster-info dump", marksDump, (*bundle).dumpFile},
	{"kubectl cluster-info dump", marksStream, (*bundle).streamFile},
}

// form returns the form of t, or nil where it has none of them.
func (t *tree) form() *form {
	names := slices.Sorted(maps.Keys(t.files))
	for i, f := range forms {
		if slices.ContainsFunc(names, func(name string) bool { return f.marks(t, name) }) {
			return &forms[i]
		}
	}
	return nil
}

// A bundle is what another program captured, on its way to a snapshot.
type bundle struct {
	*Snapshot
	seen   map[string]bool // objects by resource, namespace and name: bundles hold some of them twice
	pages  map[string]bool // namespaces that were looked into
	clock  time.Time       // when it was captured, where it says so
	newest time.Time       // the newest time in it
	at     string          // where that stands
}

func (f *form) convert(t *tree) (*Snapshot, error) {
	// None of them says what the cluster is called, and what is wrong with all of
	// it needs a subject.
	b := &bundle{Snapshot: &Snapshot{Origin: f.name, Cluster: Cluster{Name: "cluster"}, Objects: map[string][]Object{}, Kernel: map[string][]Line{}},
		seen: map[string]bool{}, pages: map[string]bool{}}
	for _, name := range slices.Sorted(maps.Keys(t.files)) {
		f.file(b, name, t.files[name])
		delete(t.files, name) // its memory may be of use for the next
	}
	b.arrange()
	for _, l := range b.Logs {
		for _, line := range l.Lines {
			b.tick(line.At, line.Source)
		}
	}
	b.CapturedAt = b.clock
	if b.clock.IsZero() {
		if b.newest.IsZero() {
			return nil, fmt.Errorf("it is a %s without a time in it: nothing was captured", f.name)
		}
		b.CapturedAt = b.newest
		b.blind("when it was captured: a %s does not say; the newest time in it is taken, %s (%s)", f.name, b.newest.Format(time.RFC3339), b.at)
	}
	b.Window.To = b.CapturedAt
	b.lacks(f.name)
	return b.Snapshot, nil
}

func (b *bundle) blind(format string, args ...any) {
	b.Unseen = append(b.Unseen, fmt.Sprintf(format, args...))
}

// tick follows the newest time of the bundle.
func (b *bundle) tick(at time.Time, source string) {
	if at.After(b.newest) {
		b.newest, b.at = at.UTC(), source
	}
}

// asked are the resources that diagnoses rest on, beside pods, nodes and
// events, in the order that people would miss them.
var asked = []string{"deployments.apps", "replicasets.apps", "statefulsets.apps", "daemonsets.apps", "jobs.batch", "services",
	"endpoints", "persistentvolumeclaims", "persistentvolumes", "storageclasses.storage.k8s.io", "configmaps", "secrets", "serviceaccounts",
	"resourcequotas", "horizontalpodautoscalers.autoscaling", "networkpolicies.networking.k8s.io"}

// lacks says what the bundle does not hold.
func (b *bundle) lacks(form string) {
	var missing []string
	for _, r := range asked {
		if !b.Captured(r) {
			missing = append(missing, r)
		}
	}
	if len(missing) > 0 {
		b.blind("%s: not in this %s", strings.Join(missing, ", "), form)
	}
	if b.Events == nil {
		b.blind("events: not in this %s", form)
	}
	if !slices.ContainsFunc(b.Logs, func(l Log) bool { return l.Previous }) {
		b.blind("logs of containers before their last restart: none in this %s", form)
	}
	b.blind("kernel logs, metrics, and what changed before it was captured: a %s has none that are read", form)
	if len(b.pages) > 0 {
		b.blind("namespaces other than %s: not in this %s", strings.Join(slices.Sorted(maps.Keys(b.pages)), ", "), form)
	}
}

// objects takes the objects of a file, which is JSON or YAML by its name.
func (b *bundle) objects(name, resource string, data []byte) {
	read := b.jsonItems
	if ext := path.Ext(name); ext == ".yaml" || ext == ".yml" {
		read = b.yamlItems
	}
	b.take(name, resource, data, 0, read)
}

// take adds what read finds in data, which begins after so many lines of its file.
func (b *bundle) take(name, resource string, data []byte, after int, read func(name string, data []byte, after int) ([]item, bool)) {
	items, ok := read(name, data, after)
	if !ok {
		return // it said why
	}
	if resource == "events" {
		b.events(name, items, data, after)
		return
	}
	if b.Objects[resource] == nil {
		b.Objects[resource] = []Object{}
	}
	for _, x := range items {
		key := resource + " " + x.Metadata.Namespace + "/" + x.Metadata.Name
		if x.Metadata.Name == "" || b.seen[key] {
			continue
		}
		b.seen[key] = true
		source := name + "#" + strings.TrimPrefix(x.Metadata.Namespace+"/"+x.Metadata.Name, "/")
		raw := b.press.compact(x.raw)
		b.Objects[resource] = append(b.Objects[resource], Object{raw, source})
		for _, stamp := range past.FindAllSubmatch(raw, -1) {
			if at, err := time.Parse(time.RFC3339Nano, string(stamp[1])); err == nil {
				b.tick(at, source)
			}
		}
	}
}

// past finds the fields of an object that tell of something that has been.
var past = regexp.MustCompile(`"(?:creationTimestamp|lastHeartbeatTime|lastTransitionTime|lastUpdateTime|lastProbeTime|startTime|completionTime|startedAt|finishedAt|time)":"([0-9][^"]+)"`)

func (b *bundle) events(name string, items []item, data []byte, after int) {
	if b.Events == nil {
		b.Events = []Event{}
	}
	line, from := after+1, 0
	for _, x := range items {
		line, from = line+bytes.Count(data[from:x.at], []byte("\n")), x.at
		source := fmt.Sprintf("%s:%d", name, line)
		e, err := decode[corev1.Event](x.raw)
		if err != nil {
			b.blind("%s: %v", source, err)
			continue
		}
		key := "events " + e.Namespace + "/" + e.Name
		if b.seen[key] {
			continue
		}
		b.seen[key] = true
		b.Events = append(b.Events, Event{e, source})
		b.tick(b.Events[len(b.Events)-1].Latest(), source)
	}
}

// jsonItems returns the objects of a List, of a bare array of them, or the one
// that data is.
func (b *bundle) jsonItems(name string, data []byte, after int) ([]item, bool) {
	if bare := bytes.TrimLeft(data, " \t\r\n"); len(bare) > 0 && bare[0] == '[' {
		data = slices.Concat([]byte(`{"items":`), data, []byte("}")) // no line more
	}
	items, ok := split(data)
	switch {
	case ok && items != nil:
		return items, true
	case ok:
		n, err := decode[named](data)
		return []item{{raw: data, named: n}}, err == nil
	}
	var l list
	err := json.Unmarshal(data, &l)
	if err == nil && len(l.Items) == 0 {
		return nil, true // "items": null is how Go writes a list of nothing
	}
	if err == nil {
		err = fmt.Errorf("it is no list of objects")
	}
	b.blind("%s:%d: %v", name, after+errorLine(data, err), err)
	return nil, false
}

// logOf adds the log of one container.
func (b *bundle) logOf(name, namespace, pod, container string, previous bool, data []byte) {
	if len(bytes.TrimSpace(data)) == 0 && previous {
		return // programs make the file before they know that there is no such log
	}
	b.Logs = append(b.Logs, Log{namespace, pod, container, previous, parseLines(name, data, 0)})
}
