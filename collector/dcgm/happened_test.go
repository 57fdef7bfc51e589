package dcgm

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"vedette.dev/collector"
	"vedette.dev/fixtures/dcgmstub"
)

func texts(b collector.Batch) (all []string) {
	for _, e := range b.Events {
		all = append(all, e.Text)
	}
	return all
}

func TestSXids(t *testing.T) {
	b := newBench(t, 1, Config{})
	b.Switches(2)
	b.look()
	b.Happen(dcgmstub.Switch(1), 857, 28006)
	b.Happen(dcgmstub.Switch(1), 857, 28006) // a repeat
	b.Happen(dcgmstub.Switch(0), 856, 20034)
	got := b.look()
	want := []string{
		"nvidia-nvswitch0: SXid: 20034, Fatal, reported through DCGM",
		"nvidia-nvswitch1: SXid: 28006, Non-fatal, reported through DCGM",
		"nvidia-nvswitch1: SXid: 28006, Non-fatal, reported through DCGM",
	}
	if diff := cmp.Diff(want, texts(got)); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	for _, e := range got.Events {
		if e.Kind != collector.KernelLine || e.Attr(collector.AttrSXid) == "" || e.Attr(collector.AttrXid) != "" {
			t.Errorf("event %+v, want an SXid and no Xid", e)
		}
	}
	if again := b.look().Events; again != nil {
		t.Errorf("told twice: %v", again)
	}
}

// A host engine that ran on still has the Xids of before the agent started
// again: they have been told. Those of between are not lost by a reconnection.
func TestRestart(t *testing.T) {
	b := newBench(t, 1, Config{Address: "127.0.0.1:5555"})
	b.look()
	b.Xid(0, 31)
	if n := len(b.look().Events); n != 1 {
		t.Fatalf("%d events, want 1", n)
	}
	b.disconnect()
	b.Xid(0, 48)
	want := []string{"NVRM: Xid (PCI:0000:18:00): 48, reported through DCGM"}
	if diff := cmp.Diff(want, texts(b.look())); diff != "" {
		t.Errorf("after a reconnection (-want +got):\n%s", diff)
	}

	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := Open(b.conf)
	if err != nil {
		t.Fatal(err)
	}
	b.Source = again
	if got := b.look().Events; got != nil {
		t.Errorf("another agent tells again of %v", got)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
}
