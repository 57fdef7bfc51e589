package publish

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"vedette.dev/rules"
)

// A shelf is a target that keeps groups in memory.
type shelf struct {
	groups map[rules.ID]rules.Group
	closed bool
}

func (s *shelf) Put(_ context.Context, g rules.Group) error {
	if s.closed {
		return errors.New("closed")
	}
	s.groups[g.ID] = g
	return nil
}

func (s *shelf) Standing(_ context.Context, id rules.ID) (rules.Group, error) {
	if s.closed {
		return rules.Group{}, errors.New("closed")
	}
	return s.groups[id], nil
}

func TestEverywhere(t *testing.T) {
	a, b := &shelf{groups: map[rules.ID]rules.Group{}}, &shelf{groups: map[rules.ID]rules.Group{}}
	e := &Everywhere{Dir: &Dir{Path: t.TempDir()}, Targets: map[string]Target{"a": a, "b": b}}
	ctx := t.Context()
	if err := e.Publish(ctx, hot("85")); err != nil {
		t.Fatal(err)
	}
	if !Same(a.groups["gpu-hot"], hot("85")) || a.groups["gpu-hot"].Revision != 1 {
		t.Errorf("%+v stands at a", a.groups["gpu-hot"])
	}
	changes, err := e.Changes(ctx, hot("90"))
	if err != nil || len(changes) != 3 || changes[1].Where != "a" {
		t.Fatalf("changes are %+v, %v", changes, err)
	}
	want := []string{"  alert: GPUHot", "- expr: DCGM_FI_DEV_GPU_TEMP > 85", "+ expr: DCGM_FI_DEV_GPU_TEMP > 90", "  for: 5m", "  labels:", "    severity: warning"}
	for _, c := range changes {
		if diff := cmp.Diff(want, c.Lines); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.Where, diff)
		}
	}

	a.closed = true
	err = e.Publish(ctx, hot("90"))
	if err == nil || !strings.Contains(err.Error(), "not at a: closed") {
		t.Errorf("got %v, want the name of who does not have it", err)
	}
	if !Same(b.groups["gpu-hot"], hot("90")) {
		t.Error("one that is closed kept the other from it")
	}
	a.closed = false
	if err := e.Publish(ctx, hot("90")); err != nil || !Same(a.groups["gpu-hot"], hot("90")) {
		t.Errorf("published again: %v, %+v", err, a.groups["gpu-hot"])
	}
	if g, err := e.Undo(ctx, "gpu-hot"); err != nil || !Same(g, hot("85")) || !Same(a.groups["gpu-hot"], hot("85")) || !Same(b.groups["gpu-hot"], hot("85")) {
		t.Errorf("undone: %v, %+v", err, a.groups["gpu-hot"])
	}
}

func TestParse(t *testing.T) {
	doc, err := YAML(hot("85"))
	if err != nil {
		t.Fatal(err)
	}
	gs, err := Parse(doc)
	if err != nil || len(gs) != 1 || !Same(gs[0], hot("85")) || gs[0].Every != hot("85").Every {
		t.Errorf("got %+v, %v", gs, err)
	}
	for text, want := range map[string]string{
		"groups: []": "no rule groups",
		"groups: [{name: a, rules: [{record: 'a:b', expr: up}]}]":           "recording rules",
		"groups: [{name: a, limit: 3, rules: [{alert: A, expr: up == 0}]}]": "limit",
		"groups: [{name: a, rules: [{alert: A, expr: up ==}]}]":             "parse",
	} {
		if _, err := Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", text, err, want)
		}
	}
}
