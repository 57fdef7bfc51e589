package remedy_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"vedette.dev/analyzer"
	"vedette.dev/analyzer/action"
	"vedette.dev/analyzer/remedy"
	"vedette.dev/rules/fault"
)

// kinds are the actions that the program knows how to propose.
var kinds = map[string]bool{"": true, string(action.CordonNode): true}

func TestEveryActionIsKnown(t *testing.T) {
	for id, c := range fault.Causes() {
		if !kinds[c.Action] {
			t.Errorf("cause %s: nobody knows the action %q", id, c.Action)
		}
	}
}

func lost() analyzer.Incident {
	gpu := analyzer.GPU("gpu-07", "GPU-1")
	return analyzer.Incident{ID: "2026-11-22-1", Diagnosis: &analyzer.Diagnosis{
		Cause: "gpu-fell-off-bus", Subject: gpu, Confidence: 0.93, Summary: "GPU 1 of gpu-07 fell off the bus.",
		Evidence: []analyzer.Evidence{{Source: "nodes/gpu-07/kmsg.log:3"}, {Source: "events.jsonl:9"}},
		Affected: []analyzer.Subject{analyzer.Pod("ml", "train-0"), {Kind: "job", Namespace: "ml", Name: "train"}, analyzer.Node("gpu-07")},
	}}
}

func TestPlan(t *testing.T) {
	want := []action.Action{{
		Kind: action.CordonNode, Target: "node/gpu-07",
		Reason: "GPU 1 of gpu-07 fell off the bus (confidence 0.93)",
		Effect: "node gpu-07 takes no new pods; what runs on it goes on; the fault already hurts job/ml/train",
		Cites:  []string{"incident#2026-11-22-1", "nodes/gpu-07/kmsg.log:3", "events.jsonl:9"},
	}}
	if diff := cmp.Diff(want, remedy.Planner{}.Plan(lost())); diff != "" {
		t.Errorf("plan (-want +got):\n%s", diff)
	}
}

func TestNothingIsProposed(t *testing.T) {
	for name, change := range map[string]func(*analyzer.Incident){
		"unexplained": func(in *analyzer.Incident) { in.Diagnosis = nil },
		"unsure":      func(in *analyzer.Incident) { in.Diagnosis.Confidence = 0.69 },
		"closed":      func(in *analyzer.Incident) { in.Closed = time.Unix(1, 0) },
		"a person's":  func(in *analyzer.Incident) { in.Diagnosis.Cause = "node-taint-untolerated" },
		"no node":     func(in *analyzer.Incident) { in.Diagnosis.Subject = analyzer.Pod("ml", "train-0") },
	} {
		t.Run(name, func(t *testing.T) {
			in := lost()
			change(&in)
			if got := (remedy.Planner{}).Plan(in); len(got) > 0 {
				t.Errorf("proposed %v", got)
			}
		})
	}
}
