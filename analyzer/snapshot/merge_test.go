package snapshot

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// told makes a snapshot that has an object, an event counted so often and a log.
func told(who string, resource string, times int32) *Snapshot {
	at := time.Date(2026, 3, 1, 10, 0, int(times), 0, time.UTC)
	e := corev1.Event{Count: times, LastTimestamp: metav1.NewTime(at), InvolvedObject: corev1.ObjectReference{Namespace: "ml"}}
	e.Namespace, e.Name, e.Message = "ml", "e", who
	s := &Snapshot{CapturedAt: at, Window: Window{From: at.Add(-time.Duration(times) * time.Hour)}, Events: []Event{{Event: e}}}
	s.Objects = map[string][]Object{resource: {{Raw: json.RawMessage(fmt.Sprintf(`{"kind":"X","metadata":{"name":%q,"namespace":"ml"}}`, who))}}}
	s.AddLog("ml", "p", "main", false, []byte("2026-03-01T10:00:00Z "+who+"\n"))
	return s
}

func TestAdd(t *testing.T) {
	s, o := told("s", "pods", 1), told("o", "pods", 2)
	o.Objects["jobs.batch"] = []Object{}
	o.AddLog("ml", "gone", "main", false, []byte("bye\n"))
	o.History = []Revision{{Type: "DELETED", Raw: json.RawMessage(`{"metadata":{"name":"gone","namespace":"ml"}}`)}}
	s.Add(o)
	if got := string(s.Objects["pods"][0].Raw); !strings.Contains(got, `"s"`) || !s.Captured("jobs.batch") {
		t.Errorf("objects: got %s, want those of now and the kinds that were not seen", got)
	}
	if len(s.Events) != 1 || s.Events[0].Count != 2 {
		t.Errorf("events: got %+v, want the one that was counted up", s.Events)
	}
	if len(s.Logs) != 2 || s.Logs[0].Pod != "gone" || s.Logs[1].Lines[0].Text != "s" || len(s.History) != 1 {
		t.Errorf("logs: got %+v, want that of now and that of the pod that is gone", s.Logs)
	}
	if got := s.CapturedAt.Sub(s.Window.From); got != 2*time.Hour-time.Second {
		t.Errorf("it goes back %v, want as far as either", got)
	}
	other := told("x", "nodes", 3)
	other.Add(told("y", "pods", 1))
	if other.Events[0].Count != 3 {
		t.Errorf("an older telling of an event took over: %+v", other.Events)
	}
}

func TestNarrow(t *testing.T) {
	s := told("s", "pods", 1)
	s.Objects["pods"] = append(s.Objects["pods"], Object{Raw: json.RawMessage(`{"metadata":{"name":"b","namespace":"shop"}}`)})
	s.Objects["nodes"] = []Object{{Raw: json.RawMessage(`{"metadata":{"name":"n"}}`)}}
	s.AddLog("shop", "b", "main", false, []byte("x\n"))
	s.Metrics = []Series{{Labels: map[string]string{"__name__": "a", "namespace": "shop"}}, {Labels: map[string]string{"__name__": "b"}}}
	s.Narrow("ml")
	if len(s.Objects["pods"]) != 1 || len(s.Objects["nodes"]) != 1 || len(s.Logs) != 1 || len(s.Metrics) != 1 || len(s.Unseen) != 1 || len(s.Events) != 1 {
		t.Errorf("left of namespace ml: %+v", s)
	}
	s.Narrow("shop")
	if len(s.Objects["pods"]) != 0 || !s.Captured("pods") || len(s.Events) != 0 {
		t.Errorf("of a namespace with nothing in it is left %+v", s)
	}
}

func TestUnpack(t *testing.T) {
	s := told("s", "pods", 1)
	var b bytes.Buffer
	if err := s.Pack(&b); err != nil {
		t.Fatal(err)
	}
	got, err := Unpack(bytes.NewReader(b.Bytes()))
	if err != nil || len(got.Pods()) != 1 || len(got.Logs) != 1 {
		t.Errorf("unpacked %+v, %v", got, err)
	}
	if _, err := Unpack(strings.NewReader("x")); err == nil {
		t.Error("what is no archive was unpacked")
	}
}
