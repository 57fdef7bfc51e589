package facts

import (
	"fmt"

	"vedette.dev/analyzer"
	"vedette.dev/analyzer/snapshot"
	"vedette.dev/rules/catalog"
)

// retrainings is how often a link must have been trained again to be more than
// a moment: a link that works is never.
const retrainings = 3

// oddLinks records GPUs whose NVLinks keep being trained again while those of
// most other GPUs of the node are not. Counters that creep everywhere are the
// weather; one that runs alone is a bad link, whether an Xid tells of it or not.
func (w *World) oddLinks() {
	grown := map[string][]snapshot.Series{} // by node
	quiet := map[string]int{}
	for _, m := range w.s.Series(string(linkRecovery)) {
		gpu, ok := w.gpuOf(m)
		switch {
		case !ok:
		case growth(m) >= retrainings:
			grown[gpu.Node()] = append(grown[gpu.Node()], m)
		case growth(m) == 0:
			quiet[gpu.Node()]++
		}
	}
	for node, all := range grown {
		if quiet[node] < 2*len(all) {
			continue // both ends of a link may tell of it, not half of the machine
		}
		for _, m := range all {
			gpu, _ := w.gpuOf(m)
			since, _ := runStart(m, func(v float64) bool { return v > m.Samples[0].Value })
			f := w.measured(gpu, m, "nvlink-retrains", since, 1, fmt.Sprintf("its NVLinks had to be trained again %s times, and those of %d other GPUs of the node never", number(growth(m)), quiet[node]))
			w.alsoGrew(f, linkCRC, linkReplay)
		}
	}
}

// alsoGrew cites other counters of the same GPU that grew.
func (w *World) alsoGrew(f *Fact, names ...catalog.ID) {
	for _, name := range names {
		for _, m := range w.s.Series(string(name)) {
			if gpu, ok := w.gpuOf(m); ok && gpu == f.Subject && growth(m) > 0 {
				f.Also = append(f.Also, analyzer.Evidence{Source: m.Source, At: f.At, Text: fmt.Sprintf("%s grew by %s", name, number(growth(m)))})
			}
		}
	}
}

// growth is by how much a counter grew over the window, restarts left out.
func growth(m snapshot.Series) (sum float64) {
	for i := 1; i < len(m.Samples); i++ {
		if d := m.Samples[i].Value - m.Samples[i-1].Value; d > 0 {
			sum += d
		}
	}
	return sum
}
