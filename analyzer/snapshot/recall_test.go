package snapshot

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"vedette.dev/analyzer"
)

func revised(minute int, kind, raw string) Revision {
	return Revision{At: time.Date(2026, 3, 1, 9, minute, 0, 0, time.UTC), Type: kind, Raw: json.RawMessage(raw), Source: "history.jsonl:" + string(rune('0'+minute))}
}

const (
	goneJob = `{"apiVersion":"batch/v1","kind":"Job","metadata":{"name":"train","namespace":"ml"},"spec":{},"status":{"failed":1}}`
	gonePod = `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"train-0","namespace":"ml","ownerReferences":[{"kind":"Job","name":"train"}]},"status":{"phase":"Failed"}}`
	isPod   = `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"web-0","namespace":"ml"},"status":{"phase":"Running"}}`
	noPod   = `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"train-0","namespace":"ml"}}`
)

func TestRecall(t *testing.T) {
	s := &Snapshot{Objects: map[string][]Object{"pods": {{Raw: json.RawMessage(isPod), Source: "objects/pods.json#ml/web-0"}}}, History: []Revision{
		revised(1, "ADDED", goneJob), revised(2, "ADDED", gonePod), revised(3, "MODIFIED", isPod),
		revised(4, "DELETED", noPod), // nobody watched: only that it went is known
		revised(5, "DELETED", goneJob),
	}}
	for subject, want := range map[string]string{
		"pod/ml/train-0": "objects/pods.json#ml/web-0 history.jsonl:2",
		"job/ml/train":   "objects/pods.json#ml/web-0 history.jsonl:2 history.jsonl:5", // and its pods
		"pod/ml/web-0":   "objects/pods.json#ml/web-0",
		"pod/ml/other":   "objects/pods.json#ml/web-0",
	} {
		x, err := analyzer.ParseSubject(subject)
		if err != nil {
			t.Fatal(err)
		}
		r := s.Recall(x)
		var got []string
		for _, o := range slices.Concat(r.Objects["pods"], r.Objects["jobs.batch"]) {
			got = append(got, o.Source)
		}
		if text := strings.Join(got, " "); text != want {
			t.Errorf("with %s recalled there are %s, want %s", subject, text, want)
		}
		if put := len(got) - 1; put != len(r.Unseen) {
			t.Errorf("%s: %d were put back, and it says %q", subject, put, r.Unseen)
		}
	}
	if len(s.Objects["pods"]) != 1 || len(s.Unseen) != 0 {
		t.Error("the snapshot itself was changed")
	}
	back := &Snapshot{History: append(slices.Clone(s.History), revised(6, "ADDED", gonePod))}
	if x := (analyzer.Subject{Kind: "pod", Namespace: "ml", Name: "train-0"}); back.Recall(x) != back {
		t.Error("a pod that came back counts as gone")
	}
}
