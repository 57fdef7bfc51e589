package snapshot

import (
	"encoding/json"
	"testing"
	"time"
)

func TestWith(t *testing.T) {
	at := time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)
	line := func(minute int, source string) Line {
		return Line{At: at.Add(time.Duration(minute) * time.Minute), Text: source, Source: source}
	}
	s := &Snapshot{CapturedAt: at, Kernel: map[string][]Line{"n": {line(5, "k:2")}}, Logs: []Log{{Namespace: "ml", Pod: "p", Container: "main", Lines: []Line{line(5, "l:2")}}},
		Events: []Event{{Source: "e:1"}}, History: []Revision{{Source: "h:1", Raw: json.RawMessage(`{}`)}},
		Metrics: []Series{{Labels: map[string]string{"__name__": "m"}, Samples: []Sample{{At: at, Value: 1}}}}}
	if got := s.Series("m"); len(got) != 1 { // remembered, and not by the other
		t.Fatalf("series are %+v", got)
	}
	o := &Snapshot{Kernel: map[string][]Line{"n": {line(5, "k:2"), line(1, "k:1")}, "other": {line(1, "o:1")}},
		Logs:   []Log{{Namespace: "ml", Pod: "p", Container: "main", Lines: []Line{line(1, "l:1"), line(5, "l:2")}}, {Namespace: "ml", Pod: "q", Lines: []Line{line(1, "q:1")}}},
		Events: []Event{{Source: "e:1"}, {Source: "e:2"}}, History: []Revision{{Source: "h:1"}, {Source: "h:0", At: at.Add(-time.Hour)}},
		Metrics: []Series{{Labels: map[string]string{"__name__": "m"}, Samples: []Sample{{At: at.Add(-time.Hour), Value: 0}, {At: at.Add(time.Minute), Value: 9}}}, {Labels: map[string]string{"__name__": "x"}, Samples: []Sample{{Value: 1}}}}}
	w := s.With(o)
	if ls := w.Kernel["n"]; len(ls) != 2 || ls[0].Source != "k:1" || len(w.Kernel["other"]) != 1 {
		t.Errorf("kernel logs are %+v", w.Kernel)
	}
	if len(w.Logs) != 2 || len(w.Logs[0].Lines) != 2 || w.Logs[0].Lines[0].Source != "l:1" {
		t.Errorf("logs are %+v", w.Logs)
	}
	if len(w.Events) != 2 || len(w.History) != 2 {
		t.Errorf("events are %+v, revisions %+v", w.Events, w.History)
	}
	if got := w.Series("m"); len(got) != 1 || len(got[0].Samples) != 2 || got[0].Samples[0].Value != 0 || got[0].Samples[1].Value != 1 || len(w.Series("x")) != 1 {
		t.Errorf("series are %+v", got)
	}
	if len(s.Kernel["n"]) != 1 || len(s.Kernel) != 1 || len(s.Logs[0].Lines) != 1 || len(s.Metrics) != 1 || len(s.Metrics[0].Samples) != 1 || len(s.Events) != 1 {
		t.Errorf("it was changed: %+v", s)
	}
}
