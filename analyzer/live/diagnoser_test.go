package live_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"vedette.dev/analyzer"
	"vedette.dev/analyzer/diagnose/facts"
	"vedette.dev/analyzer/history"
	"vedette.dev/analyzer/incident"
	"vedette.dev/analyzer/live"
)

// A tracked is what a book holds open.
type tracked []analyzer.Incident

func (t tracked) Ongoing(context.Context) ([]analyzer.Incident, error) { return t, nil }

// lost fills a store with three hours of two GPUs, the first of which ends at
// noon with an Xid, and an alert of it that goes on.
func lost(t *testing.T) *live.Camera {
	db, past := open(t)
	app := db.DB().Appender(t.Context())
	for at := noon.Add(-10 * time.Minute); !at.After(noon.Add(3 * time.Hour)); at = at.Add(30 * time.Second) {
		for gpu, bus := range map[int]string{0: "00000000:4E:00.0", 1: "00000000:4F:00.0"} {
			if gpu == 0 && at.After(noon) {
				continue
			}
			ls := labels.FromStrings("__name__", "DCGM_FI_DEV_GPU_TEMP", "Hostname", "gpu-01", "gpu", fmt.Sprint(gpu), "UUID", fmt.Sprint("GPU-", gpu), "pci_bus_id", bus, "modelName", "H100")
			if _, err := app.Append(0, ls, at.UnixMilli(), 60); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := app.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := past.Append(t.Context(), []history.Record{{Kind: history.KernelLine, At: noon, Subject: analyzer.Node("gpu-01"), Text: xid79}}); err != nil {
		t.Fatal(err)
	}
	return &live.Camera{Querier: db, History: past, Metrics: facts.Metrics()}
}

// TestAnOpenIncidentStaysInView checks that what an open incident rests on is
// looked at for longer than the window, and that there is an end to it.
func TestAnOpenIncidentStaysInView(t *testing.T) {
	camera := lost(t)
	open := tracked{{Diagnosis: &analyzer.Diagnosis{FirstSymptom: &analyzer.Symptom{At: noon}}}, {}}
	for _, c := range []struct {
		after time.Duration
		book  live.Ongoing
		sees  bool
	}{
		{20 * time.Minute, nil, true},
		{31 * time.Minute, nil, false},
		{31 * time.Minute, tracked{}, false},
		{31 * time.Minute, open, true},
		{115 * time.Minute, open, true},
		{116 * time.Minute, open, false},
	} {
		r, err := live.Diagnoser{Camera: camera, Book: c.book}.Diagnose(t.Context(), nil, noon.Add(c.after))
		if err != nil {
			t.Fatal(err)
		}
		if sees := len(r.Diagnoses) > 0 && r.Diagnoses[0].Cause == "gpu-fell-off-bus"; sees != c.sees {
			t.Errorf("%s after it, with %v open: it is seen %t, want %t", c.after, c.book, sees, c.sees)
		}
	}
}

// TestThreeHoursOfOneIncident runs the loop from the fault on: whatever leaves the
// window, the one incident tells the same.
func TestThreeHoursOfOneIncident(t *testing.T) {
	camera := lost(t)
	book, err := incident.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer book.Close()
	found := []analyzer.Finding{{Kind: analyzer.Alert, Subject: analyzer.GPU("gpu-01", "GPU-0"), Signal: "GPULost", From: noon, Text: "it is gone"}}
	var first analyzer.Incident
	for after := time.Minute; after < 3*time.Hour; after += 2 * time.Minute {
		now := noon.Add(after)
		r, err := live.Diagnoser{Camera: camera, Book: book}.Diagnose(t.Context(), found, now)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := book.Record(t.Context(), found, r, now); err != nil {
			t.Fatal(err)
		}
		ins, err := book.List(t.Context(), 10)
		if err != nil || len(ins) != 1 {
			t.Fatalf("%s after it: %d incidents, %v; want one", after, len(ins), err)
		}
		if first.ID == "" {
			first = ins[0]
		}
		if is := ins[0]; !is.Open() || is.Title != first.Title || is.Diagnosis == nil || !is.Diagnosis.FirstSymptom.At.Equal(noon) || is.Confidence < first.Confidence {
			t.Fatalf("%s after it, it is %+v; at first it was %+v", after, is, first)
		}
	}
}
