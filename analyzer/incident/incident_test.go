package incident

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"vedette.dev/analyzer"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

var (
	gpu  = analyzer.GPU("gpu-03", "GPU-5")
	lost = analyzer.Finding{Kind: analyzer.Alert, Subject: gpu, Signal: "GPULost", From: noon, Severity: "critical", Text: "GPU 5 is gone"}
	xid  = analyzer.Finding{Kind: analyzer.Alert, Subject: analyzer.Node("gpu-03"), Signal: "GPUXid", From: noon, Severity: "warning", Text: "Xid 79"}
	odd  = analyzer.Finding{Kind: analyzer.Anomaly, Subject: gpu, Signal: "DCGM_FI_DEV_POWER_USAGE", From: noon, Text: "power fell"}
	far  = analyzer.Finding{Kind: analyzer.Alert, Subject: analyzer.Node("gpu-09"), Signal: "DiskFull", From: noon, Text: "disk"}
	fell = analyzer.Report{Diagnoses: []analyzer.Diagnosis{{Cause: "gpu-fell-off-bus", Subject: gpu, Confidence: 0.97, Summary: "GPU 5 fell off the bus",
		Evidence: []analyzer.Evidence{{Source: "history#7", At: noon.Add(-time.Minute), Text: "Xid 79"}},
		Affected: []analyzer.Subject{{Kind: "job", Namespace: "ml", Name: "train"}}}}}
	blank analyzer.Report
)

func open(t *testing.T) *Book {
	t.Helper()
	b, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

func record(t *testing.T, b *Book, now time.Time, r analyzer.Report, fs ...analyzer.Finding) []analyzer.Incident {
	t.Helper()
	changed, err := b.Record(t.Context(), fs, r, now)
	if err != nil {
		t.Fatal(err)
	}
	return changed
}

// state lists the incidents as cause, number of findings, open or closed.
func state(t *testing.T, b *Book) string {
	t.Helper()
	ins, err := b.List(t.Context(), 100)
	if err != nil {
		t.Fatal(err)
	}
	var s []string
	for _, in := range ins {
		word := "open"
		if !in.Open() {
			word = "closed"
		}
		s = append(s, fmt.Sprintf("%s:%s:%d", word, in.Cause, len(in.Findings)))
	}
	return strings.Join(s, " ")
}

func TestOneCauseIsOneIncident(t *testing.T) {
	b := open(t)
	record(t, b, noon, fell, lost, xid, odd)
	if got, want := state(t, b), "open:gpu-fell-off-bus:3"; got != want {
		t.Fatalf("got %q, want %q", got, want)
	}
	pods := make([]analyzer.Finding, 64)
	for i := range pods {
		pods[i] = analyzer.Finding{Kind: analyzer.Alert, Subject: analyzer.Pod("ml", fmt.Sprintf("train-%d", i)), Signal: "PodFailed", From: noon}
	}
	record(t, b, noon.Add(time.Minute), fell, append(pods, lost)...)
	if got, want := state(t, b), "open:gpu-fell-off-bus:67"; got != want {
		t.Errorf("64 pods of the dead job: got %q, want %q", got, want)
	}
}

func TestUnexplainedThenExplained(t *testing.T) {
	b := open(t)
	record(t, b, noon, blank, lost, xid, far)
	if got, want := state(t, b), "open::1 open::1 open::1"; got != want {
		t.Fatalf("got %q, want %q", got, want)
	}
	// The cause became known, and the other incident of its node is a part of it.
	if changed := record(t, b, noon.Add(15*time.Second), fell, lost, far); len(changed) != 2 || changed[0].Cause != "gpu-fell-off-bus" || changed[1].Open() {
		t.Errorf("the cause became known and %+v was reported", changed)
	}
	// The diagnosis does not hold for a moment: the incident goes on under its cause.
	record(t, b, noon.Add(30*time.Second), blank, lost, far)
	if got, want := state(t, b), "open::1 open:gpu-fell-off-bus:1 closed::1"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestPodsOfOneJob checks that the pods of a job that waits are one incident,
// though they are not all noticed while the diagnosis speaks of it.
func TestPodsOfOneJob(t *testing.T) {
	job := analyzer.Subject{Kind: "job", Namespace: "batch", Name: "rerank"}
	pod := func(i int) analyzer.Finding {
		return analyzer.Finding{Kind: analyzer.Alert, Subject: analyzer.Pod("batch", fmt.Sprintf("rerank-%d-x7k2p", i)), Signal: "PodPending", From: noon}
	}
	other := analyzer.Finding{Kind: analyzer.Alert, Subject: analyzer.Pod("batch", "index-0"), Signal: "PodPending", From: noon}
	waits := analyzer.Report{Diagnoses: []analyzer.Diagnosis{{Cause: "gpu-capacity-exhausted", Subject: job, Confidence: 0.9, Summary: "it waits"}}}

	t.Run("noticed after the cause", func(t *testing.T) {
		b := open(t)
		record(t, b, noon, waits, pod(0))
		record(t, b, noon.Add(time.Minute), blank, pod(1))
		if got, want := state(t, b), "open:gpu-capacity-exhausted:2"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		record(t, b, noon.Add(2*time.Minute), blank, pod(1), other)
		if got, want := state(t, b), "open::1 open:gpu-capacity-exhausted:2"; got != want {
			t.Errorf("with a pod of another job: got %q, want %q", got, want)
		}
	})
	t.Run("noticed before the cause", func(t *testing.T) {
		b := open(t)
		record(t, b, noon, blank, pod(0))
		record(t, b, noon.Add(time.Second), blank, pod(0), far)
		record(t, b, noon.Add(time.Minute), waits, pod(1))
		record(t, b, noon.Add(2*time.Minute), waits, pod(0), pod(1))
		ins, err := b.List(t.Context(), 10)
		if err != nil {
			t.Fatal(err)
		}
		var of []string
		for _, in := range ins {
			if in.Open() && in.Subject.Namespace == "batch" {
				of = append(of, in.ID)
			}
			if !in.Open() && in.Timeline[len(in.Timeline)-1].Text != "it is part of incident "+of[0] {
				t.Errorf("incident %s ended so: %q", in.ID, in.Timeline[len(in.Timeline)-1].Text)
			}
		}
		if len(of) != 1 {
			t.Errorf("%d open incidents of one job, want 1: %s", len(of), state(t, b))
		}
	})
}

// What one series does by itself wakes nobody.
func TestAnomalyAloneOpensNothing(t *testing.T) {
	b := open(t)
	if changed := record(t, b, noon, blank, odd); len(changed) != 0 || state(t, b) != "" {
		t.Errorf("an anomaly alone opened %q", state(t, b))
	}
}

// What detectors call a warning, and nothing explains for a while, is an incident
// that says so; one that is explained in time is never two.
func TestAnAnomalyThatIsAWarningStandsAlone(t *testing.T) {
	gone := odd
	gone.Severity, gone.Text, gone.Last = "warning", "power is no longer reported", noon.Add(patience)
	b := open(t)
	if record(t, b, noon.Add(patience-time.Second), blank, gone); state(t, b) != "" {
		t.Fatalf("at once it opened %q", state(t, b))
	}
	record(t, b, noon.Add(patience), blank, gone)
	ins, err := b.List(t.Context(), 10)
	if err != nil || len(ins) != 1 {
		t.Fatal(ins, err)
	}
	if in := ins[0]; in.Severity != "warning" || in.Cause != "" || in.Title != "node/gpu-03: power is no longer reported, cause not known" {
		t.Errorf("it opened %+v", in)
	}
	record(t, b, noon.Add(patience+time.Minute), fell, gone)
	if got, want := state(t, b), "open:gpu-fell-off-bus:1"; got != want {
		t.Errorf("with a cause: got %q, want %q", got, want)
	}

	b = open(t)
	record(t, b, noon, fell, gone)
	record(t, b, noon.Add(time.Hour), fell, gone)
	if got, want := state(t, b), "open:gpu-fell-off-bus:1"; got != want {
		t.Errorf("explained from the first: got %q, want %q", got, want)
	}
}

// What somebody says is no anomaly shows so in its incident, and keeps none open.
func TestAMarkedAnomalyEndsItsIncident(t *testing.T) {
	b := open(t)
	gone := odd
	gone.Severity = "warning"
	record(t, b, noon.Add(patience), blank, gone)
	at := noon.Add(patience + time.Minute)
	mark := analyzer.NewMark(gone, "ada", "a new board", at, time.Time{})
	gone.Marked = &mark
	for d := time.Duration(0); d <= quiet; d += time.Minute {
		record(t, b, at.Add(d), blank, gone)
	}
	ins, err := b.List(t.Context(), 10)
	if err != nil || len(ins) != 1 {
		t.Fatal(ins, err)
	}
	f, last := ins[0].Findings[0], ins[0].Timeline[len(ins[0].Timeline)-2]
	if f.Marked == nil || !f.To.Equal(at) || ins[0].Open() || last.Kind != "marked" || !strings.Contains(last.Text, "no anomaly by ada") {
		t.Errorf("the incident is %+v", ins[0])
	}
	b = open(t)
	if record(t, b, at, blank, gone); state(t, b) != "" {
		t.Errorf("what is marked opened %q", state(t, b))
	}
}

func TestCloseAndReopen(t *testing.T) {
	b := open(t)
	record(t, b, noon, fell, lost)
	if changed := record(t, b, noon.Add(quiet-time.Second), blank); len(changed) != 0 {
		t.Fatal("closed before its time")
	}
	changed := record(t, b, noon.Add(quiet), blank)
	if len(changed) != 1 || changed[0].Open() || changed[0].Findings[0].To.IsZero() {
		t.Fatalf("not closed: %+v", changed)
	}
	id := changed[0].ID
	back := record(t, b, noon.Add(quiet+memory), fell, lost)
	if len(back) != 1 || back[0].ID != id || back[0].Reopened != 1 {
		t.Errorf("within the memory it did not come back as %s: %+v", id, back)
	}
	record(t, b, noon.Add(10*time.Hour), blank)
	if again := record(t, b, noon.Add(20*time.Hour), fell, lost); len(again) != 1 || again[0].ID == id {
		t.Errorf("long after its end it is not a new incident: %+v", again)
	}
}

func TestTimelineIsInOrderAndOnce(t *testing.T) {
	b := open(t)
	for i := range 3 {
		record(t, b, noon.Add(time.Duration(i)*time.Second), fell, lost)
	}
	ins, err := b.List(t.Context(), 1)
	if err != nil || len(ins) != 1 {
		t.Fatal(ins, err)
	}
	var kinds []string
	for _, m := range ins[0].Timeline {
		kinds = append(kinds, m.Kind)
	}
	if got, want := strings.Join(kinds, " "), "evidence opened finding"; got != want {
		t.Errorf("timeline is %q, want %q", got, want)
	}
	if ins[0].Severity != "critical" {
		t.Errorf("severity is %q, want that of its worst finding", ins[0].Severity)
	}
}
