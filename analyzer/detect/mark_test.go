package detect

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"vedette.dev/analyzer"
)

// hotter makes one GPU hotter than usual by as much as is given.
func hotter(by *float64) func(metric string, node, gpu int, v *float64) bool {
	return func(metric string, node, gpu int, v *float64) bool {
		if metric == "DCGM_FI_DEV_GPU_TEMP" && node == 1 && gpu == 2 {
			*v += *by
		}
		return true
	}
}

// told leaves out what is marked as no anomaly.
func told(fs []analyzer.Finding) []analyzer.Finding {
	var out []analyzer.Finding
	for _, f := range fs {
		if f.Marked == nil {
			out = append(out, f)
		}
	}
	return out
}

// What was marked is quiet when it comes back as it was, told when it comes back
// clearly worse, and told again as before once the mark is taken back. Other
// series are told of as ever.
func TestAMarkRaisesWhatIsTold(t *testing.T) {
	c := newCluster()
	by := 0.0
	c.change = hotter(&by)
	c.run(8 * time.Hour)
	by = 20
	c.run(3 * time.Minute)
	fs := c.findings(t)
	if len(fs) != 1 || fs[0].Marked != nil {
		t.Fatalf("findings are %v, want the hot GPU", fs)
	}
	now := time.UnixMilli(c.now)
	mark := analyzer.NewMark(fs[0], "ada", "a burn-in", now, time.Time{})
	if l := mark.Limits[0]; len(mark.Limits) != 1 || l.Channel != analyzer.Past || l.Was != 8 || l.Is < 28 || l.Is > 36 || l.Unit != "°C" {
		t.Fatalf("limits are %+v, want 8 °C raised to half as much again as 20 °C and noise", mark.Limits)
	}
	if want := "the least that is told, by its own past, is raised from 8 °C to 3"; !strings.Contains(mark.Text, want) || !strings.Contains(mark.Text, "marked as no anomaly by ada at 2026-11-01 08:03Z (a burn-in)") {
		t.Errorf("mark says %q", mark.Text)
	}
	alerts, _ := c.bank.Observed()
	c.bank.Heed([]analyzer.Mark{mark})
	if fs := c.findings(t); len(fs) != 1 || fs[0].Marked == nil || fs[0].Marked.By != "ada" {
		t.Errorf("since the mark findings are %+v, want the same with the mark", fs)
	}

	by = 0
	c.run(48 * time.Hour)
	by = 20
	c.run(3 * time.Minute)
	if fs := c.findings(t); len(fs) != 1 || fs[0].Marked == nil {
		t.Errorf("back as it was: findings are %+v, want it with the mark", fs)
	}
	if now, _ := c.bank.Observed(); now != alerts || c.bank.Hushed() != 1 {
		t.Errorf("%d alerts were %d before it came back, %d were kept from being told: want no more, and one", now, alerts, c.bank.Hushed())
	}
	c.bank.Heed(nil)
	if fs := told(c.findings(t)); len(fs) != 1 {
		t.Errorf("the mark is taken back: told are %v, want the hot GPU", fs)
	}
	c.bank.Heed([]analyzer.Mark{mark})

	by = 0
	c.run(48 * time.Hour)
	by = 45
	c.run(3 * time.Minute)
	if fs := told(c.findings(t)); len(fs) != 1 {
		t.Errorf("twice as hot: told are %v, want the hot GPU", fs)
	}
	if now, _ := c.bank.Observed(); now <= alerts {
		t.Errorf("%d alerts, were %d before it came back twice as hot", now, alerts)
	}
}

// A mark lapses when it was said to.
func TestAMarkLapses(t *testing.T) {
	c := newCluster()
	by := 0.0
	c.change = hotter(&by)
	c.run(8 * time.Hour)
	by = 20
	c.run(3 * time.Minute)
	now := time.UnixMilli(c.now)
	c.bank.Heed([]analyzer.Mark{analyzer.NewMark(c.findings(t)[0], "ada", "", now, now.Add(5*time.Minute))})
	if fs := told(c.findings(t)); len(fs) > 0 {
		t.Errorf("told are %v, want nothing for five minutes", fs)
	}
	c.run(6 * time.Minute)
	if fs := told(c.findings(t)); len(fs) != 1 {
		t.Errorf("after that told are %v, want the hot GPU", fs)
	}
}

// A GPU that is gone on purpose is quiet until it is back; gone again, it is told.
func TestAMarkOfAnAbsenceIsOfThisOne(t *testing.T) {
	c := newCluster()
	gone := false
	c.change = func(_ string, node, gpu int, _ *float64) bool { return !gone || node != 0 || gpu != 3 }
	want := []string{"anomaly|DCGM_FI_DEV_GPU_TEMP|gpu/node-0/GPU-03"}
	c.run(time.Hour)
	gone = true
	c.run(3 * time.Minute)
	fs := c.findings(t)
	if diff := cmp.Diff(want, keys(told(fs))); diff != "" {
		t.Fatalf("told (-want +got):\n%s", diff)
	}
	c.bank.Heed([]analyzer.Mark{analyzer.NewMark(fs[0], "ada", "a new board", time.UnixMilli(c.now), time.Time{})})
	c.run(time.Hour)
	if fs := told(c.findings(t)); len(fs) > 0 {
		t.Errorf("while it is away told are %v, want nothing", fs)
	}
	gone = false
	c.run(time.Hour)
	gone = true
	c.run(3 * time.Minute)
	if diff := cmp.Diff(want, keys(told(c.findings(t)))); diff != "" {
		t.Errorf("gone again: told (-want +got):\n%s", diff)
	}
}

// Marks are heeded of series that are first heard of afterwards, as after a restart.
func TestMarksOutliveTheBank(t *testing.T) {
	c := newCluster()
	by := 0.0
	c.change = hotter(&by)
	c.run(8 * time.Hour)
	by = 20
	c.run(3 * time.Minute)
	mark := analyzer.NewMark(c.findings(t)[0], "ada", "", time.UnixMilli(c.now), time.Time{})
	dir := t.TempDir()
	if err := c.bank.Save(dir); err != nil {
		t.Fatal(err)
	}
	c.bank = NewBank(Builtin(), 0)
	c.bank.Heed([]analyzer.Mark{mark})
	if err := c.bank.Restore(dir); err != nil {
		t.Fatal(err)
	}
	c.run(time.Minute)
	if fs := c.findings(t); len(fs) != 1 || fs[0].Marked == nil {
		t.Errorf("findings are %+v, want the hot GPU with the mark", fs)
	}
}
