package cluster

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/yaml"

	"vedette.dev/collector"
)

var update = flag.Bool("update", false, "rewrite what testdata wants")

var (
	noon = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	pods = schema.GroupVersionResource{Version: "v1", Resource: "pods"}
)

// A bench is a mirror whose words are kept in a list.
type bench struct {
	*mirror
	told []collector.Event
	at   time.Time
}

func newBench(t *testing.T, gvr schema.GroupVersionResource, kept ...Object) *bench {
	t.Helper()
	b := &bench{at: noon}
	kin, err := newKin()
	if err != nil {
		t.Fatal(err)
	}
	_, gvk := typeOf(gvr)
	b.mirror = &mirror{kind: kind{resource: gvr.GroupResource().String()}, gvk: gvk, told: map[string]told{}, page: &page{}, kin: kin,
		desk: &desk{waiting: make(chan collector.Event, 100)}, now: func() time.Time { return b.at }, synced: func() {}}
	b.remember(kept)
	return b
}

// heard returns what has been told since the last call, a line each.
func (b *bench) heard() string {
	var w strings.Builder
	for {
		select {
		case e := <-b.desk.waiting:
			b.told = append(b.told, e)
			fmt.Fprintf(&w, "%s %s %s/%s\n", e.At.Sub(noon), e.Attr(collector.AttrVerb), e.Attr(collector.AttrNamespace), e.Attr(collector.AttrObject))
		default:
			return w.String()
		}
	}
}

// object reads an object of Kubernetes' own types from YAML.
func object(t *testing.T, text string) runtime.Object {
	t.Helper()
	data, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	o, _, err := scheme.Codecs.UniversalDeserializer().Decode(data, nil, nil)
	if runtime.IsNotRegisteredError(err) {
		u := &unstructured.Unstructured{}
		if err := u.UnmarshalJSON(data); err != nil {
			t.Fatal(err)
		}
		return u
	}
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// pod makes a pod that was created at noon and written at noon plus after.
func pod(uid, version, phase string, after time.Duration) *corev1.Pod {
	p := &corev1.Pod{Status: corev1.PodStatus{Phase: corev1.PodPhase(phase)}}
	p.Namespace, p.Name, p.UID, p.ResourceVersion = "ml", "train-0", types.UID("uid-"+uid), version
	p.CreationTimestamp = metav1.NewTime(noon)
	written := metav1.NewTime(noon.Add(after))
	p.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "kubelet", Time: &written}}
	return p
}

func TestTellsWhatChanges(t *testing.T) {
	b := newBench(t, pods)
	step := func(what string, do func() error, want string) {
		t.Helper()
		if err := do(); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if diff := cmp.Diff(want, b.heard()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
	step("a new pod", func() error { return b.Add(pod("1", "1", "Pending", 0)) }, "0s ADDED ml/train-0\n")
	step("a version and nothing else", func() error { return b.Update(pod("1", "2", "Pending", time.Second)) }, "")
	step("a phase", func() error { return b.Update(pod("1", "3", "Running", 5*time.Second)) }, "5s MODIFIED ml/train-0\n")
	b.at = noon.Add(9500 * time.Millisecond)
	step("a deletion", func() error { return b.Delete(pod("1", "4", "Running", 5*time.Second)) }, "9.5s DELETED ml/train-0\n")
	again := pod("2", "5", "Pending", 9*time.Second)
	again.CreationTimestamp = metav1.NewTime(noon.Add(9 * time.Second)) // its second has begun before the deletion
	step("the same name anew", func() error { return b.Add(again) }, "9.5s ADDED ml/train-0\n")

	var last corev1.Pod
	if err := json.Unmarshal([]byte(b.told[1].Text), &last); err != nil || last.Kind != "Pod" || last.Status.Phase != "Running" || last.ResourceVersion != "" || last.ManagedFields != nil {
		t.Errorf("kept %s, %v; want the pod with its kind, without bookkeeping", b.told[1].Text, err)
	}
}

// After a list, what is not in it has gone: after a watch that was lost, and
// after a restart, when only the history remembers.
func TestAListTellsWhatHasGone(t *testing.T) {
	b := newBench(t, pods)
	if err := b.Replace([]any{pod("1", "1", "Running", 0)}, "1"); err != nil {
		t.Fatal(err)
	}
	b.heard()
	kept := []Object{{Namespace: "ml", Name: "train-0", Text: b.told[0].Text, At: b.told[0].At}}

	for name, list := range map[string]*bench{"lost watch": b, "restart": newBench(t, pods, kept...)} {
		list.at = noon.Add(time.Minute)
		if err := list.Replace([]any{pod("1", "7", "Running", 0)}, "7"); err != nil || list.heard() != "" {
			t.Errorf("%s: an object that is as it was is told again; %v", name, err)
		}
		if err := list.Replace([]any{pod("2", "8", "Running", 30*time.Second)}, "8"); err != nil {
			t.Fatal(err)
		}
		if got, want := list.heard(), "1m0s DELETED ml/train-0\n1m0s MODIFIED ml/train-0\n"; got != want {
			t.Errorf("%s: another object of the name: told\n%swant\n%s", name, got, want)
		}
		list.at = noon.Add(2 * time.Minute)
		if err := list.Replace(nil, "9"); err != nil {
			t.Fatal(err)
		}
		if got, want := list.heard(), "2m0s DELETED ml/train-0\n"; got != want {
			t.Errorf("%s: gone: told\n%swant\n%s", name, got, want)
		}
		var head metav1.PartialObjectMetadata
		if err := json.Unmarshal([]byte(list.told[len(list.told)-1].Text), &head); err != nil || head.Kind != "Pod" || head.UID != "uid-2" {
			t.Errorf("%s: the deletion says %s", name, list.told[len(list.told)-1].Text)
		}
		list.at = noon.Add(time.Hour)
		if err := list.Replace(nil, "10"); err != nil || list.heard() != "" || len(list.mirror.told) != 0 {
			t.Errorf("%s: an hour later %d are remembered; %v", name, len(list.mirror.told), err)
		}
	}
}

// Nothing is remembered for ever of objects that have gone: jobs come and go by
// the thousand under a watch that lasts for weeks.
func TestGoneAreForgotten(t *testing.T) {
	b := newBench(t, pods)
	for i := range 3 * burials {
		p := pod("1", "1", "Succeeded", 0)
		p.Name = fmt.Sprint("job-", i)
		b.at = noon.Add(time.Duration(i) * 2 * time.Second)
		if err := b.Add(p.DeepCopy()); err != nil {
			t.Fatal(err)
		}
		if err := b.Delete(p); err != nil {
			t.Fatal(err)
		}
		b.heard()
	}
	if n := len(b.mirror.told); n > 2*burials {
		t.Errorf("%d pods of %d that have gone are remembered", n, 3*burials)
	}
}

// Events are what happened: they are told once, and not that they are forgotten.
func TestEvents(t *testing.T) {
	b := newBench(t, schema.GroupVersionResource{Version: "v1", Resource: "events"})
	e := object(t, "{apiVersion: v1, kind: Event, metadata: {namespace: ml, name: e.1, uid: u, creationTimestamp: '2026-11-26T12:00:00Z'}, "+
		"involvedObject: {kind: Pod, namespace: ml, name: train-0}, reason: BackOff, count: 3, lastTimestamp: '2026-11-26T12:05:00Z'}")
	for range 2 {
		if err := b.Replace([]any{e.DeepCopyObject()}, "1"); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Delete(e.DeepCopyObject()); err != nil {
		t.Fatal(err)
	}
	if err := b.Replace(nil, "2"); err != nil {
		t.Fatal(err)
	}
	if got := b.heard(); got != "5m0s  /\n" || b.told[0].Kind != collector.KubeEvent || !strings.Contains(b.told[0].Text, `"count":3`) {
		t.Errorf("told %q: %+v", got, b.told)
	}
}

// Nothing that may be secret is kept, whatever the object.
func TestWhatIsKept(t *testing.T) {
	a, err := txtar.ParseFile("testdata/kept.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range a.Files {
		o := object(t, string(f.Data))
		prune(o)
		got, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(got, []byte("hidden")) || bytes.Contains(got, []byte("noise")) {
			t.Errorf("%s: kept %s", f.Name, got)
		}
		if bytes.Contains(f.Data, []byte("plain")) && !bytes.Contains(got, []byte("plain")) {
			t.Errorf("%s: took too much: %s", f.Name, got)
		}
	}
}

// Every kind of the table is one that Kubernetes' client or a custom resource
// has, and those that say so have series of just the type that is watched.
func TestKinds(t *testing.T) {
	kinds, err := readKinds()
	if err != nil {
		t.Fatal(err)
	}
	if len(kinds) < 40 {
		t.Errorf("only %d kinds", len(kinds))
	}
	for _, k := range kinds {
		if !k.series {
			continue
		}
		g, err := generatorOf(k.short(), nil)
		if err != nil || len(g.families) == 0 {
			t.Errorf("%s: %d families, %v", k.resource, len(g.families), err)
			continue
		}
		o, ok := reflect.New(g.takes.Elem()).Interface().(runtime.Object)
		if !ok {
			t.Errorf("%s: series are of %v", k.resource, g.takes)
			continue
		}
		gvks, _, err := scheme.Scheme.ObjectKinds(o)
		if err != nil {
			t.Fatal(err)
		}
		gvr, _ := meta.UnsafeGuessKindToResource(gvks[0])
		if got := gvr.GroupResource().String(); got != k.resource {
			t.Errorf("%s: series are of %s", k.resource, got)
		}
		if example, gvk := typeOf(gvr); example == nil || gvk != gvks[0] {
			t.Errorf("%s: watched as %v, series are of %v", k.resource, gvk, gvks[0])
		}
	}
}

// The series of objects are kube-state-metrics'.
func TestSeries(t *testing.T) {
	a, err := txtar.ParseFile("testdata/series.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(a.Files); i += 2 {
		in, want := a.Files[i], &a.Files[i+1]
		o := object(t, string(in.Data))
		g, err := generatorOf(in.Name, map[string][]string{"pods": {"team"}})
		if err != nil {
			t.Fatal(err)
		}
		var lines []string
		for _, s := range g.of(o) {
			lines = append(lines, fmt.Sprintf("%s %v\n", s.lset, s.v))
		}
		slices.Sort(lines)
		got := strings.Join(lines, "")
		if diff := cmp.Diff(string(want.Data), got); diff != "" && !*update {
			t.Errorf("%s (-want +got):\n%s", in.Name, diff)
		}
		want.Data = []byte(got)
		if ss := g.of(&corev1.Secret{}); ss != nil {
			t.Errorf("series of another kind: %v", ss)
		}
	}
	if *update {
		if err := os.WriteFile("testdata/series.txtar", txtar.Format(a), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// A pod belongs to what somebody asked for, however many owners are between.
func TestWorkloads(t *testing.T) {
	k, err := newKin()
	if err != nil {
		t.Fatal(err)
	}
	add := func(kind, name, uid, owner string, labels, annotations map[string]string) {
		o := &metav1.PartialObjectMetadata{TypeMeta: metav1.TypeMeta{Kind: kind}}
		o.Namespace, o.Name, o.UID, o.Labels, o.Annotations = "ml", name, types.UID(uid), labels, annotations
		if kind, uid, ok := strings.Cut(owner, ":"); ok {
			yes := true
			o.OwnerReferences = []metav1.OwnerReference{{Kind: kind, Name: "by-" + uid, UID: types.UID(uid), Controller: &yes}}
		}
		k.put(o, o)
	}
	add("Pod", "api-1", "p1", "ReplicaSet:rs", nil, nil)
	add("ReplicaSet", "api-abc", "rs", "Deployment:d", nil, nil)
	add("Deployment", "api", "d", "", nil, nil)
	add("Pod", "train-0", "p2", "PyTorchJob:x", map[string]string{"training.kubeflow.org/job-name": "train"}, map[string]string{"scheduling.k8s.io/group-name": "pg"})
	add("Pod", "proxy", "p3", "Node:n", nil, nil)
	add("Pod", "loop", "p4", "Pod:p5", nil, nil)
	add("Pod", "pool", "p5", "Pod:p4", nil, nil)
	var got []string
	ss, changed := k.samples()
	for _, s := range ss {
		got = append(got, strings.NewReplacer(`__name__="vedette_pod_workload", `, "", `namespace="ml", `, "").Replace(s.lset.String()))
	}
	want := []string{
		`{gang="pg", pod="train-0", workload="by-x", workload_kind="PyTorchJob"}`,
		`{pod="api-1", workload="api", workload_kind="Deployment"}`,
		`{pod="loop", workload="loop", workload_kind="Pod"}`,
		`{pod="pool", workload="pool", workload_kind="Pod"}`,
		`{pod="proxy", workload="proxy", workload_kind="Pod"}`,
	}
	if diff := cmp.Diff(want, got); diff != "" || !changed {
		t.Errorf("workloads (-want +got):\n%s", diff)
	}
	if _, changed := k.samples(); changed {
		t.Error("nothing has happened, and it counts as changed")
	}
	k.remove("p4")
	if ss, changed := k.samples(); !changed || len(ss) != 4 {
		t.Errorf("after a removal %d pods, changed %v", len(ss), changed)
	}
}

// The roles that are shipped allow just what is watched, and captured.
func TestRoles(t *testing.T) {
	kinds, err := readKinds()
	if err != nil {
		t.Fatal(err)
	}
	var watched, captured []string
	for _, k := range kinds {
		watched = append(watched, k.resource+" [list watch]")
		captured = append(captured, k.resource+" [list]")
	}
	captured = append(captured, "pods/log [get]")
	for _, tt := range []struct {
		file, role string
		want       []string
	}{
		{"server-rbac.yaml", "vedette-eyes", watched},
		{"snapshot-rbac.yaml", "vedette-snapshot", captured},
	} {
		got := allowed(t, "../../deploy/"+tt.file, tt.role)
		slices.Sort(tt.want)
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s: what is used and what is allowed (-used +allowed):\n%s", tt.file, diff)
		}
	}
}

// allowed returns what a role of a file may do, as "pods [list]".
func allowed(t *testing.T, path, name string) []string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for doc := range strings.SplitSeq(string(data), "\n---\n") {
		var role rbacv1.ClusterRole
		if err := yaml.Unmarshal([]byte(doc), &role); err != nil {
			t.Fatal(err)
		}
		if role.Name != name {
			continue
		}
		for _, r := range role.Rules {
			for _, res := range r.Resources {
				all = append(all, fmt.Sprintf("%s %v", schema.GroupResource{Group: r.APIGroups[0], Resource: res}, r.Verbs))
			}
		}
	}
	slices.Sort(all)
	return all
}
