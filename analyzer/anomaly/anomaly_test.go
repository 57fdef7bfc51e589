package anomaly

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"vedette.dev/analyzer"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

var hot = analyzer.Finding{Kind: analyzer.Anomaly, Subject: analyzer.GPU("gpu-01", "GPU-1"), Signal: "DCGM_FI_DEV_GPU_TEMP", From: noon, Last: noon, Severity: "info",
	Score: 0.7, Text: "it rose to 85 °C", Query: "q", Caveats: []string{"only 3h of history"},
	Ways: []analyzer.Way{{Channel: analyzer.Past, Series: "q", Off: 20, Least: 8, Unit: "°C"}}}

// A stub finds what it is told to, and remembers what it heeds.
type stub struct {
	found []analyzer.Finding
	marks []analyzer.Mark
}

func (s *stub) Findings(context.Context, time.Time) ([]analyzer.Finding, error) { return s.found, nil }
func (s *stub) Heed(marks []analyzer.Mark)                                      { s.marks = marks }

func open(t *testing.T, dir string, bank *stub) *Journal {
	t.Helper()
	j, err := Open(dir, bank)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close() })
	return j
}

// tick has j find what the stub has, at now, and returns the list.
func tick(t *testing.T, j *Journal, now time.Time) []Anomaly {
	t.Helper()
	if _, err := j.Findings(t.Context(), now); err != nil {
		t.Fatal(err)
	}
	as, err := j.List(t.Context(), 10)
	if err != nil {
		t.Fatal(err)
	}
	return as
}

// An anomaly is one row from its beginning to when it was last seen, whatever
// its score in between; what comes back is another.
func TestJournal(t *testing.T) {
	bank := &stub{found: []analyzer.Finding{hot}}
	j := open(t, t.TempDir(), bank)
	tick(t, j, noon)
	later := hot
	later.Score, later.From, later.Last = 0.9, noon.Add(time.Minute), noon.Add(5*time.Minute)
	bank.found = []analyzer.Finding{later}
	as := tick(t, j, noon.Add(5*time.Minute))
	want := later
	want.From = noon
	if diff := cmp.Diff([]Anomaly{{1, want}}, as); diff != "" {
		t.Fatalf("while it lasts (-want +got):\n%s", diff)
	}
	bank.found = nil
	want.To = later.Last
	if diff := cmp.Diff([]Anomaly{{1, want}}, tick(t, j, noon.Add(16*time.Minute))); diff != "" {
		t.Errorf("when it is over (-want +got):\n%s", diff)
	}
	bank.found = []analyzer.Finding{hot}
	if as := tick(t, j, noon.Add(time.Hour)); len(as) != 2 || as[0].ID != 2 || !as[0].Open() || as[1].Open() {
		t.Errorf("when it is back there are %+v", as)
	}
	if err := j.Prune(t.Context(), noon.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if as := tick(t, j, noon.Add(time.Hour)); len(as) != 1 || as[0].ID != 2 {
		t.Errorf("what ended is pruned and there are %+v", as)
	}
}

// What somebody said outlives the process, stands until it is taken back, and
// is shown afterwards too.
func TestMarksAreKept(t *testing.T) {
	dir, bank := t.TempDir(), &stub{found: []analyzer.Finding{hot}}
	j := open(t, dir, bank)
	tick(t, j, noon)
	a, err := j.Dismiss(t.Context(), 1, "ada", "a burn-in", time.Time{}, noon.Add(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	const text = "marked as no anomaly by ada at 2026-11-22 12:01Z (a burn-in): the least that is told, by its own past, is raised from 8 °C to 30 °C"
	if a.Marked == nil || a.Marked.Text != text {
		t.Fatalf("it is %+v, want the mark %q", a.Marked, text)
	}
	if len(bank.marks) != 1 || bank.marks[0].Text != text {
		t.Errorf("the detectors heed %+v", bank.marks)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}

	again := &stub{}
	j = open(t, dir, again)
	if len(again.marks) != 1 || again.marks[0].Text != text {
		t.Errorf("after a restart the detectors heed %+v", again.marks)
	}
	if n, err := j.Standing(t.Context(), noon.Add(time.Hour)); n != 1 || err != nil {
		t.Errorf("%d marks stand (%v), want one", n, err)
	}
	tick(t, j, noon.Add(time.Hour)) // it is over
	a, err = j.Restore(t.Context(), 1, "bob", noon.Add(2*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if a.Marked == nil || a.Marked.WithdrawnBy != "bob" || len(again.marks) != 0 {
		t.Errorf("taken back it is %+v, and the detectors heed %+v", a.Marked, again.marks)
	}
	if n, err := j.Standing(t.Context(), noon.Add(2*time.Hour)); n != 0 || err != nil {
		t.Errorf("%d marks stand (%v), want none", n, err)
	}
}

// One mark stands on one thing, and it may lapse.
func TestAMarkTakesThePlaceOfTheLast(t *testing.T) {
	bank := &stub{found: []analyzer.Finding{hot}}
	j := open(t, t.TempDir(), bank)
	tick(t, j, noon)
	for i, until := range []time.Time{{}, noon.Add(time.Hour)} {
		if _, err := j.Dismiss(t.Context(), 1, "ada", "", until, noon.Add(time.Duration(i)*time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	if len(bank.marks) != 1 || !bank.marks[0].Until.Equal(noon.Add(time.Hour)) {
		t.Errorf("the detectors heed %+v, want the second only", bank.marks)
	}
	if n, err := j.Standing(t.Context(), noon.Add(2*time.Hour)); n != 0 || err != nil {
		t.Errorf("when it has lapsed %d marks stand (%v)", n, err)
	}
	if _, err := j.Restore(t.Context(), 1, "ada", noon.Add(2*time.Hour)); !errors.Is(err, ErrNothingToDo) {
		t.Errorf("to take back what has lapsed: error %v", err)
	}
}

func TestMarksThatDoNothingAreRefused(t *testing.T) {
	gone := hot
	gone.Ways = []analyzer.Way{{Channel: analyzer.Absence, Series: "q"}}
	bank := &stub{found: []analyzer.Finding{gone}}
	j := open(t, t.TempDir(), bank)
	tick(t, j, noon)
	bank.found = nil
	tick(t, j, noon.Add(time.Minute))
	for _, tt := range []struct {
		id    int64
		until time.Time
		want  error
		text  string
	}{
		{7, time.Time{}, ErrNoSuchAnomaly, "anomaly 7"},
		{1, time.Time{}, ErrNothingToDo, "say for how long"},
		{1, noon, ErrNothingToDo, "that is over"},
	} {
		if _, err := j.Dismiss(t.Context(), tt.id, "ada", "", tt.until, noon.Add(time.Minute)); !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.text) {
			t.Errorf("anomaly %d until %s: error %v, want %q", tt.id, tt.until, err, tt.text)
		}
	}
	if _, err := j.Dismiss(t.Context(), 1, "ada", "", noon.Add(time.Hour), noon.Add(time.Minute)); err != nil {
		t.Errorf("for an hour: %v", err)
	}
}
