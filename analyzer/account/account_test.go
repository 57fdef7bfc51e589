package account

import (
	"strings"
	"testing"
	"time"

	"vedette.dev/analyzer"
)

var (
	noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	gpu  = analyzer.GPU("n1", "GPU-5")
	gone = analyzer.Diagnosis{Cause: "gpu-fell-off-bus", Subject: gpu, Confidence: 0.97, Summary: "GPU 5 of node n1 is gone.",
		Evidence:     []analyzer.Evidence{{Source: "nodes/n1/kmsg.log:7", At: noon, Text: "Xid 79"}},
		FirstSymptom: &analyzer.Symptom{At: noon, Subject: gpu, Text: "Xid 79"},
		Chain:        []analyzer.Link{{Subject: gpu, What: "Xid 79", At: noon}, {Subject: analyzer.Pod("ml", "a"), What: "<b>nobody</b> wrote this down", At: noon}},
		Remedy:       []string{"Drain the node."}}
)

// TestExplain checks that a sentence names its source, and that what rests on
// none is not said.
func TestExplain(t *testing.T) {
	told, err := Plain{}.Explain(t.Context(), analyzer.Incident{Diagnosis: &gone})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range told {
		if len(s.Cites) == 0 || strings.Contains(s.Text, "nobody") {
			t.Errorf("%q cites %q", s.Text, s.Cites)
		}
	}
	if len(told) != 4 || told[0].Text != "GPU 5 of node n1 is gone." || told[3].Text != "What to do: Drain the node." {
		t.Errorf("got %+v, want the summary, the first sign, the confidence and the remedy", told)
	}
}

func TestWriteText(t *testing.T) {
	var b strings.Builder
	WriteText(&b, analyzer.Report{Verdict: analyzer.Diagnosed, Diagnoses: []analyzer.Diagnosis{gone}, Unseen: []string{"nodes: not captured"}})
	for _, want := range []string{"gpu-fell-off-bus  gpu/n1/GPU-5  confidence 0.97", "GPU 5 of node n1 is gone. [1]", "[1] nodes/n1/kmsg.log:7", "Not seen\n  - nodes: not captured"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is not in\n%s", want, b.String())
		}
	}
}

func TestMarkdownIsNotMarkup(t *testing.T) {
	md := Markdown(analyzer.Incident{ID: "1", Title: "<script>", Subject: gpu, Opened: noon, Timeline: []analyzer.Moment{{At: noon, Subject: gpu, Text: "a|b"}}}, nil)
	if strings.Contains(md, "<script>") || !strings.Contains(md, `a\|b`) {
		t.Errorf("what a cluster wrote became markup:\n%s", md)
	}
}
