package cost

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"time"
)

// A Use is GPU-hours of one pod, or of nobody, on one kind of GPU in one class;
// or, without a class, what a pod had of the CPUs and the memory of a machine.
type Use struct {
	Pod      PodName // zero: nobody had them
	Workload Workload
	Team     string
	Pool     string
	Node     string
	Model    string
	Class    Class
	Lost     bool    // quarantined since the GPU did not answer, not since its node took no pods
	Active   float64 // GPU-hours times mean activity
	Known    float64 // GPU-hours of which the activity is known
	GPUHours float64
	USD      float64
	Priced   bool // false: no price is known, and USD is 0

	CPUHours, GiBHours float64 // asked for
	CPU, Memory        float64 // USD
}

// uses adds up f, by everything that a [Use] tells apart.
func uses(f *Facts, b *Book) (us []Use, unseen float64) {
	t := tally{f: f, book: b, of: map[Use]*[3]float64{}}
	for g := range f.GPUs {
		t.gpu(&f.GPUs[g])
	}
	for u, sum := range t.of {
		u.GPUHours, u.Active, u.Known = sum[0], sum[1], sum[2]
		if usd, ok := t.price(u.Node, u.Model); ok {
			u.USD, u.Priced = usd*u.GPUHours, true
		}
		us = append(us, u)
	}
	slices.SortFunc(us, func(a, b Use) int {
		return cmp.Or(cmp.Compare(a.Pod.Namespace, b.Pod.Namespace), cmp.Compare(a.Pod.Name, b.Pod.Name), cmp.Compare(a.Node, b.Node), cmp.Compare(a.Model, b.Model), cmp.Compare(a.Class, b.Class), cmp.Compare(a.USD, b.USD))
	})
	return us, t.unseen
}

// lostGPU is quarantined, and says why.
const lostGPU Class = "lost"

type tally struct {
	f      *Facts
	book   *Book
	of     map[Use]*[3]float64 // GPU-hours, active, known
	unseen float64             // GPU-hours between two samples of a GPU of which nothing is known
}

func (t *tally) price(node, model string) (float64, bool) {
	p := t.book.GPUHour(t.f.Nodes[node], model)
	return p.USD, p.Known
}

func (t *tally) gpu(g *GPU) {
	n := len(g.Lost)
	first, last := n, -1
	for i := range n {
		if g.Lost[i] > 0 || slices.ContainsFunc(g.Parts, func(p Part) bool { return p.Seen[i] }) {
			first, last = min(first, i), i
		}
	}
	hours := t.f.Step.Hours()
	for i := max(first, t.f.Lead); i <= last; i++ {
		if g.Lost[i] > 0 {
			t.add(g, PodName{}, lostGPU, hours, math.NaN())
			continue
		}
		rest := 1.0 // of the GPU that no part seen here covers
		for p := range g.Parts {
			if part := &g.Parts[p]; part.Seen[i] {
				rest -= part.Share
				t.part(g, part, i, hours*part.Share)
			}
		}
		switch {
		case rest >= 1:
			t.unseen += hours
		case rest > 1e-9:
			t.nobody(g, i, hours*rest)
		}
	}
}

// part adds what part was used for at sample i; those who share it have the
// same share each.
func (t *tally) part(g *GPU, p *Part, i int, hours float64) {
	var holders []PodName
	for _, h := range p.Held {
		if h.On[i] {
			holders = append(holders, h.Pod)
		}
	}
	if len(holders) == 0 {
		t.nobody(g, i, hours)
		return
	}
	standby := !slices.ContainsFunc(holders, func(h PodName) bool { return !t.f.Pods[h].Standby })
	class := p.class(i, t.f.Step, standby)
	for _, h := range holders {
		t.add(g, h, class, hours/float64(len(holders)), p.Mean[i])
	}
}

func (t *tally) nobody(g *GPU, i int, hours float64) {
	class := Unallocated
	if away := t.f.Nodes[g.Node].Away; i < len(away) && away[i] > 0 {
		class = Quarantined
	}
	t.add(g, PodName{}, class, hours, math.NaN())
}

func (t *tally) add(g *GPU, pod PodName, class Class, hours, activity float64) {
	p := t.f.Pods[pod]
	u := Use{Pod: pod, Workload: p.Workload, Team: p.Team, Pool: t.f.Nodes[g.Node].Pool, Node: g.Node, Model: g.Model, Class: class}
	if class == lostGPU {
		u.Class, u.Lost = Quarantined, true
	}
	if pod.Name != "" && u.Workload.Name == "" { // nothing tells whose it is
		u.Workload = Workload{pod.Namespace, "Pod", pod.Name}
	}
	sum := t.of[u]
	if sum == nil {
		sum = new([3]float64)
		t.of[u] = sum
	}
	sum[0] += hours
	if !math.IsNaN(activity) {
		sum[1] += hours * activity
		sum[2] += hours
	}
}

// A Row is the GPU-hours and the money of one namespace, team, workload or pool.
type Row struct {
	Name     string            `json:"name"`
	GPUHours float64           `json:"gpuHours"`
	USD      float64           `json:"usd"`                        // of the GPU-hours
	CPU      float64           `json:"cpuUSD"`                     // of what the machines of GPUs have besides
	Memory   float64           `json:"memoryUSD"`                  // the same
	Unpriced float64           `json:"unpricedGPUHours,omitempty"` // of which no price is known
	Classes  map[Class]Measure `json:"classes"`
	Query    string            `json:"query,omitempty"` // PromQL that shows GPUHours
}

// All returns the USD of GPUs, CPUs and memory.
func (r Row) All() float64 { return r.USD + r.CPU + r.Memory }

// A Measure is GPU-hours and their money.
type Measure struct {
	GPUHours float64 `json:"gpuHours"`
	USD      float64 `json:"usd"`
}

// Wasted returns the hours that somebody had and did not use.
func (r Row) Wasted() Measure { return r.Classes[Idle] }

// rows adds up uses by name, the dearest first, then the most hours.
func rows(us []Use, name func(Use) string) []Row {
	by := map[string]*Row{}
	for _, u := range us {
		n := name(u)
		r := by[n]
		if r == nil {
			r = &Row{Name: n, Classes: map[Class]Measure{}}
			by[n] = r
		}
		r.add(u)
	}
	var out []Row
	for _, n := range slices.Sorted(maps.Keys(by)) {
		out = append(out, *by[n])
	}
	slices.SortStableFunc(out, func(a, b Row) int {
		return cmp.Or(cmp.Compare(b.USD, a.USD), cmp.Compare(b.GPUHours, a.GPUHours), cmp.Compare(b.All(), a.All()))
	})
	return out
}

func (r *Row) add(u Use) {
	r.GPUHours += u.GPUHours
	r.USD += u.USD
	r.CPU += u.CPU
	r.Memory += u.Memory
	if u.Class == "" {
		return
	}
	if !u.Priced {
		r.Unpriced += u.GPUHours
	}
	m := r.Classes[u.Class]
	r.Classes[u.Class] = Measure{m.GPUHours + u.GPUHours, m.USD + u.USD}
}

// span writes a length of time as PromQL does.
func span(d time.Duration) string {
	if d%(24*time.Hour) == 0 {
		return itoa(int(d/(24*time.Hour))) + "d"
	}
	if d%time.Hour == 0 {
		return itoa(int(d/time.Hour)) + "h"
	}
	return itoa(int(d/time.Minute)) + "m"
}
