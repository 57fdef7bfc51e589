package collector_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"vedette.dev/collector"
)

func TestTroubles(t *testing.T) {
	var told []string
	now := time.Unix(0, 0)
	tr := &collector.Troubles{Now: func() time.Time { return now },
		Fails: func(what string, err error) { told = append(told, what+" fails: "+err.Error()) },
		Well: func(what string, after time.Duration) {
			told = append(told, fmt.Sprint(what, " is well after ", after))
		}}
	for _, text := range []string{"", "no answer after 3.1s", "no answer after 18.2s", "GPU 3 is gone", "GPU 3 is gone", "", "", "no answer after 3s"} {
		var err error
		if text != "" {
			err = errors.New(text)
		}
		tr.Note(t.Context(), "dcgm", err)
		tr.Note(t.Context(), "sink", nil)
		now = now.Add(15 * time.Second)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	tr.Note(ended, "sink", context.Canceled)
	want := []string{"dcgm fails: no answer after 3.1s", "dcgm fails: GPU 3 is gone", "dcgm is well after 1m0s", "dcgm fails: no answer after 3s"}
	if diff := cmp.Diff(want, told); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
}

// A tray is a sink that can be out of order.
type tray struct {
	broken bool
	got    []collector.Batch
}

func (s *tray) Push(_ context.Context, b collector.Batch) error {
	if s.broken {
		return errors.New("out of order")
	}
	s.got = append(s.got, b)
	return nil
}

func TestAgentKeepsEventsForASinkThatIsAway(t *testing.T) {
	n := 0
	source := collector.SourceFunc(func(context.Context) (collector.Batch, error) {
		n++
		return collector.Batch{Events: []collector.Event{{Text: fmt.Sprint(n)}}}, nil
	})
	sink := &tray{broken: true}
	a := &collector.Agent{Node: "n", Cluster: "c", Sources: map[string]collector.Source{"s": source}, Sink: sink, Period: time.Second}
	a.Look(t.Context(), time.Unix(1, 0))
	a.Look(t.Context(), time.Unix(2, 0))
	sink.broken = false
	a.Look(t.Context(), time.Unix(3, 0))
	a.Look(t.Context(), time.Unix(4, 0))
	var texts []string
	for _, b := range sink.got {
		for _, e := range b.Events {
			texts = append(texts, e.Text)
		}
	}
	if got := strings.Join(texts, " "); got != "1 2 3 4" {
		t.Errorf("events %q, want each once and in order", got)
	}
	for _, p := range sink.got[0].Points {
		if last := p.Attrs[len(p.Attrs)-1]; last != (collector.Attr{Key: "cluster", Value: "c"}) {
			t.Errorf("%s has no label cluster: %v", p.Metric, p.Attrs)
		}
	}
}

// How long each source took is a reading, also of one that fails.
func TestWhatASourceTookIsTold(t *testing.T) {
	slow := collector.SourceFunc(func(context.Context) (collector.Batch, error) { return collector.Batch{}, errors.New("no answer") })
	sink := &tray{}
	(&collector.Agent{Node: "gpu-01", Sources: map[string]collector.Source{"dcgm": slow}, Sink: sink, Period: time.Minute}).Look(t.Context(), time.Unix(0, 0))
	for _, p := range sink.got[0].Points {
		if p.Metric == collector.Took && p.Value > 0 && cmp.Equal(p.Attrs, []collector.Attr{{"instance", "gpu-01"}, {"source", "dcgm"}}) {
			return
		}
	}
	t.Errorf("points are %+v, want %s of dcgm among them", sink.got[0].Points, collector.Took)
}

func TestASourceThatFailsCostsOnlyItself(t *testing.T) {
	half := collector.SourceFunc(func(context.Context) (collector.Batch, error) {
		return collector.Batch{Points: []collector.Point{{Metric: "m", Value: 7}}}, errors.New("GPU 3 is gone")
	})
	sink := &tray{}
	var failed []string
	a := &collector.Agent{Node: "n", Sources: map[string]collector.Source{"half": half, "well": collector.SourceFunc(func(context.Context) (collector.Batch, error) {
		return collector.Batch{}, nil
	})}, Sink: sink, Period: time.Second, Troubles: &collector.Troubles{Now: time.Now, Fails: func(what string, _ error) { failed = append(failed, what) }}}
	a.Look(t.Context(), time.Unix(1, 0))
	up := map[string]float64{}
	read := false
	for _, p := range sink.got[0].Points {
		read = read || p.Metric == "m"
		if p.Metric == collector.Up {
			up[p.Attrs[1].Value] = p.Value
		}
	}
	if diff := cmp.Diff(map[string]float64{"half": 0, "well": 1}, up); diff != "" || !read {
		t.Errorf("up (-want +got), read %v:\n%s", read, diff)
	}
	if diff := cmp.Diff([]string{"source half"}, failed); diff != "" {
		t.Errorf("failed (-want +got):\n%s", diff)
	}
}
