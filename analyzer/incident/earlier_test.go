package incident

import (
	"strings"
	"testing"
	"time"

	"vedette.dev/analyzer"
	"vedette.dev/rules/fault"
)

// TestEarlier checks that what comes again is told with when, how long and how it
// ended, the likest first, and that what is of another kind is not told.
func TestEarlier(t *testing.T) {
	b := open(t)
	now := noon
	happen := func(cause fault.CauseID, s analyzer.Subject, affected ...analyzer.Subject) string {
		t.Helper()
		now = now.Add(24 * time.Hour)
		r := analyzer.Report{Diagnoses: []analyzer.Diagnosis{{Cause: cause, Subject: s, Confidence: 0.9, Summary: string(cause), Affected: affected}}}
		in := record(t, b, now, r)[0]
		record(t, b, now.Add(quiet), blank)
		return in.ID
	}
	elsewhere := happen("gpu-fell-off-bus", analyzer.GPU("gpu-09", "GPU-1"), train)
	neighbour := happen("gpu-fell-off-bus", analyzer.GPU("gpu-03", "GPU-6"))
	itself := happen("gpu-fell-off-bus", gpu)
	hot := happen("gpu-thermal-throttle", gpu)
	happen("gpu-thermal-throttle", analyzer.GPU("gpu-03", "GPU-7")) // near, and another matter
	now = now.Add(24 * time.Hour)
	id := happen("gpu-fell-off-bus", gpu, analyzer.Node("gpu-03"), train)

	in, err := b.Incident(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range in.Earlier {
		got = append(got, e.ID+": "+strings.Join(e.Alike, ", "))
		if e.Closed.Sub(e.Opened) != quiet || e.Ended != "nothing of it seen for 3m0s" {
			t.Errorf("%s lasted %s and ended so: %q", e.ID, e.Closed.Sub(e.Opened), e.Ended)
		}
	}
	want := []string{itself + ": the same cause, the same gpu", neighbour + ": the same cause, the same node, a gpu as well",
		elsewhere + ": the same cause, it touched job/ml/train too, a gpu as well", hot + ": the same gpu"}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if len(in.Touched) != 3 || in.Touched[0] != gpu {
		t.Errorf("it touched %v, want the GPU, its node and the job", in.Touched)
	}
}
