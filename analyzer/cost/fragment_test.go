package cost

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestFragmentation(t *testing.T) {
	const gib = 1 << 30
	pods := func(sizes ...Size) map[PodName]Pod {
		ps := map[PodName]Pod{}
		for i, s := range sizes {
			ps[PodName{"ml", fmt.Sprint(i)}] = Pod{Asks: s}
		}
		return ps
	}
	nodes := func(n int, free Size, away bool) map[string]Node {
		ns := map[string]Node{}
		for i := range n {
			node := Node{Instance: "p5.48xlarge", Region: homeRegion, Free: free, Capacity: Size{8, 192, 2048 * gib}}
			if away {
				node.Away = []float64{0, 0, 1}
			}
			ns[fmt.Sprint("n", i)] = node
		}
		return ns
	}
	large, small := Size{8, 96, 512 * gib}, Size{1, 8, 64 * gib}
	for name, tt := range map[string]struct {
		nodes map[string]Node
		pods  map[PodName]Pod
		want  Fragmentation // Index, Largest, Causes, Placeable as pods for 1, 2, 4, 8
	}{
		"eight free GPUs of no use to who asks for eight": {nodes(4, Size{2, 96, 512 * gib}, false), pods(large),
			Fragmentation{Free: 8, Index: 1, Largest: 2, Causes: map[Cause]float64{TooFew: 8}, USDPerDay: 1254.91, Placeable: []Room{{1, 8}, {2, 4}, {4, 0}, {8, 0}}}},
		"half of who asks could have them": {nodes(4, Size{2, 96, 512 * gib}, false), pods(large, small),
			Fragmentation{Free: 8, Index: 0.5, Largest: 2, Causes: map[Cause]float64{TooFew: 4}, USDPerDay: 627.46, Placeable: []Room{{1, 8}, {2, 4}, {4, 0}, {8, 0}}}},
		"GPUs without a CPU": {nodes(1, Size{8, 4, 512 * gib}, false), pods(small),
			Fragmentation{Free: 8, Index: 1, Largest: 8, Causes: map[Cause]float64{Starved: 8}, USDPerDay: 1254.91, Placeable: []Room{{1, 0}, {2, 4}, {4, 2}, {8, 1}}}},
		"a node that takes no pods": {nodes(1, Size{8, 192, 2048 * gib}, true), pods(small),
			Fragmentation{Free: 8, Index: 1, Causes: map[Cause]float64{Away: 8}, USDPerDay: 1254.91, Placeable: []Room{{1, 0}, {2, 0}, {4, 0}, {8, 0}}}},
		"all is of use": {nodes(1, Size{8, 192, 2048 * gib}, false), pods(large, small),
			Fragmentation{Free: 8, Largest: 8, Causes: map[Cause]float64{}, Placeable: []Room{{1, 8}, {2, 4}, {4, 2}, {8, 1}}}},
		"nothing is free": {nodes(2, Size{}, false), pods(large),
			Fragmentation{Causes: map[Cause]float64{}, Placeable: []Room{{1, 0}, {2, 0}, {4, 0}, {8, 0}}}},
	} {
		t.Run(name, func(t *testing.T) {
			f := &Facts{To: time.Unix(0, 0).Add(10 * time.Minute), From: time.Unix(0, 0), Step: 5 * time.Minute, Lead: 1, Nodes: tt.nodes, Pods: tt.pods}
			got := fragmentation(f, Listed())
			got.Query, got.Nodes, tt.want.Known = "", nil, true
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}
