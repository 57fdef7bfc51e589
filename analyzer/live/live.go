// Package live takes snapshots of the running system: what the store and the
// history hold of the last half hour, in the form that a diagnosis reads. So
// a live cluster is diagnosed by the same pure function as a captured one.
//
// What a reader would get wrong: nothing here asks the cluster. What no agent
// and no watch told is not in the snapshot, and the snapshot says so.
package live

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"vedette.dev/analyzer/history"
	"vedette.dev/analyzer/series"
	"vedette.dev/analyzer/snapshot"
)

const (
	// window is how far back a live snapshot looks where nobody says: a job's other ranks give up
	// on a dead one after NCCL's default of 10 to 30 minutes.
	window = 30 * time.Minute
	// Longest is how far back one may look: longer is no incident any more, and
	// more than one person reads.
	Longest = 24 * time.Hour
	// step is the spacing of its metrics: two readings of an agent at its default
	// period. A long look has wider steps, so that there are no more than maxSteps.
	step     = 30 * time.Second
	maxSteps = 240 // two hours of them
	// fresh is how old a reading may be to count as one, so that a GPU that is
	// gone does not live on for PromQL's usual five minutes.
	fresh = 90 * time.Second
)

// A Camera takes snapshots.
type Camera struct {
	Querier series.Querier
	History *history.Log
	Cluster snapshot.Cluster
	Metrics []string // names of the metrics to take; a name may end in *
}

// Take captures the half hour before now. What could be had is returned with
// the errors of what could not, which the snapshot also lists as unseen.
func (c *Camera) Take(ctx context.Context, now time.Time) (*snapshot.Snapshot, error) {
	return c.since(ctx, now, window)
}

// Since captures the time before now, up to [Longest], with the named metrics
// besides: what is looked into when half an hour does not tell enough. It
// returns what it could have, as [Camera.Take] does.
func (c *Camera) Since(ctx context.Context, now time.Time, window time.Duration, metrics ...string) (*snapshot.Snapshot, error) {
	wider := *c
	wider.Metrics = slices.Concat(c.Metrics, metrics)
	return wider.since(ctx, now, min(max(window, step), Longest))
}

func (c *Camera) since(ctx context.Context, now time.Time, window time.Duration) (*snapshot.Snapshot, error) {
	now = now.UTC()
	s := &snapshot.Snapshot{CapturedAt: now, Window: snapshot.Window{From: now.Add(-window), To: now},
		Cluster: c.Cluster, Origin: "vedette", Objects: map[string][]snapshot.Object{}, Kernel: map[string][]snapshot.Line{}}
	var errs []error
	for what, take := range map[string]func(context.Context, *snapshot.Snapshot) error{
		"objects": c.objects, "events": c.events, "metrics": c.metrics, "kernel logs": c.quiet, "watches": c.blind,
	} {
		if err := take(ctx, s); err != nil {
			errs = append(errs, err)
			s.Unseen = append(s.Unseen, fmt.Sprintf("%s: %v", what, err))
		}
	}
	if !s.Captured("nodes") && !s.Captured("pods") { // agents tell of kubelets, which are objects too
		s.Unseen = append(s.Unseen, "Kubernetes objects and events: nobody here watches an API server")
	}
	slices.Sort(s.Unseen)
	return s, errors.Join(errs...)
}

func (c *Camera) objects(ctx context.Context, s *snapshot.Snapshot) error {
	now, err := c.History.Objects(ctx, s.Window.From)
	if err != nil {
		return err
	}
	for _, r := range now {
		resource := r.Attrs[history.AttrResource]
		if r.Attrs[history.AttrVerb] == "DELETED" {
			continue // it is in the revisions
		}
		s.Objects[resource] = append(s.Objects[resource], snapshot.Object{Raw: json.RawMessage(r.Text), Source: r.Source()})
	}
	was, err := c.History.Select(ctx, history.Want{Kind: history.KubeObject, From: s.Window.From, To: s.Window.To})
	if err != nil {
		return err
	}
	c.full(s, "revisions of objects", len(was))
	for _, r := range was {
		s.History = append(s.History, snapshot.Revision{At: r.At, Type: r.Attrs[history.AttrVerb], Raw: json.RawMessage(r.Text), Source: r.Source()})
	}
	return nil
}

// full says that there was more than is taken.
func (c *Camera) full(s *snapshot.Snapshot, what string, n int) {
	if n >= history.Most {
		s.Unseen = append(s.Unseen, fmt.Sprintf("%s: only the newest %d of the last %s", what, n, s.Window.To.Sub(s.Window.From)))
	}
}

// blind names the kinds of objects that are watched in vain.
func (c *Camera) blind(ctx context.Context, s *snapshot.Snapshot) error {
	ss, err := c.Querier.Query(ctx, fmt.Sprintf(`last_over_time(vedette_source_up{source=~"kube(/.+)?"}[%ds]) == 0`, int(fresh.Seconds())), series.Instant(s.CapturedAt))
	if err != nil {
		return err
	}
	for _, x := range ss {
		what, ok := strings.CutPrefix(x.Labels["source"], "kube/")
		if !ok {
			s.Unseen = append(s.Unseen, "Kubernetes objects and events of now: the API server does not answer")
			continue
		}
		s.Unseen = append(s.Unseen, what+" of now: the API server does not show them; the service's log says why")
	}
	return nil
}

// quiet gives every node whose kernel log is read and had nothing to say an
// empty one: it was captured.
func (c *Camera) quiet(ctx context.Context, s *snapshot.Snapshot) error {
	ss, err := c.Querier.Query(ctx, fmt.Sprintf(`last_over_time(vedette_source_up{source="kmsg"}[%ds]) == 1`, int(fresh.Seconds())), series.Instant(s.CapturedAt))
	if err != nil {
		return err
	}
	for _, x := range ss {
		if node := x.Labels["instance"]; s.Kernel[node] == nil {
			s.Kernel[node] = []snapshot.Line{}
		}
	}
	return nil
}

// events takes Kubernetes events, kernel lines and log lines.
func (c *Camera) events(ctx context.Context, s *snapshot.Snapshot) error {
	rs, err := c.History.Select(ctx, history.Want{From: s.Window.From, To: s.Window.To})
	if err != nil {
		return err
	}
	c.full(s, "events, kernel and log lines", len(rs))
	logs := map[[3]string]int{} // index in s.Logs
	newest := map[string]int{}  // index in s.Events, by the event's own name
	for _, r := range rs {
		line := snapshot.Line{At: r.At, Text: r.Text, Source: r.Source()}
		switch r.Kind {
		case history.KernelLine:
			s.Kernel[r.Subject.Name] = append(s.Kernel[r.Subject.Name], line)
		case history.LogLine:
			key := [3]string{r.Subject.Namespace, r.Subject.Name, r.Attrs["k8s.container.name"]}
			i, ok := logs[key]
			if !ok {
				i = len(s.Logs)
				logs[key] = i
				s.Logs = append(s.Logs, snapshot.Log{Namespace: key[0], Pod: key[1], Container: key[2]})
			}
			s.Logs[i].Lines = append(s.Logs[i].Lines, line)
		case history.KubeEvent:
			var e corev1.Event
			if err := json.Unmarshal([]byte(r.Text), &e); err != nil {
				s.Unseen = append(s.Unseen, fmt.Sprintf("%s: not an event: %v", r.Source(), err))
				continue
			}
			// The API server counts a repeated event up in place: the newest tells all.
			name := e.Namespace + "/" + e.Name
			if i, ok := newest[name]; ok {
				s.Events[i] = snapshot.Event{Event: e, Source: r.Source()}
				continue
			}
			newest[name] = len(s.Events)
			s.Events = append(s.Events, snapshot.Event{Event: e, Source: r.Source()})
		}
	}
	return nil
}

func (c *Camera) metrics(ctx context.Context, s *snapshot.Snapshot) error {
	names := make([]string, len(c.Metrics))
	for i, n := range c.Metrics {
		names[i] = strings.ReplaceAll(n, "*", ".*")
	}
	expr := fmt.Sprintf(`last_over_time({__name__=~%q}[%ds])`, strings.Join(names, "|"), int(fresh.Seconds()))
	// On a grid that does not move with the clock, so that an onset seen twice
	// is the same; the reading of now comes after it.
	window := s.Window.To.Sub(s.Window.From)
	step := max(step, (window / maxSteps).Truncate(step))
	end := s.CapturedAt.Truncate(step)
	ss, err := c.Querier.Query(ctx, expr, series.Range{From: end.Add(-window), To: end, Step: step})
	if err != nil {
		return err
	}
	last, err := c.Querier.Query(ctx, expr, series.Instant(s.CapturedAt))
	if err != nil {
		return err
	}
	now := map[string]float64{}
	for _, x := range last {
		now[x.String()] = x.Values[0]
	}
	for _, x := range ss {
		m := snapshot.Series{Labels: x.Labels, Source: "query#" + x.String()}
		for i, v := range x.Values {
			if !math.IsNaN(v) {
				m.Samples = append(m.Samples, snapshot.Sample{At: x.At(i).UTC(), Value: v})
			}
		}
		if v, ok := now[x.String()]; ok && s.CapturedAt.After(end) && !math.IsNaN(v) {
			m.Samples = append(m.Samples, snapshot.Sample{At: s.CapturedAt, Value: v})
		}
		if len(m.Samples) > 0 {
			s.Metrics = append(s.Metrics, m)
		}
	}
	return nil
}
