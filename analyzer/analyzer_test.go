package analyzer_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"vedette.dev/analyzer"
	"vedette.dev/analyzer/action"
)

func TestSubjectsAreReadAsWritten(t *testing.T) {
	for _, text := range []string{"node/ip-10-0-1-7", "gpu/gpu-01/GPU-7ede77e3", "pod/ml/trainer-3", "deployment/shop/cart", "namespace/shop", "cluster/prod", "pvc/ml/data"} {
		s, err := analyzer.ParseSubject(text)
		if err != nil || s.String() != text {
			t.Errorf("%s is read as %q, %v", text, s, err)
		}
	}
	for _, text := range []string{"", "node", "node/", "/x", "Pod/ml/a", "pod/a", "pod//a"} {
		if s, err := analyzer.ParseSubject(text); err == nil {
			t.Errorf("%q is read as %q, want an error", text, s)
		}
	}
}

func FuzzParseSubject(f *testing.F) {
	f.Add("gpu/a/b/c")
	f.Add("pod/x/")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := analyzer.ParseSubject(text)
		if err == nil && s.String() != text {
			t.Errorf("%q is written as %q", text, s)
		}
	})
}

func TestSubjectOf(t *testing.T) {
	tests := []struct{ labels, want string }{
		{"Hostname=gpu-01 UUID=GPU-1 pod=a namespace=ml", "gpu/gpu-01/GPU-1"},
		{"hostname=gpu-01 UUID=GPU-1", "gpu/gpu-01/GPU-1"},
		{"namespace=ml pod=a node=gpu-01", "pod/ml/a"},
		{"namespace=ml deployment=web", "deployment/ml/web"},
		{"namespace=ml job_name=train", "job/ml/train"},
		{"namespace=ml persistentvolumeclaim=data", "pvc/ml/data"},
		{"instance=gpu-02 device=sda", "node/gpu-02"},
		{"namespace=ml", "namespace/ml"},
		{"cluster=prod", "cluster/prod"},
		{"", "cluster/this"},
	}
	for _, tt := range tests {
		labels := map[string]string{}
		for kv := range strings.FieldsSeq(tt.labels) {
			k, v, _ := strings.Cut(kv, "=")
			labels[k] = v
		}
		if got := analyzer.SubjectOf(labels).String(); got != tt.want {
			t.Errorf("{%s} is about %s, want %s", tt.labels, got, tt.want)
		}
	}
}

// A desk is every part of the loop, and fails where it is told to.
type desk struct {
	fail  map[string]bool
	found []analyzer.Finding // what Record was given
	asked []action.Action
}

var errBroken = errors.New("out of order")

func (d *desk) err(what string) error {
	if d.fail[what] {
		return errBroken
	}
	return nil
}

func (d *desk) Diagnose(context.Context, []analyzer.Finding, time.Time) (analyzer.Report, error) {
	return analyzer.Report{Verdict: analyzer.Diagnosed}, d.err("diagnose")
}

func (d *desk) Record(_ context.Context, fs []analyzer.Finding, _ analyzer.Report, _ time.Time) ([]analyzer.Incident, error) {
	d.found = fs
	return []analyzer.Incident{{ID: "1"}}, d.err("record")
}

func (d *desk) Plan(in analyzer.Incident) []action.Action {
	return []action.Action{{Kind: action.CordonNode, Target: "node/" + in.ID}}
}

func (d *desk) Propose(_ context.Context, a action.Action, _ time.Time) (action.Entry, error) {
	d.asked = append(d.asked, a)
	return action.Entry{}, d.err("propose")
}

// What fails costs only itself: the other watcher's findings are recorded, and
// what is recorded is planned for.
func TestLoopGoesOn(t *testing.T) {
	good := analyzer.WatcherFunc(func(context.Context, time.Time) ([]analyzer.Finding, error) {
		return []analyzer.Finding{{Signal: "hot", Subject: analyzer.Node("a")}}, nil
	})
	half := analyzer.WatcherFunc(func(context.Context, time.Time) ([]analyzer.Finding, error) {
		return []analyzer.Finding{{Signal: "cold", Subject: analyzer.Node("b")}}, errBroken
	})
	for _, broken := range []string{"", "diagnose", "record", "propose"} {
		d := &desk{fail: map[string]bool{broken: true}}
		l := &analyzer.Loop{Watchers: []analyzer.Watcher{half, good}, Diagnoser: d, Book: d, Planner: d, Ledger: d}
		err := l.Tick(t.Context(), time.Unix(1, 0))
		if !errors.Is(err, errBroken) {
			t.Errorf("%q broken: error %v, want the watcher's at least", broken, err)
		}
		if broken != "" && !strings.Contains(err.Error(), broken) {
			t.Errorf("%q broken: error %q does not say so", broken, err)
		}
		var keys []string
		for _, f := range d.found {
			keys = append(keys, f.Key())
		}
		if diff := cmp.Diff([]string{"|cold|node/b", "|hot|node/a"}, keys); diff != "" {
			t.Errorf("%q broken: findings (-want +got):\n%s", broken, diff)
		}
		if len(d.asked) != 1 {
			t.Errorf("%q broken: %d proposals, want 1", broken, len(d.asked))
		}
	}
}
