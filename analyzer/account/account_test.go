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

// TestRuledOutCitesItsOwn checks that "it is not" cites what rules a cause out and
// never what speaks for another, and that what has no source says so.
func TestRuledOutCitesItsOwn(t *testing.T) {
	in := analyzer.Incident{ID: "1", Subject: gpu, Opened: noon, Diagnosis: &gone,
		Rejected: []analyzer.Rejected{{Cause: "gpu-fragmented", Subject: gpu, Why: "too few in all", Cites: []string{"objects/nodes.json#n1"}},
			{Cause: "cluster-dns-down", Subject: gpu, Why: "it answers"}},
		Timeline: []analyzer.Moment{{At: noon, Subject: gpu, Kind: "evidence", Text: "Xid 79", Source: "nodes/n1/kmsg.log:7"}},
		Touched:  []analyzer.Subject{gpu, analyzer.Node("n1")},
		Earlier: []analyzer.Earlier{{ID: "0", Title: "GPU 5 was gone.", Opened: noon.Add(-time.Hour), Closed: noon.Add(-50 * time.Minute),
			Ended: "nothing of it seen for 3m0s", Alike: []string{"the same cause", "the same gpu"}}},
	}
	told, err := Plain{}.Explain(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	var not []string
	for _, s := range told {
		if strings.HasPrefix(s.Text, "It is not") {
			not = append(not, s.Text+" "+strings.Join(s.Cites, " "))
		}
	}
	if want := "It is not gpu-fragmented of gpu/n1/GPU-5: too few in all. objects/nodes.json#n1"; len(not) != 1 || not[0] != want {
		t.Errorf("got %q, want %q alone", not, want)
	}
	md := Markdown(in, told)
	for _, want := range []string{
		"cluster-dns-down of gpu/n1/GPU-5: it answers (no source)",
		"`nodes/n1/kmsg.log:7` (`gpu/n1/GPU-5`, 2026-03-01 12:00:00 UTC: Xid 79)",
		"## What it touched\n\n- `gpu/n1/GPU-5`\n- `node/n1`\n",
		"- 0, opened 2026-03-01 11:00:00 UTC, lasted 10m0s and ended so: nothing of it seen for 3m0s. GPU 5 was gone. (the same cause, the same gpu)",
	} {
		if !strings.Contains(md, want) {
			t.Errorf("%q is not in\n%s", want, md)
		}
	}
}
