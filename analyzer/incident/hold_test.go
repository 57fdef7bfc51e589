package incident

import (
	"strings"
	"testing"
	"time"

	"vedette.dev/analyzer"
	"vedette.dev/rules/fault"
)

var (
	train = analyzer.Subject{Kind: "job", Namespace: "ml", Name: "train"}
	rank  = analyzer.Pod("ml", "train-3-x7k2p")
)

// lostAt is the report of a GPU that fell off the bus and took a job with it.
func lostAt(t time.Time) analyzer.Report {
	return analyzer.Report{Diagnoses: []analyzer.Diagnosis{{Cause: "gpu-fell-off-bus", Subject: gpu, Confidence: 0.73, Summary: "GPU 5 fell off the bus; it hits 2 pods of job ml/train.",
		FirstSymptom: &analyzer.Symptom{At: t, Subject: gpu, Text: "Xid 79"},
		Evidence: []analyzer.Evidence{{Source: "history#7", At: t, Text: "Xid 79"},
			{Source: "history#9", At: t.Add(10 * time.Minute), Subject: rank, Text: "the collective timed out"}},
		Affected: []analyzer.Subject{analyzer.Node("gpu-03"), train, rank}}}}
}

// fadedAt is what is left of it once the Xid has left the window: the GPU's node
// lacks one, and a rank is the first to have died.
func fadedAt(t time.Time) analyzer.Report {
	return analyzer.Report{Diagnoses: []analyzer.Diagnosis{
		{Cause: "gpu-fell-off-bus", Subject: gpu, Confidence: 0.64, Summary: "GPU 5 fell off the bus.",
			FirstSymptom: &analyzer.Symptom{At: t.Add(time.Minute), Subject: gpu, Text: "the driver lacks it"},
			Evidence:     []analyzer.Evidence{{Source: "history#12", At: t.Add(time.Minute), Text: "the driver lacks it"}},
			Affected:     []analyzer.Subject{analyzer.Node("gpu-03")}},
		{Cause: "nccl-peer-died", Subject: train, Confidence: 0.6, Summary: "a rank of job ml/train ended first.",
			FirstSymptom: &analyzer.Symptom{At: t.Add(2 * time.Minute), Subject: rank, Text: "exit 1"},
			Evidence:     []analyzer.Evidence{{Source: "history#13", At: t.Add(2 * time.Minute), Text: "exit 1"}}},
	}}
}

func TestAnOpenIncidentForgetsNothing(t *testing.T) {
	b := open(t)
	record(t, b, noon.Add(11*time.Minute), lostAt(noon), lost)
	before, err := b.List(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	record(t, b, noon.Add(31*time.Minute), fadedAt(noon), lost)
	if got, want := state(t, b), "open:gpu-fell-off-bus:1"; got != want {
		t.Fatalf("half an hour later: got %q, want %q", got, want)
	}
	ins, err := b.List(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	is, was := ins[0], before[0]
	if is.Title != was.Title || is.Confidence != was.Confidence || len(is.Diagnosis.Affected) != 3 || !is.Diagnosis.FirstSymptom.At.Equal(noon) {
		t.Errorf("it became\n%q, %.2f, %v, %v, and was\n%q, %.2f, %v", is.Title, is.Confidence, is.Diagnosis.Affected, is.Diagnosis.FirstSymptom, was.Title, was.Confidence, was.Diagnosis.Affected)
	}
	if is.Diagnosis.Evidence[0].Source != "history#7" || len(is.Diagnosis.Evidence) != 3 {
		t.Errorf("it rests on %v", is.Diagnosis.Evidence)
	}
	var follows, ofRank bool
	for _, m := range is.Timeline {
		follows = follows || m.Subject == train && strings.HasPrefix(m.Text, "follows from it: ")
		ofRank = ofRank || m.Subject == rank && m.Source == "history#9"
	}
	if !follows || !ofRank {
		t.Errorf("the timeline lacks the consequence, or gives a rank's line to the GPU: %+v", is.Timeline)
	}

	// Out of view altogether, and nobody said a word for as long as it takes.
	gone := analyzer.Report{Diagnoses: fadedAt(noon).Diagnoses[1:]}
	record(t, b, noon.Add(50*time.Minute), gone, lost)
	if got, want := state(t, b), "open:gpu-fell-off-bus:1"; got != want {
		t.Errorf("with the cause out of view: got %q, want %q", got, want)
	}
	// What begins after all that it has noted has a reason of its own.
	late := fadedAt(noon.Add(time.Hour))
	late.Diagnoses = late.Diagnoses[1:]
	late.Diagnoses[0].Evidence[0].Source = "history#99"
	record(t, b, noon.Add(63*time.Minute), late, lost)
	if got, want := state(t, b), "open:nccl-peer-died:0 open:gpu-fell-off-bus:1"; got != want {
		t.Errorf("an hour later another rank dies: got %q, want %q", got, want)
	}
}

// A cause in full view beside another is a matter of its own.
func TestTwoCausesInView(t *testing.T) {
	b := open(t)
	r := lostAt(noon)
	record(t, b, noon.Add(11*time.Minute), r, lost)
	r.Diagnoses = append(r.Diagnoses, fadedAt(noon).Diagnoses[1])
	record(t, b, noon.Add(12*time.Minute), r, lost)
	if got, want := state(t, b), "open:nccl-peer-died:0 open:gpu-fell-off-bus:1"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// What a workload waits for changes with every pod that ends elsewhere: one
// incident says so, and no second one contradicts it.
func TestOneWaitIsOneIncident(t *testing.T) {
	waits := func(causes ...fault.CauseID) (r analyzer.Report) {
		for _, c := range causes {
			r.Diagnoses = append(r.Diagnoses, analyzer.Diagnosis{Cause: c, Subject: train, Confidence: 0.66, Summary: string(c)})
		}
		return r
	}
	f := analyzer.Finding{Kind: analyzer.Alert, Subject: rank, Signal: "PodPending", From: noon}
	b := open(t)
	record(t, b, noon, waits("gpu-capacity-exhausted"), f)
	if changed := record(t, b, noon.Add(time.Minute), waits("gpu-fragmented"), f); len(changed) != 1 {
		t.Errorf("%d incidents changed, want the one", len(changed))
	}
	record(t, b, noon.Add(2*time.Minute), waits("gpu-capacity-exhausted", "gpu-fragmented"), f) // two of its pods ask for different things
	if got, want := state(t, b), "open:gpu-fragmented:1"; got != want {
		t.Fatalf("got %q, want %q", got, want)
	}
	ins, err := b.List(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	var said int
	for _, m := range ins[0].Timeline {
		if m.Kind == "cause" && m.Text == "the cause is gpu-fragmented now, and was gpu-capacity-exhausted" {
			said++
		}
	}
	if said != 1 || ins[0].Title != "gpu-fragmented" {
		t.Errorf("%q says %d times that its cause changed", ins[0].Title, said)
	}
}

// A pod that waits is its own workload's incident, though a lost GPU touches it too;
// where that explains the wait, it is part of the GPU's.
func TestAFindingIsOfWhatItIsAbout(t *testing.T) {
	waits := analyzer.Diagnosis{Cause: "gpu-capacity-exhausted", Subject: train, Confidence: 0.66, Summary: "it waits"}
	f := analyzer.Finding{Kind: analyzer.Alert, Subject: rank, Signal: "PodPending", From: noon}
	both := lostAt(noon)
	both.Diagnoses = append(both.Diagnoses, waits)
	b := open(t)
	record(t, b, noon, both, lost, f)
	record(t, b, noon.Add(time.Minute), lostAt(noon), lost, f) // a moment without a cause of its own
	if got, want := state(t, b), "open:gpu-capacity-exhausted:1 open:gpu-fell-off-bus:1"; got != want {
		t.Fatalf("got %q, want %q", got, want)
	}
	follows := lostAt(noon)
	follows.Rejected = []analyzer.Rejected{{Cause: waits.Cause, Subject: train, Why: "it follows from gpu-fell-off-bus"}}
	record(t, b, noon.Add(2*time.Minute), follows, lost, f)
	if got, want := state(t, b), "open:gpu-fell-off-bus:2 closed:gpu-capacity-exhausted:1"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
