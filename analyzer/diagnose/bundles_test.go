package diagnose

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"
	"sigs.k8s.io/yaml"

	"vedette.dev/analyzer"
	"vedette.dev/analyzer/snapshot"
)

// A captured is a case as another program would have captured it.
type captured struct {
	*snapshot.Snapshot
	files map[string][]byte
}

// lists returns the objects of a resource by namespace.
func (c *captured) lists(resource string) map[string][]json.RawMessage {
	by := map[string][]json.RawMessage{}
	for _, o := range c.Objects[resource] {
		var n struct {
			Metadata struct{ Namespace string }
		}
		if err := json.Unmarshal(o.Raw, &n); err != nil {
			panic(err)
		}
		by[n.Metadata.Namespace] = append(by[n.Metadata.Namespace], o.Raw)
	}
	if c.Captured(resource) && len(by) == 0 {
		by["default"] = []json.RawMessage{} // somebody looked
	}
	return by
}

func (c *captured) events() map[string][]json.RawMessage {
	by := map[string][]json.RawMessage{}
	for _, e := range c.Events {
		raw, err := json.Marshal(e.Event)
		if err != nil {
			panic(err)
		}
		by[e.Namespace] = append(by[e.Namespace], raw)
	}
	return by
}

// nodes are the nodes with the heartbeats that kubelets send.
func (c *captured) nodes() []json.RawMessage {
	var all []json.RawMessage
	for _, o := range c.Objects["nodes"] {
		beat := fmt.Sprintf(`"lastHeartbeatTime":%q,"lastTransitionTime"`, c.CapturedAt.Format(time.RFC3339))
		all = append(all, bytes.ReplaceAll(o.Raw, []byte(`"lastTransitionTime"`), []byte(beat)))
	}
	return all
}

// list prints a list as kubectl prints one of a Go type: its items have no kind.
func list(kind, version string, items []json.RawMessage) []byte {
	for i, raw := range items {
		var o map[string]any
		if err := json.Unmarshal(raw, &o); err != nil {
			panic(err)
		}
		delete(o, "kind")
		delete(o, "apiVersion")
		items[i], _ = json.Marshal(o)
	}
	if items == nil {
		items = []json.RawMessage{}
	}
	out, err := json.MarshalIndent(map[string]any{"kind": kind, "apiVersion": version, "metadata": map[string]any{}, "items": items}, "", "    ")
	if err != nil {
		panic(err)
	}
	return append(out, '\n')
}

// dumped is the one text of kubectl cluster-info dump, with the files that it
// would have been.
func (c *captured) dumped(yamls bool) (stream []byte) {
	ext := ".json"
	put := func(name string, data []byte) {
		if yamls {
			data, _ = yaml.JSONToYAML(data)
			data = append([]byte("---\n"), data...)
		}
		c.files[name+ext] = data
		stream = append(stream, data...)
	}
	if yamls {
		ext = ".yaml"
	}
	put("nodes", list("NodeList", "v1", c.nodes()))
	namespaces := map[string]bool{"default": true}
	for _, r := range slices.Collect(maps.Keys(c.Objects)) {
		for ns := range c.lists(r) {
			namespaces[ns] = ns != ""
		}
	}
	for _, ns := range slices.Sorted(maps.Keys(namespaces)) {
		if !namespaces[ns] {
			continue
		}
		put(ns+"/events", list("EventList", "v1", c.events()[ns]))
		for _, k := range dumpKinds {
			version := "v1"
			if strings.HasSuffix(k[2], ".apps") {
				version = "apps/v1"
			}
			put(ns+"/"+k[0], list(k[1], version, c.lists(k[2])[ns]))
		}
		for _, l := range c.Logs {
			if l.Namespace != ns || l.Previous {
				continue
			}
			mark := fmt.Sprintf(" logs for container %s of pod %s/%s ====\n", l.Container, ns, l.Pod)
			text := "==== START" + mark
			for _, line := range l.Lines {
				text += line.Text + "\n"
			}
			text = strings.TrimSuffix(text, "\n") + "==== END" + mark // some programs do not end their last line
			c.files[ns+"/"+l.Pod+"/logs.txt"] = append(c.files[ns+"/"+l.Pod+"/logs.txt"], text...)
			stream = append(stream, text...)
		}
	}
	return stream
}

// supported are the files of a support bundle.
func (c *captured) supported(root string) {
	for resource, dir := range supportKinds {
		for ns, items := range c.lists(resource) {
			name := dir
			if ns != "" {
				name += "/" + ns
			}
			c.files[root+"cluster-resources/"+name+".json"] = list("List", "v1", items)
		}
	}
	for ns, items := range c.events() {
		c.files[root+"cluster-resources/events/"+ns+".json"] = list("EventList", "v1", items)
	}
	c.files[root+"cluster-resources/nodes.json"] = list("NodeList", "v1", c.nodes())
	c.files[root+"cluster-resources/pods-errors.json"] = []byte(`{"vault":"pods is forbidden"}`)
	c.files[root+"cluster-info/cluster_version.json"] = []byte(`{"info":{"major":"1","minor":"35"},"string":"v1.35.1"}`)
	for _, l := range c.Logs {
		name := l.Container
		if l.Previous {
			name += "-previous"
		}
		c.files[root+"cluster-resources/pods/logs/"+l.Namespace+"/"+l.Pod+"/"+name+".log"] = text(l.Lines, true) // as its collector writes them where it is told to
	}
}

// gathered are the files of a must-gather.
func (c *captured) gathered(root string) {
	for resource := range c.Objects {
		plural, group, _ := strings.Cut(resource, ".")
		if group == "" {
			group = "core"
		}
		for ns, items := range c.lists(resource) {
			if ns != "" {
				c.files[root+"namespaces/"+ns+"/"+group+"/"+plural+".yaml"] = inYAML(map[string]any{"apiVersion": "v1", "kind": "List", "items": items, "metadata": map[string]any{}})
			}
			for _, raw := range items {
				var o struct{ Metadata struct{ Name string } }
				if json.Unmarshal(raw, &o) != nil {
					continue
				}
				switch {
				case ns == "":
					c.files[root+"cluster-scoped-resources/"+group+"/"+plural+"/"+o.Metadata.Name+".yaml"] = inYAML(raw)
				case resource == "pods":
					c.files[root+"namespaces/"+ns+"/pods/"+o.Metadata.Name+"/"+o.Metadata.Name+".yaml"] = inYAML(raw)
				}
			}
		}
	}
	for ns, items := range c.events() {
		c.files[root+"namespaces/"+ns+"/core/events.yaml"] = inYAML(map[string]any{"apiVersion": "v1", "kind": "EventList", "items": items, "metadata": map[string]any{}})
		c.files[root+"namespaces/"+ns+"/"+ns+".yaml"] = inYAML(map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": ns}})
	}
	for _, l := range c.Logs {
		name := "current"
		if l.Previous {
			name = "previous"
		}
		c.files[root+"namespaces/"+l.Namespace+"/pods/"+l.Pod+"/"+l.Container+"/"+l.Container+"/logs/"+name+".log"] = text(l.Lines, true)
	}
	c.files["timestamp"] = []byte(c.CapturedAt.Add(-time.Minute).String() + "\n" + c.CapturedAt.String() + " m=+61.25\n")
}

func inYAML(v any) []byte {
	data, err := yaml.Marshal(v)
	if err != nil {
		panic(err)
	}
	return append([]byte("---\n"), data...)
}

func text(lines []snapshot.Line, times bool) []byte {
	var b bytes.Buffer
	for _, l := range lines {
		if times {
			b.WriteString(l.At.Format(time.RFC3339Nano) + " ")
		}
		b.WriteString(l.Text + "\n")
	}
	return b.Bytes()
}

func (c *captured) folder(t *testing.T) string {
	dir := t.TempDir()
	for name, data := range c.files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func (c *captured) archive(t *testing.T) string {
	path := filepath.Join(t.TempDir(), "captured.tar.gz")
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for _, name := range slices.Sorted(maps.Keys(c.files)) {
		if err := w.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o600, Size: int64(len(c.files[name]))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(c.files[name]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// dumpKinds are the files of a namespace in a dump.
var dumpKinds = [][3]string{{"replication-controllers", "ReplicationControllerList", "replicationcontrollers"}, {"services", "ServiceList", "services"},
	{"daemonsets", "DaemonSetList", "daemonsets.apps"}, {"deployments", "DeploymentList", "deployments.apps"}, {"replicasets", "ReplicaSetList", "replicasets.apps"}, {"pods", "PodList", "pods"}}

// supportKinds are where a support bundle has objects that cases have.
var supportKinds = map[string]string{"pods": "pods", "services": "services", "deployments.apps": "deployments", "replicasets.apps": "replicasets",
	"statefulsets.apps": "statefulsets", "daemonsets.apps": "daemonsets", "jobs.batch": "jobs", "persistentvolumeclaims": "pvcs", "resourcequotas": "resource-quota",
	"networkpolicies.networking.k8s.io": "network-policy", "configmaps": "configmaps", "endpoints": "endpoints", "serviceaccounts": "serviceaccounts",
	"poddisruptionbudgets.policy": "pod-disruption-budgets", "ingresses.networking.k8s.io": "ingress", "cronjobs.batch": "cronjobs", "limitranges": "limitranges",
	"persistentvolumes": "pvs", "storageclasses.storage.k8s.io": "storage-classes"}

func inDump(resource string) bool {
	return resource == "nodes" || slices.ContainsFunc(dumpKinds, func(k [3]string) bool { return k[2] == resource })
}

func inSupport(resource string) bool { return resource == "nodes" || supportKinds[resource] != "" }

func inGather(string) bool { return true }

// captures are the forms of other programs.
var captures = []struct {
	name  string
	holds func(resource string) bool
	bare  bool // its logs are those of now, without times
	often bool // every case is tried in it, not only those that all have
	write func(t *testing.T, c *captured) string
}{
	{"dump", inDump, true, true, func(t *testing.T, c *captured) string { c.dumped(false); return c.folder(t) }},
	{"dump in YAML", inDump, true, false, func(t *testing.T, c *captured) string { c.dumped(true); return c.folder(t) }},
	{"dump as one text", inDump, true, false, func(t *testing.T, c *captured) string {
		c.files = map[string][]byte{"dump.json": c.dumped(false)}
		return filepath.Join(c.folder(t), "dump.json")
	}},
	{"dump as one text of YAML", inDump, true, true, func(t *testing.T, c *captured) string {
		c.files = map[string][]byte{"dump.txt": c.dumped(true)}
		return filepath.Join(c.folder(t), "dump.txt")
	}},
	{"support bundle", inSupport, false, true, func(t *testing.T, c *captured) string {
		c.supported("support-bundle-2026-03-01T10_00_00/")
		return c.archive(t)
	}},
	{"support bundle unpacked", inSupport, false, false, func(t *testing.T, c *captured) string { c.supported(""); return c.folder(t) }},
	{"must-gather", inGather, false, false, func(t *testing.T, c *captured) string {
		c.gathered("quay-io-openshift-release-dev-sha256-00/")
		return c.folder(t)
	}},
	{"must-gather packed", inGather, false, true, func(t *testing.T, c *captured) string {
		c.gathered("must-gather.local.1/quay-io/")
		return c.archive(t)
	}},
}

// cut returns of s what a form holds.
func cut(s *snapshot.Snapshot, holds func(string) bool, bare bool) *snapshot.Snapshot {
	// No bundle says what its cluster is called.
	out := &snapshot.Snapshot{Cluster: snapshot.Cluster{Name: "cluster"}, CapturedAt: s.CapturedAt, Window: snapshot.Window{To: s.CapturedAt}, Events: s.Events, Objects: map[string][]snapshot.Object{}, Kernel: map[string][]snapshot.Line{}}
	for r, os := range s.Objects {
		if holds(r) {
			out.Objects[r] = os
		}
	}
	for _, l := range s.Logs {
		if bare && l.Previous {
			continue
		}
		l.Lines = slices.Clone(l.Lines)
		for i := range l.Lines {
			if bare {
				l.Lines[i].At = time.Time{}
			}
		}
		out.Logs = append(out.Logs, l)
	}
	return out
}

// TestBundles: what another program captured of a case is diagnosed as the same
// would be in our own form, and the sources are files of what it wrote. What
// every program captures has the same diagnosis from all.
func TestBundles(t *testing.T) {
	everywhere := map[string]bool{"image-not-found": false, "gpu-capacity-exhausted": false, "container-oom-killed": false, "node-not-ready": false, "service-selector-mismatch": false}
	same := map[string]int{}
	eachCase(t, func(t *testing.T, name string, a *txtar.Archive) {
		s := unpack(t, a)
		whole := first(Diagnose(s, analyzer.Subject{}))
		_, must := everywhere[name]
		for _, p := range captures {
			if !must && !p.often {
				continue
			}
			part := cut(s, p.holds, p.bare)
			want := first(Diagnose(part, analyzer.Subject{}))
			if must {
				want = whole
			}
			c := &captured{part, map[string][]byte{}}
			got, err := snapshot.Read(p.write(t, c))
			if err != nil {
				t.Errorf("%s: %v", p.name, err)
				continue
			}
			r := Diagnose(got, analyzer.Subject{})
			if first(r) != want {
				t.Errorf("%s: the first diagnosis is %s, want %s; unseen %q", p.name, first(r), want, r.Unseen)
			}
			for _, d := range r.Diagnoses {
				for _, e := range d.Evidence {
					c.holds(t, p.name, e)
				}
			}
			if first(r) == whole {
				same[p.name]++
			}
		}
		if must {
			everywhere[name] = true
		}
	})
	for name, tried := range everywhere {
		if !tried {
			t.Errorf("there is no case %s", name)
		}
	}
	t.Logf("diagnosed as from all that a case has: %v", same)
}

func first(r analyzer.Report) string {
	if len(r.Diagnoses) == 0 {
		return string(r.Verdict)
	}
	return fmt.Sprintf("%s of %s", r.Diagnoses[0].Cause, r.Diagnoses[0].Subject)
}

var lineOf = regexp.MustCompile(`^(.+):(\d+)$`)

// holds checks that what e cites is a file that was captured, and a line or an
// object of it.
func (c *captured) holds(t *testing.T, form string, e analyzer.Evidence) {
	t.Helper()
	if file, object, ok := strings.Cut(e.Source, "#"); ok {
		name := object[strings.LastIndex(object, "/")+1:]
		if !bytes.Contains(c.files[file], []byte(name)) {
			t.Errorf("%s: %s is not in what was captured", form, e.Source)
		}
		return
	}
	m := lineOf.FindStringSubmatch(e.Source)
	if m == nil {
		t.Errorf("%s: %q is neither a line nor an object", form, e.Source)
		return
	}
	n, _ := strconv.Atoi(m[2])
	lines := strings.Split(string(c.files[m[1]]), "\n")
	if n < 1 || n > len(lines) {
		t.Errorf("%s: %s is not in what was captured", form, e.Source)
		return
	}
	if strings.TrimSpace(lines[n-1]) == "" {
		t.Errorf("%s: %s, cited for %q, is empty", form, e.Source, e.Text)
	}
}
