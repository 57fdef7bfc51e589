// Package publishtest holds every [publish.Target] to the same contract.
package publishtest

import (
	"testing"
	"time"

	"vedette.dev/rules"
	"vedette.dev/rules/publish"
)

// Group is what the test publishes, with its limit.
func Group(limit string) rules.Group {
	return rules.Group{ID: "gpu-hot", Owner: "ada", Revision: 1, Asked: "hot GPUs?", Every: time.Minute, Rules: []rules.Rule{{
		Name: "GPUHot", Expr: "DCGM_FI_DEV_GPU_TEMP > " + limit, For: 5 * time.Minute, KeepFiring: time.Minute,
		Labels: map[string]string{"severity": "warning"}, Annotations: map[string]string{"summary": "GPU {{ $labels.gpu }} is hot", "runbook_url": "https://runbooks.example/hot"},
	}}}
}

// Target takes a target through the life of a group: published, published
// again, changed, withdrawn, withdrawn again. writes returns how often the
// target has changed anything.
func Target(t *testing.T, target publish.Target, writes func() int) {
	t.Helper()
	stands := func(want rules.Group) {
		t.Helper()
		got, err := target.Standing(t.Context(), want.ID)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range publish.Diff(want, got) {
			t.Errorf("what stands differs: %s", line)
		}
	}
	nothing := rules.Group{ID: "gpu-hot", Owner: "ada", Revision: 3}
	stands(nothing)
	for i, step := range []struct {
		g       rules.Group
		changes bool
	}{{Group("85"), true}, {Group("85"), false}, {Group("90"), true}, {nothing, true}, {nothing, false}, {Group("85"), true}} {
		before := writes()
		if err := target.Put(t.Context(), step.g); err != nil {
			t.Fatalf("step %d: %v", i, err)
		}
		if changed := writes() > before; changed != step.changes {
			t.Errorf("step %d: something is written: %t, want %t", i, changed, step.changes)
		}
		stands(step.g)
	}
}
