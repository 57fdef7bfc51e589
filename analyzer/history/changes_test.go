package history

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"vedette.dev/analyzer"
)

func TestChanges(t *testing.T) {
	l, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	at := func(min int) time.Time { return time.Date(2026, 1, 1, 12, min, 0, 0, time.UTC) }
	api := analyzer.Subject{Kind: "deployment", Namespace: "ml", Name: "api"}
	old := analyzer.Subject{Kind: "pod", Namespace: "ml", Name: "old"}
	young := analyzer.Subject{Kind: "pod", Namespace: "ml", Name: "young"}
	node := analyzer.Subject{Kind: "node", Name: "gpu-01"}
	rec := func(min int, s analyzer.Subject, verb, text string) Record {
		return Record{Kind: KubeObject, At: at(min), Subject: s, Attrs: map[string]string{AttrResource: s.Kind + "s", AttrVerb: verb}, Text: text}
	}
	if err := l.Append(t.Context(), []Record{
		rec(0, api, "ADDED", `{"spec":{"replicas":2,"template":{"spec":{"containers":[{"name":"web","image":"api:1"}]}}},"status":{"readyReplicas":2}}`),
		rec(0, node, "ADDED", `{"status":{"conditions":[{"type":"Ready","status":"True","lastHeartbeatTime":"1"}]}}`),
		rec(31, api, "MODIFIED", `{"spec":{"replicas":2,"template":{"spec":{"containers":[{"name":"proxy","image":"p:1"},{"name":"web","image":"api:2"}]}}},"status":{"readyReplicas":1}}`),
		rec(32, old, "ADDED", `{"metadata":{"creationTimestamp":"2025-12-01T00:00:00Z"},"status":{"phase":"Running"}}`),
		rec(33, young, "ADDED", `{"metadata":{"creationTimestamp":"2026-01-01T12:33:00Z"},"status":{"phase":"Pending"}}`),
		rec(34, node, "MODIFIED", `{"status":{"conditions":[{"type":"Ready","status":"True","lastHeartbeatTime":"2"}]}}`),
		rec(35, node, "MODIFIED", `{"spec":{"unschedulable":true},"status":{"conditions":[{"type":"Ready","status":"Unknown","lastHeartbeatTime":"2"}]}}`),
		rec(36, young, "DELETED", `{}`),
		rec(50, api, "MODIFIED", `{"spec":{"replicas":9}}`),
	}); err != nil {
		t.Fatal(err)
	}
	got, err := l.Changes(t.Context(), at(30), at(40))
	if err != nil {
		t.Fatal(err)
	}
	want := []Change{
		{at(31), api, "spec.template.spec.containers.proxy.image is p:1", "history#3"},
		{at(31), api, "spec.template.spec.containers.proxy.name is proxy", "history#3"},
		{at(31), api, "spec.template.spec.containers.web.image was api:1, is api:2", "history#3"},
		{at(33), young, "created", "history#5"},
		{at(35), node, "spec.unschedulable is true", "history#7"},
		{at(35), node, "status.conditions.Ready.status was True, is Unknown", "history#7"},
		{at(36), young, "deleted", "history#8"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
