package facts

import (
	"fmt"
	"slices"

	"vedette.dev/analyzer"
	"vedette.dev/analyzer/snapshot"
	"vedette.dev/rules/catalog"
)

// What node_exporter counts of a node's packets.
const (
	segmentsSent  catalog.ID = "node_netstat_Tcp_OutSegs"
	segmentsAgain catalog.ID = "node_netstat_Tcp_RetransSegs"
	framesBroken  catalog.ID = "node_network_receive_errs_total"
)

const (
	lossyShare = 0.01 // of the segments are sent again: what calls notice
	lossyTimes = 10   // times the share of the node's peers: a network that loses everywhere is no node's fault
)

// readPackets finds the nodes that send a share of their TCP segments again
// that is high and far above that of the others. The metric alone hurts nobody.
func (w *World) readPackets() {
	sent := byNode(w.s.Series(string(segmentsSent)))
	shares := map[string]snapshot.Series{}
	var last []float64
	for _, m := range w.s.Series(string(segmentsAgain)) {
		if share, ok := ratio(m, sent[nodeOf(m)]); ok {
			shares[nodeOf(m)] = share
			last = append(last, share.Last().Value)
		}
	}
	if len(last) < 3 {
		return // which of two is the odd one cannot be told
	}
	slices.Sort(last)
	usual := last[len(last)/2]
	for node, m := range shares {
		at, n := runStart(m, func(v float64) bool { return v >= max(lossyShare, lossyTimes*usual) })
		if n < 2 || !w.fresh(m) {
			continue
		}
		f := w.add(Fact{Fact: analyzer.Fact{Subject: analyzer.Node(node), Name: "node-packets-lost", At: at, Standing: true, Source: m.Source,
			Text: fmt.Sprintf("it sends %.1f %% of its TCP segments again; half of the nodes send %.2f %% or less", 100*m.Last().Value, 100*usual)}, Kind: metricKind(m.Name()), Lag: spacing(m)})
		for _, e := range w.s.Series(string(framesBroken)) {
			if from, to := e.Samples[0], e.Last(); nodeOf(e) == node && to.Value > from.Value {
				f.Also = append(f.Also, analyzer.Evidence{Source: e.Source, At: to.At, Text: fmt.Sprintf("%s received %.0f broken frames", e.Labels["device"], to.Value-from.Value)})
			}
		}
	}
}

// ratio returns by what share of the growth of whole a counter grew, from one
// sample to the next. Neither may have started anew.
func ratio(part, whole snapshot.Series) (snapshot.Series, bool) {
	r := snapshot.Series{Labels: part.Labels, Source: part.Source}
	if len(part.Samples) != len(whole.Samples) {
		return r, false
	}
	for i := 1; i < len(part.Samples); i++ {
		if grown := whole.Samples[i].Value - whole.Samples[i-1].Value; grown > 0 {
			r.Samples = append(r.Samples, snapshot.Sample{At: part.Samples[i].At, Value: max(0, part.Samples[i].Value-part.Samples[i-1].Value) / grown})
		}
	}
	return r, len(r.Samples) > 0
}
