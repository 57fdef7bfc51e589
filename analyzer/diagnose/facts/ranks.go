package facts

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"vedette.dev/analyzer"
	"vedette.dev/analyzer/topology"
)

// together is how far apart ranks may say that they reach nobody: they start,
// and give up, within one time-out of each other.
const together = 5 * time.Minute

// readRanks tells apart why ranks of one job lose each other: one ended before
// the others noticed, or all were alive and could not talk.
func (w *World) readRanks() {
	for _, top := range w.complaining() {
		w.readTaken(top)
		if first := w.firstToEnd(top); first != nil {
			f := w.add(Fact{Fact: analyzer.Fact{Subject: first.Subject, Name: "rank-died-first", At: first.At, Standing: true, Source: first.Source,
				Text: "it ended before the other ranks complained: " + first.Text}, Kind: first.Kind, Weight: 0})
			f.Detail["exit"] = first.Detail["exit"]
			f.Detail["which"] = w.whichRank(f.Subject)
			continue
		}
		if w.readStalled(top) {
			continue
		}
		var said []*Fact
		pods := map[analyzer.Subject]bool{}
		for _, f := range w.Called("nccl-unreached") {
			if w.Workload(f.Subject) == top {
				said = append(said, f)
				pods[f.Subject] = true
			}
		}
		if len(pods) < 2 || said[len(said)-1].At.Sub(said[0].At) > together {
			continue
		}
		f := w.add(Fact{Fact: analyzer.Fact{Subject: top, Name: "ranks-unconnected", At: said[0].At, Standing: slices.ContainsFunc(said, func(f *Fact) bool { return f.Standing }), Source: said[0].Source,
			Text: fmt.Sprintf("%d of its pods cannot reach each other, and none had ended before: %s", len(pods), said[0].Text)}, Kind: LogKind})
		for _, o := range said {
			f.Seen = append(f.Seen, o.Subject)
			f.Also = append(f.Also, analyzer.Evidence{Source: o.Source, At: o.At, Text: o.Text})
		}
	}
}

// readStalled finds the pod whose ranks had begun fewer collectives than all
// others when these gave up waiting: what it did not begin, they waited for.
// Nobody else need say anything, and its own end may come last.
func (w *World) readStalled(top analyzer.Subject) bool {
	least := map[string]map[analyzer.Subject]int64{} // by group of processes and pod
	said := map[analyzer.Subject]*Fact{}
	var newest time.Time
	for _, f := range w.Called("nccl-progress") {
		if w.Workload(f.Subject) == top {
			said[f.Subject] = f
			newest = later(newest, latest(f))
		}
	}
	for _, f := range said {
		for _, line := range append([]analyzer.Evidence{{At: f.At, Text: f.Text}}, f.Also...) {
			group, n, ok := progress(line.Text)
			if !ok || newest.Sub(line.At) > together {
				continue // those of a run before had counts of their own
			}
			if least[group] == nil {
				least[group] = map[analyzer.Subject]int64{}
			}
			if was, ok := least[group][f.Subject]; !ok || n < was {
				least[group][f.Subject] = n
			}
		}
	}
	for _, group := range slices.Sorted(maps.Keys(least)) {
		pods := slices.SortedFunc(maps.Keys(least[group]), func(a, b analyzer.Subject) int {
			return cmp.Or(cmp.Compare(least[group][a], least[group][b]), topology.Compare(a, b))
		})
		if len(pods) < 2 || least[group][pods[0]] == least[group][pods[1]] {
			continue
		}
		at := said[pods[0]].At
		for _, f := range w.Called("collective-timeout") {
			if w.Workload(f.Subject) == top && f.At.Before(at) {
				at = f.At // when they began to wait
			}
		}
		f := w.add(Fact{Fact: analyzer.Fact{Subject: pods[0], Name: "rank-stalled", At: at, Standing: true, Source: said[pods[0]].Source,
			Text: fmt.Sprintf("it had begun %d collectives when the others had begun %d or more and waited", least[group][pods[0]], least[group][pods[1]])}, Kind: LogKind})
		f.Detail["which"] = w.whichRank(pods[0])
		f.Also = append(f.Also, analyzer.Evidence{Source: said[pods[1]].Source, At: said[pods[1]].At, Text: said[pods[1]].Text})
		return true
	}
	return false
}

var (
	beganCollectives = regexp.MustCompile(`(?i)last enqueued (?:NCCL )?work: (-?\d+)`)
	processGroup     = regexp.MustCompile(`PG GUID ([^ \]]+)`)      // each counts its own collectives
	rankPrefix       = regexp.MustCompile(`^\[rank(\d+)\]:( |\[E)`) // of a trace, of an error of the library
)

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// progress reads the group of processes and how many collectives a rank of it had begun.
func progress(line string) (group string, began int64, ok bool) {
	m := beganCollectives.FindStringSubmatch(line)
	if m == nil {
		return "", 0, false
	}
	if g := processGroup.FindStringSubmatch(line); g != nil {
		group = g[1]
	}
	n, err := strconv.ParseInt(m[1], 10, 64)
	return group, n, err == nil && n >= 0
}

// whichRank says where a pod's ranks are: on which node, which ranks they are
// as far as its last lines tell, and which GPU it is where that is one rank.
func (w *World) whichRank(pod analyzer.Subject) string {
	var ended, ranks []int
	for _, l := range w.s.Logs {
		if l.Namespace != pod.Namespace || l.Pod != pod.Name {
			continue
		}
		for _, line := range l.Lines[max(0, len(l.Lines)-lastRanks):] {
			m := rankPrefix.FindStringSubmatch(line.Text)
			if m == nil {
				continue
			}
			n, err := strconv.Atoi(m[1])
			switch {
			case err != nil:
			case m[2] == " " && !slices.Contains(ended, n):
				ended = append(ended, n)
			case m[2] != " " && !slices.Contains(ranks, n):
				ranks = append(ranks, n)
			}
		}
	}
	if len(ended) > 0 {
		ranks = ended // the others only heard of it
	}
	var says []string
	if n := w.NodeOf(pod); n != "" {
		says = append(says, w.Words(analyzer.Node(n)))
	}
	gpus := w.Graph.Held(pod)
	slices.SortFunc(gpus, func(a, b analyzer.Subject) int {
		return cmp.Or(cmp.Compare(len(w.Graph.Index(a)), len(w.Graph.Index(b))), cmp.Compare(w.Graph.Index(a), w.Graph.Index(b)))
	})
	slices.Sort(ranks)
	switch {
	case len(ranks) == 1 && len(gpus) > 0:
		says = append(says, fmt.Sprintf("rank %d", ranks[0]), w.Words(gpus[ranks[0]%len(gpus)]))
	case len(ranks) == 1:
		says = append(says, fmt.Sprintf("rank %d", ranks[0]))
	case len(ranks) > 1:
		says = append(says, fmt.Sprintf("ranks %d to %d", ranks[0], ranks[len(ranks)-1]))
	}
	if len(says) == 0 {
		return ""
	}
	return "(" + strings.Join(says, ", ") + ")"
}

// lastRanks is how many lines at the end of a log tell which rank ended: a
// trace of PyTorch with its remarks is shorter.
const lastRanks = 40

// readTaken records pods of the workload that were deleted while others of it
// went on: who has no rank any more has not ended by any word of its own.
func (w *World) readTaken(top analyzer.Subject) {
	for _, p := range w.order {
		if !p.gone || p.DeletionTimestamp == nil || w.Workload(p.subject) != top || p.Status.Phase != corev1.PodRunning {
			continue
		}
		f := w.state(p, "pod-taken", deleted(p), 0, "the pod was deleted while it ran")
		for _, e := range w.events[p.subject] {
			if e.Reason == "Killing" {
				f.Also = append(f.Also, evidenceOf(e))
			}
		}
	}
}

// complaining returns the workloads of which a rank complains of others.
func (w *World) complaining() []analyzer.Subject {
	var tops []analyzer.Subject
	for _, f := range w.Called("collective-timeout", "nccl-peer-lost", "nccl-unreached") {
		if top := w.Workload(f.Subject); !slices.Contains(tops, top) {
			tops = append(tops, top)
		}
	}
	return tops
}

// firstToEnd returns the end of a rank that came before the others' complaints,
// in a pod that does not complain itself; nil where there is none.
func (w *World) firstToEnd(top analyzer.Subject) *Fact {
	complained := map[analyzer.Subject]bool{}
	var since time.Time
	for _, f := range w.Called("collective-timeout", "nccl-peer-lost", "nccl-unreached") {
		if w.Workload(f.Subject) != top {
			continue
		}
		complained[f.Subject] = true
		if since.IsZero() || f.At.Before(since) {
			since = f.At
		}
	}
	var first *Fact
	for _, f := range w.Called("container-failed", "container-killed", "container-signalled", "container-oom-killed", "pod-failed", "pod-disrupted", "pod-taken") {
		if w.Workload(f.Subject) != top || complained[f.Subject] || f.At.IsZero() || f.At.After(since.Add(skewFar)) || since.Sub(f.At) > longestCollective {
			continue
		}
		if first == nil || f.At.Before(first.At) {
			first = f
		}
	}
	return first
}

// longestCollective is how long ranks wait for one that is gone, by default and with some grace.
const longestCollective = 45 * time.Minute
