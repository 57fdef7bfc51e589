package cost

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
)

// A Fragmentation says how much of the free GPUs at the end of a window are of
// no use to what usually asks for GPUs, and why.
type Fragmentation struct {
	Known  bool              `json:"known"` // false: nothing says what nodes have, and the rest is empty
	Free   float64           `json:"free"`  // GPUs that no pod has
	Index  float64           `json:"index"` // share of them, 0..1, that the usual pod could not have
	Causes map[Cause]float64 `json:"causes"`
	// Largest is the most GPUs that one pod could have now, Placeable how many
	// pods of a size find room at once.
	Largest   int      `json:"largest"`
	Placeable []Room   `json:"placeable"`
	USDPerDay float64  `json:"usdPerDay"` // of the free GPUs that are of no use
	Nodes     []string `json:"nodes,omitempty"`
	Query     string   `json:"query"`
	Assumed   []string `json:"assumed,omitempty"`
}

// A Cause is why free GPUs are of no use.
type Cause string

// The causes.
const (
	TooFew  Cause = "too few GPUs together" // free GPUs, on too many nodes
	Starved Cause = "too little CPU or memory"
	Away    Cause = "node takes no pods" // quarantined
)

// Room is how many pods that ask for so many GPUs find room at once.
type Room struct {
	GPUs int `json:"gpus"`
	Pods int `json:"pods"`
}

// rooms are the sizes of which it is said how many find room.
var rooms = [...]int{1, 2, 4, 8}

// An ask is what some pods of the window ask for, and their share of all.
type ask struct {
	size  Size
	share float64
}

// fragmentation measures how broken up the free GPUs of f are, as fragmentation
// gradient descent does (https://www.usenix.org/conference/atc23/presentation/weng):
// the GPUs that a pod drawn from those of the window could not use, expected.
// Of GPUs that are shared or cut up, the parts that are left are not counted.
func fragmentation(f *Facts, b *Book) Fragmentation {
	fr := Fragmentation{Causes: map[Cause]float64{}, Query: `sum by (node) (kube_node_status_allocatable{resource="nvidia_com_gpu"}) - ` +
		`sum by (node) (kube_pod_container_resource_requests{resource="nvidia_com_gpu"} * on (namespace, pod) group_left () max by (namespace, pod) (kube_pod_status_phase{phase=~"Running|Pending"} == 1))`}
	mix := asks(f)
	unusable, perHour := 0.0, 0.0
	last := f.Lead + f.Samples() - 1
	var ready []Node
	for _, name := range slices.Sorted(maps.Keys(f.Nodes)) {
		n := f.Nodes[name]
		fr.Known = fr.Known || n.Capacity.GPUs > 0
		if n.Free.GPUs < 1 {
			continue
		}
		fr.Free += n.Free.GPUs
		fr.Nodes = append(fr.Nodes, name)
		lost := 0.0
		if last < len(n.Away) && n.Away[last] > 0 {
			fr.Causes[Away] += n.Free.GPUs
			lost = n.Free.GPUs
		} else {
			ready = append(ready, n)
			for _, m := range mix {
				if cause := unfit(n, m.size); cause != "" {
					fr.Causes[cause] += m.share * n.Free.GPUs
					lost += m.share * n.Free.GPUs
				}
			}
		}
		unusable += lost
		perHour += lost * b.GPUHour(n, modelOn(f, name)).USD
	}
	if fr.Free > 0 {
		fr.Index = unusable / fr.Free
	}
	fr.USDPerDay = Cents(24 * perHour)
	for _, n := range ready {
		fr.Largest = max(fr.Largest, int(n.Free.GPUs))
	}
	for _, gpus := range rooms {
		size, usual := typical(mix, float64(gpus))
		if !usual {
			size = Size{GPUs: float64(gpus)}
		}
		room := Room{GPUs: gpus}
		for _, n := range ready {
			room.Pods += fits(n.Free, size)
		}
		fr.Placeable = append(fr.Placeable, room)
	}
	if len(mix) == 0 && fr.Free > 0 {
		fr.Assumed = append(fr.Assumed, "no pod of the window is known to ask for GPUs: nothing says what the free ones are to be of use for")
	}
	return fr
}

// unfit returns why a pod finds no room on n, "" where it does.
func unfit(n Node, pod Size) Cause {
	switch {
	case n.Free.GPUs < pod.GPUs:
		return TooFew
	case fits(n.Free, pod) == 0:
		return Starved
	}
	return ""
}

// fits returns how many pods of a size find room in free.
func fits(free, pod Size) int {
	n := free.GPUs / pod.GPUs
	if pod.CPUs > 0 {
		n = min(n, free.CPUs/pod.CPUs)
	}
	if pod.MemoryBytes > 0 {
		n = min(n, free.MemoryBytes/pod.MemoryBytes)
	}
	return max(0, int(n+1e-9))
}

// asks returns what the pods of the window ask for who ask for GPUs.
func asks(f *Facts) []ask {
	count, all := map[Size]int{}, 0
	for _, p := range f.Pods {
		if p.Asks.GPUs > 0 {
			count[p.Asks]++
			all++
		}
	}
	var out []ask
	for size, n := range count {
		out = append(out, ask{size, float64(n) / float64(all)})
	}
	slices.SortFunc(out, func(a, b ask) int {
		return cmp.Or(cmp.Compare(a.size.GPUs, b.size.GPUs), cmp.Compare(b.share, a.share), cmp.Compare(a.size.CPUs, b.size.CPUs), cmp.Compare(a.size.MemoryBytes, b.size.MemoryBytes))
	})
	return out
}

// typical returns what most pods with so many GPUs ask for.
func typical(mix []ask, gpus float64) (Size, bool) {
	for _, m := range mix { // the largest share of a size comes first
		if m.size.GPUs == gpus {
			return m.size, true
		}
	}
	return Size{}, false
}

func modelOn(f *Facts, node string) string {
	for _, g := range f.GPUs {
		if g.Node == node {
			return g.Model
		}
	}
	return ""
}

func (fr Fragmentation) String() string {
	if !fr.Known {
		return "How many GPUs are free is not known: nothing says what nodes have (kube_node_status_allocatable)."
	}
	s := fmt.Sprintf("%g GPUs are free", fr.Free)
	if fr.Free > 0 {
		s += fmt.Sprintf(", and %.0f %% of that is of no use to what usually asks for GPUs", 100*fr.Index)
		sep := ": "
		for _, c := range [...]Cause{TooFew, Starved, Away} {
			if n := fr.Causes[c]; n > 0 {
				s, sep = s+fmt.Sprintf("%s%s %.1f", sep, c, n), ", "
			}
		}
	}
	return s + fmt.Sprintf(". The largest job that one node could take asks for %d.", fr.Largest)
}
