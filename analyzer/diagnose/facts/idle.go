package facts

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"vedette.dev/analyzer"
	"vedette.dev/analyzer/diagnose/placement"
	"vedette.dev/rules/catalog"
)

// idleFor is how long a GPU must stand still to count as idle: longer than a
// checkpoint, an evaluation or a download between two steps of training.
const idleFor = 30 * time.Minute

// busy is from what value a metric says that the GPU works: one per cent.
var busy = map[catalog.ID]float64{gpuUtil: 1, grActive: 0.01}

// idleHolders looks for pods that hold GPUs without using them and would make
// room for p on their node. It records them and reports whether there are any.
func (w *World) idleHolders(p *pod, fits []placement.Fit, f *Fact) bool {
	found := false
	incomplete := w.incomplete()
	for _, x := range fits {
		have := x.Free[gpuResource]
		room := have.Value()
		var holders []*pod
		for _, o := range w.placed[x.Node.Name] {
			if o.gone || placement.Over(o.Pod) || w.Workload(o.subject) == w.Workload(p.subject) || w.waitsForItsOwn(o, incomplete) {
				continue // what waits for its own kind is not idle, and ending it would help nobody
			}
			if n, all := w.idle(o); all {
				room += int64(n)
				holders = append(holders, o)
			}
		}
		if len(holders) == 0 || room < gpuRequest(p) {
			continue
		}
		found = true
		for _, o := range holders {
			w.addIdle(o, f)
		}
	}
	return found
}

// addIdle records that p holds GPUs which it does not use, and that f waits for them.
func (w *World) addIdle(p *pod, f *Fact) {
	f.Detail["waitsFor"] = strings.TrimSpace(f.Detail["waitsFor"] + " " + p.subject.String())
	if slices.ContainsFunc(w.named["gpu-idle"], func(o *Fact) bool { return o.Subject == p.subject }) {
		return
	}
	n, _ := w.idle(p)
	held := w.Graph.Held(p.subject)
	source := ""
	for _, m := range w.measures[gpuMetric{held[0], gpuUtil}] {
		source = m.Source
	}
	idle := w.add(Fact{Fact: analyzer.Fact{Subject: p.subject, Name: "gpu-idle", Standing: true, Source: cmp.Or(source, p.source),
		Text: fmt.Sprintf("it holds %d GPUs and has not used them for %d minutes or more", n, int(idleFor.Minutes()))},
		Kind: metricKind(string(gpuUtil)), Detail: map[string]string{"gpus": fmt.Sprint(n)}})
	idle.Also = append(idle.Also, analyzer.Evidence{Source: p.source, Text: fmt.Sprintf("it requests %d GPUs on node %s", gpuRequest(p), p.Spec.NodeName)})
}

// idle returns how many GPUs the pod holds without having used them for as
// long as idleFor, and whether all that it holds are so.
func (w *World) idle(p *pod) (int, bool) {
	held := w.Graph.Held(p.subject)
	n := 0
	for _, gpu := range held {
		if w.unused(gpu) {
			n++
		}
	}
	return n, n > 0 && n == len(held)
}

// unused reports whether the engines of a GPU stood still for idleFor up to now.
func (w *World) unused(gpu analyzer.Subject) bool {
	long := false
	for _, name := range []catalog.ID{gpuUtil, grActive} {
		for _, m := range w.measures[gpuMetric{gpu, name}] {
			if !w.fresh(m) {
				return false
			}
			for _, p := range m.Samples {
				if w.now.Sub(p.At) <= idleFor && p.Value >= busy[name] {
					return false
				}
			}
			long = long || w.now.Sub(m.Samples[0].At) >= idleFor
		}
	}
	return long
}
