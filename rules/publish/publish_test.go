package publish

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/prometheus/model/rulefmt"

	"vedette.dev/rules"
)

func hot(limit string) rules.Group {
	return rules.Group{ID: "gpu-hot", Owner: "ada", Asked: `hot {{ "GPUs" }}?`, Every: 15 * time.Second, Rules: []rules.Rule{{
		Name: "GPUHot", Expr: "DCGM_FI_DEV_GPU_TEMP > " + limit, For: 5 * time.Minute,
		Labels: map[string]string{"severity": "warning"},
	}}}
}

// standing returns the limit of the rule that Prometheus would read, or "".
func standing(t *testing.T, d *Dir) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(d.Path, "gpu-hot.yaml"))
	if errors.Is(err, os.ErrNotExist) {
		return ""
	}
	if err != nil {
		t.Fatal(err)
	}
	_, limit, _ := strings.Cut(string(data), "TEMP > ")
	limit, _, _ = strings.Cut(limit, "\n")
	return limit
}

func TestPublishAndUndo(t *testing.T) {
	reloads := 0
	d := &Dir{Path: t.TempDir(), Reload: func() error { reloads++; return nil }}
	for _, limit := range []string{"85", "90", "90"} {
		if err := d.Publish(t.Context(), hot(limit)); err != nil {
			t.Fatal(err)
		}
		if got := standing(t, d); got != limit {
			t.Fatalf("published %s, and %q stands", limit, got)
		}
	}
	if reloads != 2 {
		t.Errorf("reloaded %d times, want 2: the third changes nothing", reloads)
	}
	gs, err := d.Groups()
	if err != nil || len(gs) != 1 || gs[0].Revision != 2 || gs[0].Owner != "ada" {
		t.Fatalf("groups are %+v, %v", gs, err)
	}

	for _, want := range []string{"85", "90"} { // undoing an undo brings it back
		if _, err := d.Undo(t.Context(), "gpu-hot"); err != nil {
			t.Fatal(err)
		}
		if got := standing(t, d); got != want {
			t.Errorf("after undo %q stands, want %q", got, want)
		}
	}
}

func TestUndoOfTheFirstWithdraws(t *testing.T) {
	d := &Dir{Path: t.TempDir()}
	if err := d.Publish(t.Context(), hot("85")); err != nil {
		t.Fatal(err)
	}
	if g, err := d.Undo(t.Context(), "gpu-hot"); err != nil || len(g.Rules) != 0 || g.Revision != 2 {
		t.Fatalf("got %+v, %v", g, err)
	}
	if got := standing(t, d); got != "" {
		t.Errorf("%q still stands", got)
	}
	if _, err := d.Undo(t.Context(), "gpu-hot"); !errors.Is(err, ErrNothingToUndo) {
		t.Errorf("got %v, want %v", err, ErrNothingToUndo)
	}
	if _, err := d.Undo(t.Context(), "never-was"); !errors.Is(err, ErrNothingToUndo) {
		t.Errorf("got %v, want %v", err, ErrNothingToUndo)
	}
}

func TestTestsStandBeside(t *testing.T) {
	d := &Dir{Path: t.TempDir()}
	test := filepath.Join(d.Path, "tests", "gpu-hot.yaml")
	if err := d.Publish(t.Context(), hot("85")); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(test)
	if err != nil || !strings.Contains(string(data), "../gpu-hot.yaml") || !strings.Contains(string(data), "GPUHot fires") {
		t.Errorf("the test is %s, %v", data, err)
	}
	if files, err := d.Files(); err != nil || len(files) != 1 {
		t.Errorf("Prometheus would read %v, %v", files, err)
	}
	if _, err := d.Undo(t.Context(), "gpu-hot"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(test); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the test of a withdrawn group: %v", err)
	}
}

func TestRefusedReloadLeavesWhatStood(t *testing.T) {
	d := &Dir{Path: t.TempDir()}
	if err := d.Publish(t.Context(), hot("85")); err != nil {
		t.Fatal(err)
	}
	refuse := true
	d.Reload = func() error {
		if refuse {
			refuse = false
			return errors.New("too many rules")
		}
		return nil
	}
	if err := d.Publish(t.Context(), hot("90")); err == nil || !strings.Contains(err.Error(), "too many rules") {
		t.Errorf("got %v, want the reader's reason", err)
	}
	if got := standing(t, d); got != "85" {
		t.Errorf("%q stands, want what stood before", got)
	}
	if gs, _ := d.Groups(); len(gs) != 1 || gs[0].Revision != 1 {
		t.Errorf("the refused revision was kept: %+v", gs)
	}
}

func TestBadGroups(t *testing.T) {
	d := &Dir{Path: t.TempDir()}
	for _, id := range []rules.ID{"", "../x", "A", "a/b"} {
		g := hot("85")
		g.ID = id
		if err := d.Publish(t.Context(), g); err == nil {
			t.Errorf("id %q was taken", id)
		}
	}
	g := hot("85")
	g.Rules[0].Expr = "DCGM_FI_DEV_GPU_TEMP >"
	if err := d.Publish(t.Context(), g); err == nil {
		t.Error("a rule that does not parse was published")
	}
	if files, _ := d.Files(); len(files) != 0 {
		t.Errorf("left behind: %v", files)
	}
}

func TestEncodeDecode(t *testing.T) {
	for _, g := range append(Builtin(), hot("85")) {
		data, err := Encode(g)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Decode(data)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(g, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", g.ID, diff)
		}
		doc, err := YAML(g)
		if err != nil {
			t.Errorf("Prometheus would refuse %s: %v", g.ID, err)
		}
		if _, err := Parse(doc); err != nil {
			t.Errorf("what is written of %s is refused: %v", g.ID, err)
		}
	}
	told := hot("85")
	told.Rules[0].Annotations = map[string]string{"summary": `hot{{ with $labels.Hostname }} on {{ . }}{{ end }}{{ with $labels.gpu }} GPU {{ . }}{{ end }}: {{ printf "%.4g" $value }}, {{ $value }}`}
	if doc, err := YAML(told); err != nil || len(doubtful(told.Rules[0].Annotations)) > 0 {
		t.Errorf("what is right anywhere is doubted: %v", err)
	} else if _, err := Parse(doc); err != nil {
		t.Errorf("what is right anywhere is refused: %v", err)
	}
	if _, err := Decode([]byte("apiVersion: vedette.dev/v1\nkind: RuleGroup\nowners: x\n")); err == nil || !strings.Contains(err.Error(), "line 3") {
		t.Errorf("got %v, want an error that names line 3", err)
	}
}

func TestRefused(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*rules.Group)
		want   string
	}{
		"no name":       {func(g *rules.Group) { g.ID = "" }, "the group has no name"},
		"interval":      {func(g *rules.Group) { g.Every = -time.Second }, "it is looked at every -1s"},
		"for":           {func(g *rules.Group) { g.Rules[0].For = -time.Minute }, "rule GPUHot: for -1m0s"},
		"no expression": {func(g *rules.Group) { g.Rules[0].Expr = "" }, "rule GPUHot: field 'expr' must be set"},
		"expression":    {func(g *rules.Group) { g.Rules[0].Expr = "1 +" }, "rule GPUHot: could not parse expression"},
		"label":         {func(g *rules.Group) { g.Rules[0].Labels["__name__"] = "x" }, "invalid label name: __name__"},
		"value":         {func(g *rules.Group) { g.Rules[0].Labels["team"] = "\xff" }, "invalid label value"},
		"annotation":    {func(g *rules.Group) { g.Rules[0].Annotations = map[string]string{"": "x"} }, "invalid annotation name"},
		"three braces":  {func(g *rules.Group) { g.Rules[0].Annotations = map[string]string{"summary": `{{{ $value }}`} }, `annotation "summary"`},
		"loose end":     {func(g *rules.Group) { g.Rules[0].Annotations = map[string]string{"summary": `{{ $value }}{{ end }}`} }, `annotation "summary"`},
		"template":      {func(g *rules.Group) { g.Rules[0].Annotations = map[string]string{"summary": "{{ $value"} }, `annotation "summary"`},
	} {
		t.Run(name, func(t *testing.T) {
			g := hot("85")
			tt.change(&g)
			if _, err := YAML(g); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want an error with %q", err, tt.want)
			}
			data, err := marshal(rulefmt.RuleGroups{Groups: []rulefmt.RuleGroup{prometheusGroup(g)}})
			if _, perr := Parse(data); err != nil || perr == nil {
				t.Errorf("Prometheus reads it: %v", err)
			}
		})
	}
}
