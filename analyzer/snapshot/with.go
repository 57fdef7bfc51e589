package snapshot

import (
	"encoding/json"
	"slices"
)

// With returns s with what o tells besides: lines, events, revisions and
// readings that s does not have, which it knows by their sources. Unlike
// [Snapshot.Add] it leaves s alone, and a log that both have is made whole.
func (s *Snapshot) With(o *Snapshot) *Snapshot {
	out := s.clone()
	known := map[string]bool{}
	for _, e := range out.Events {
		known[e.Source] = true
	}
	for _, r := range out.History {
		known[r.Source] = true
	}
	out.Events = with(out.Events, o.Events, func(e Event) bool { return !known[e.Source] })
	out.History = with(out.History, o.History, func(r Revision) bool { return !known[r.Source] })
	out.Kernel = map[string][]Line{}
	for node, lines := range s.Kernel {
		out.Kernel[node] = lines
	}
	for node, lines := range o.Kernel {
		out.Kernel[node] = withLines(out.Kernel[node], lines)
	}
	out.Logs = slices.Clone(s.Logs)
	for _, l := range o.Logs {
		same := func(x Log) bool {
			return x.Namespace == l.Namespace && x.Pod == l.Pod && x.Container == l.Container && x.Previous == l.Previous
		}
		if i := slices.IndexFunc(out.Logs, same); i >= 0 {
			out.Logs[i].Lines = withLines(out.Logs[i].Lines, l.Lines)
			continue
		}
		out.Logs = append(out.Logs, l)
	}
	out.Metrics = slices.Clone(s.Metrics)
	for _, m := range o.Metrics {
		key := Selector(m.Labels)
		i := slices.IndexFunc(out.Metrics, func(x Series) bool { return x.Name() == m.Name() && Selector(x.Labels) == key })
		if i < 0 {
			out.Metrics = append(out.Metrics, m)
			continue
		}
		first := out.Metrics[i].Samples[0].At // a longer look is a coarser one: s knows better what it knows
		before := slices.DeleteFunc(slices.Clone(m.Samples), func(p Sample) bool { return !p.At.Before(first) })
		out.Metrics[i].Samples = slices.Concat(before, out.Metrics[i].Samples)
	}
	out.arrange()
	return out
}

func with[T any](mine, others []T, unknown func(T) bool) []T {
	all := slices.Clone(mine)
	for _, x := range others {
		if unknown(x) {
			all = append(all, x)
		}
	}
	return all
}

// withLines adds the lines of others that are not among mine, in time order.
func withLines(mine, others []Line) []Line {
	known := map[string]bool{}
	for _, l := range mine {
		known[l.Source] = true
	}
	all := with(mine, others, func(l Line) bool { return !known[l.Source] })
	slices.SortStableFunc(all, func(a, b Line) int { return a.At.Compare(b.At) })
	return all
}

// clone returns a snapshot with the content of s, and nothing decoded yet.
func (s *Snapshot) clone() *Snapshot {
	return &Snapshot{CapturedAt: s.CapturedAt, Window: s.Window, Cluster: s.Cluster, Origin: s.Origin, Redacted: s.Redacted, Objects: s.Objects, History: s.History,
		Events: s.Events, Logs: s.Logs, Kernel: s.Kernel, Units: s.Units, Metrics: s.Metrics, Edges: s.Edges, Alerts: s.Alerts, Unseen: slices.Clone(s.Unseen)}
}

// Redacted returns the object without what looks like a secret.
func (o Object) Redacted() json.RawMessage { return redactRaw(o.Raw) }

// RedactedLines returns the lines of one log without what looks like a secret.
func RedactedLines(lines []Line) []Line {
	lines = slices.Clone(lines)
	redactLines(lines)
	return lines
}
