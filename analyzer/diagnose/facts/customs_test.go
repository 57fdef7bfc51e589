package facts

import (
	"encoding/json"
	"testing"
	"time"
)

// TestFailure holds statuses as operators write them.
func TestFailure(t *testing.T) {
	at := time.Date(2026, 3, 1, 9, 31, 0, 0, time.UTC)
	tests := []struct {
		name, status, want string
		at                 time.Time
	}{
		{"kubeflow", `{"conditions":[{"type":"Created","status":"True"},{"type":"Failed","status":"True","reason":"MPIJobFailed","message":"MPIJob a has failed","lastTransitionTime":"2026-03-01T09:31:00Z"}]}`, "MPIJobFailed: MPIJob a has failed", at},
		{"kubeflow that goes on", `{"conditions":[{"type":"Running","status":"True"},{"type":"Failed","status":"False"}]}`, "", time.Time{}},
		{"tekton", `{"conditions":[{"type":"Succeeded","status":"False","reason":"Failed","message":"Tasks Completed: 2 (Failed: 1)","lastTransitionTime":"2026-03-01T09:31:00Z"}]}`, "Failed: Tasks Completed: 2 (Failed: 1)", at},
		{"argo", `{"phase":"Failed","message":"child failed","finishedAt":"2026-03-01T09:31:00Z"}`, "Failed: child failed", at},
		{"volcano", `{"state":{"phase":"Aborted","message":"task failed"}}`, "Aborted: task failed", time.Time{}},
		{"spark", `{"applicationState":{"state":"SUBMISSION_FAILED","errorMessage":"no driver"}}`, "SUBMISSION_FAILED: no driver", time.Time{}},
		{"ray", `{"jobStatus":"FAILED","endTime":"2026-03-01T09:31:00Z","message":"exit code 1"}`, "FAILED: exit code 1", at},
		{"ray that ended well", `{"jobStatus":"SUCCEEDED","endTime":"2026-03-01T09:31:00Z"}`, "", time.Time{}},
		{"ray cluster", `{"state":"ready"}`, "", time.Time{}},
		{"nothing", ``, "", time.Time{}},
		{"another form", `{"conditions":"all well"}`, "", time.Time{}},
	}
	for _, tt := range tests {
		if got, at := failure(json.RawMessage(tt.status)); got != tt.want || !at.Equal(tt.at) {
			t.Errorf("%s: %q at %v, want %q at %v", tt.name, got, at, tt.want, tt.at)
		}
	}
}
