package cost

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"vedette.dev/analyzer/series"
)

// This file gives what the CPUs and the memory of the GPUs' machines cost to the
// pods that asked for them, those without a GPU too, and what nobody asked for
// to nobody: a machine's price is then in the rows, all of it and once.

// Asked is what a pod asked for of a machine's CPUs and memory, over the window.
type Asked struct {
	Pod      PodName
	Node     string
	CPUHours float64
	GiBHours float64
}

const (
	gib = 1 << 30
	// besideStep is how finely it is looked at in windows of more than a day: what
	// all pods of a cluster ask for, every five minutes of a week, would be more
	// than a store gives out at once.
	besideStep = 15 * time.Minute
)

// asked reads what pods asked for on machines with GPUs while they ran.
func (r *reader) asked(ctx context.Context) error {
	window, step := r.To.Sub(r.From), r.Step
	if window > 24*time.Hour {
		step = max(step, besideStep)
	}
	type key struct {
		pod  PodName
		node string
	}
	by := map[key]*Asked{}
	for resource, put := range map[string]func(a *Asked, hours float64){
		"cpu":    func(a *Asked, hours float64) { a.CPUHours += hours },
		"memory": func(a *Asked, hours float64) { a.GiBHours += hours / gib },
	} {
		expr := fmt.Sprintf(`sum_over_time((sum by (namespace, pod, node) (kube_pod_container_resource_requests{resource=%q}) and on (namespace, pod) kube_pod_status_phase{phase="Running"} == 1`+
			` and on (node) kube_node_status_allocatable{resource="nvidia_com_gpu"} > 0)[%s:%s] @ %d)`, resource, span(window), span(step), r.To.Unix())
		ss, err := r.q.Query(ctx, expr, series.Instant(r.To))
		if err != nil {
			r.gap("what pods asked for of the machines' %s could not be read, so that all of it is nobody's: %v", resource, err)
			continue
		}
		for _, s := range ss {
			k := key{PodName{s.Labels["namespace"], s.Labels["pod"]}, cmp.Or(r.names[s.Labels["node"]], s.Labels["node"])}
			if by[k] == nil {
				by[k] = &Asked{Pod: k.pod, Node: k.node}
			}
			put(by[k], s.Values[0]*step.Hours())
		}
	}
	for _, k := range slices.SortedFunc(maps.Keys(by), func(a, b key) int {
		return cmp.Or(cmp.Compare(a.node, b.node), cmp.Compare(a.pod.Namespace, b.pod.Namespace), cmp.Compare(a.pod.Name, b.pod.Name))
	}) {
		r.Asked = append(r.Asked, *by[k])
	}
	return nil
}

// machine is what the CPUs and the memory of a machine cost in the window, and
// how many hours of them there were.
type machine struct{ cpuUSD, memoryUSD, cpuHours, gibHours float64 }

// beside shares out the CPUs and the memory of the machines whose GPU-hours
// were seen. Where more was asked for than there was, as it looks when a pod was
// seen for longer than the machine's GPUs, each has its part of what there was.
func beside(f *Facts, b *Book, gpus []Use) []Use {
	machines := map[string]*machine{}
	for _, u := range gpus {
		n := f.Nodes[u.Node]
		p := b.GPUHour(n, u.Model)
		m := machines[u.Node]
		if m == nil {
			m = new(machine)
			machines[u.Node] = m
		}
		m.cpuUSD, m.memoryUSD = m.cpuUSD+p.CPU*u.GPUHours, m.memoryUSD+p.Memory*u.GPUHours
		has := n.Capacity
		if i, ok := b.known(n.Instance); ok { // what its pods may not have is the machine's all the same
			has = Size{GPUs: max(has.GPUs, math.Ceil(i.GPUs)), CPUs: max(has.CPUs, i.VCPUs), MemoryBytes: max(has.MemoryBytes, i.MemoryMiB*gib/1024)}
		}
		if has.GPUs > 0 {
			hours := u.GPUHours / has.GPUs
			m.cpuHours, m.gibHours = m.cpuHours+hours*has.CPUs, m.gibHours+hours*has.MemoryBytes/gib
		}
	}
	asked := map[string]*machine{}
	for _, a := range f.Asked {
		if asked[a.Node] == nil {
			asked[a.Node] = new(machine)
		}
		asked[a.Node].cpuHours += a.CPUHours
		asked[a.Node].gibHours += a.GiBHours
	}
	var out []Use
	for _, a := range f.Asked {
		m := machines[a.Node]
		if m == nil || m.cpuUSD+m.memoryUSD == 0 {
			continue
		}
		p := f.Pods[a.Pod]
		u := Use{Pod: a.Pod, Workload: p.Workload, Team: p.Team, Pool: f.Nodes[a.Node].Pool, Node: a.Node, CPUHours: a.CPUHours, GiBHours: a.GiBHours,
			CPU: m.cpuUSD * part(a.CPUHours, asked[a.Node].cpuHours, m.cpuHours), Memory: m.memoryUSD * part(a.GiBHours, asked[a.Node].gibHours, m.gibHours), Priced: true}
		if u.Workload.Name == "" {
			u.Workload = Workload{a.Pod.Namespace, "Pod", a.Pod.Name}
		}
		out = append(out, u)
	}
	for _, node := range slices.Sorted(maps.Keys(machines)) {
		m := machines[node]
		u := Use{Pool: f.Nodes[node].Pool, Node: node, CPU: m.cpuUSD, Memory: m.memoryUSD, CPUHours: m.cpuHours, GiBHours: m.gibHours, Priced: true}
		for _, o := range out {
			if o.Node == node && o.Pod.Name != "" {
				u.CPU, u.Memory = u.CPU-o.CPU, u.Memory-o.Memory
				u.CPUHours, u.GiBHours = u.CPUHours-o.CPUHours, u.GiBHours-o.GiBHours
			}
		}
		u.CPUHours, u.GiBHours = max(0, u.CPUHours), max(0, u.GiBHours)
		if m.cpuUSD+m.memoryUSD > 0 {
			out = append(out, u)
		}
	}
	return out
}

// part returns which share of a whole somebody has who asked for some of it.
func part(asked, byAll, whole float64) float64 {
	if whole = max(whole, byAll); whole == 0 {
		return 0
	}
	return asked / whole
}
