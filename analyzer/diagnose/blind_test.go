package diagnose

import (
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"vedette.dev/analyzer"
)

// without returns the report of a case some of whose files were not captured.
func without(t *testing.T, name string, missing ...string) analyzer.Report {
	t.Helper()
	a, err := txtar.ParseFile("testdata/" + name + ".txtar")
	if err != nil {
		t.Fatal(err)
	}
	n := len(a.Files)
	a.Files = slices.DeleteFunc(a.Files, func(f txtar.File) bool { return f.Name == wantFile || slices.Contains(missing, f.Name) })
	if n-len(a.Files) != len(missing)+1 {
		t.Fatalf("%s does not have all of %q", name, missing)
	}
	return Diagnose(unpack(t, a), analyzer.Subject{})
}

func TestWithoutPodsNothingIsHealthy(t *testing.T) {
	r := without(t, "node-cordoned", "objects/pods.json", "events.jsonl")
	if r.Verdict != analyzer.Inconclusive || !slices.Contains(r.Unseen, analyzer.NoPods) {
		t.Errorf("the verdict without pods and events is %s, and unseen %q", r.Verdict, r.Unseen)
	}
	r = without(t, "node-cordoned", "objects/pods.json", "events.jsonl", "objects/nodes.json", "objects/jobs.batch.json", "objects/deployments.apps.json", "objects/replicasets.apps.json")
	if r.Verdict != analyzer.Inconclusive {
		t.Errorf("the verdict on nothing at all is %s", r.Verdict)
	}
}

func TestWithoutNodesNoPlacementIsSure(t *testing.T) {
	r := without(t, "node-cordoned", "objects/nodes.json")
	for _, d := range r.Diagnoses {
		if d.Confidence > unseenAtMost || !slices.ContainsFunc(d.Caveats, func(c string) bool { return strings.Contains(c, "nodes were not captured") }) {
			t.Errorf("%s with %.2f and the caveats %q", d.Cause, d.Confidence, d.Caveats)
		}
	}
	if len(r.Diagnoses) == 0 {
		t.Error("nothing is said of a pod that waits")
	}
}
