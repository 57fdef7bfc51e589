package simulate

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
)

// validate returns which fields of sc make no sense.
func (sc *Scenario) validate() []error {
	var p problems
	p.check(sc.APIVersion == "vedette.dev/v1", "apiVersion", "is %q, want vedette.dev/v1", sc.APIVersion)
	p.check(sc.Kind == "Scenario", "kind", "is %q, want Scenario", sc.Kind)
	p.check(sc.Name != "", "name", "is required")
	p.check(sc.Cluster.Name != "", "cluster.name", "is required")
	p.check(len(sc.Cluster.Pools) > 0, "cluster.pools", "is empty")
	nodes := map[string]int{} // GPUs by node
	for i, pool := range sc.Cluster.Pools {
		pool.validate(p.in("cluster.pools[%d]", i), nodes)
	}
	for _, node := range slices.Sorted(maps.Keys(sc.Cluster.DiskGrowth)) {
		share := sc.Cluster.DiskGrowth[node]
		_, ok := nodes[node]
		p.check(ok, "cluster.diskGrowth", "there is no node %q", node)
		p.check(share > 0 && share <= 1, "cluster.diskGrowth", "%s has %v, want a share above 0 and up to 1", node, share)
	}
	seen := map[string]*Workload{}
	for _, list := range []struct {
		name      string
		workloads []Workload
	}{{"workloads", sc.Workloads}, {"background", sc.Background}} {
		for i := range list.workloads {
			wl := &list.workloads[i]
			in := p.in("%s[%d]", list.name, i)
			wl.validate(in)
			_, twice := seen[wl.id()]
			in.check(!twice, "name", "%s is listed twice", wl.id())
			seen[wl.id()] = wl
		}
	}
	for _, id := range slices.Sorted(maps.Keys(seen)) {
		wl := seen[id]
		_, ok := seen[wl.Beside]
		p.check(wl.Beside == "" || ok, "workloads", "%s is to be beside %q, which there is not", id, wl.Beside)
		known := slices.ContainsFunc(sc.Cluster.Pools, func(pool Pool) bool { return pool.Name == wl.Pool })
		p.check(wl.Pool == "" || known, "workloads", "%s is to be in the pool %q, which there is not", id, wl.Pool)
	}
	faults := func(name string, list []Fault) {
		for i := range list {
			list[i].validate(p.in("%s[%d]", name, i), nodes, seen)
		}
	}
	faults("faults", sc.Faults)
	faults("decoys", sc.Decoys)
	p.check(sc.Noise >= 0 && sc.Noise <= 1, "noise", "is %v, want a share of 0 to 1", sc.Noise)
	for _, what := range sc.Unseen {
		p.check(slices.Contains([]string{"kernel", "metrics", "logs", "holders"}, what), "unseen", "%q is not known; known are kernel, metrics, logs, holders", what)
	}
	sc.Truth.validate(p.in("truth"), nodes, seen)
	if near, ok := sc.Near(); ok {
		for _, err := range near.validate() {
			p.errs = append(p.errs, fmt.Errorf("nearMiss: %w", err))
		}
	}
	return p.errs
}

func (t *Truth) validate(p *problems, nodes map[string]int, workloads map[string]*Workload) {
	if t == nil {
		return
	}
	p.check(t.Cause != "", "cause", "is required")
	_, node := nodes[t.At.Node]
	_, workload := workloads[t.At.Workload]
	p.check(node != workload, "at", "%q or %q: want a node or a workload that there is", t.At.Node, t.At.Workload)
	p.check(slices.Contains([]string{"gpu", "node", "pod", "workload", "namespace"}, t.Subject), "subject", "is %q, want gpu, node, pod, workload or namespace", t.Subject)
	for _, words := range t.Tells {
		_, err := regexp.Compile(words)
		p.check(err == nil, "tells", "%v", err)
	}
}

// problems collects what is wrong with the fields below one path.
type problems struct {
	path string
	errs []error
	root *problems
}

func (p *problems) in(format string, args ...any) *problems {
	root := p
	if p.root != nil {
		root = p.root
	}
	return &problems{path: p.path + fmt.Sprintf(format, args...) + ".", root: root}
}

func (p *problems) check(ok bool, field, format string, args ...any) {
	if ok {
		return
	}
	root := p
	if p.root != nil {
		root = p.root
	}
	root.errs = append(root.errs, fmt.Errorf("%s%s: %s", p.path, field, fmt.Sprintf(format, args...)))
}

func (pool *Pool) validate(p *problems, nodes map[string]int) {
	p.check(pool.Name != "", "name", "is required")
	p.check(pool.Nodes > 0, "nodes", "is %d, want at least 1", pool.Nodes)
	p.check(pool.GPUsPerNode >= 0 && pool.GPUsPerNode <= len(pciBuses), "gpusPerNode", "is %d, want 0 to %d", pool.GPUsPerNode, len(pciBuses))
	p.check(pool.RackSize >= 0, "rackSize", "is %d", pool.RackSize)
	if pool.GPUsPerNode > 0 {
		_, ok := modelNamed(pool.GPUModel)
		p.check(ok, "gpuModel", "%q is not known; known are %s", pool.GPUModel, strings.Join(modelNames(), ", "))
	}
	for i := range pool.Nodes {
		name := pool.nodeName(i)
		_, twice := nodes[name]
		p.check(!twice, "name", "node %s is in two pools", name)
		nodes[name] = pool.GPUsPerNode
	}
}

func (wl *Workload) validate(p *problems) {
	p.check(wl.Namespace != "", "namespace", "is required")
	p.check(wl.Name != "", "name", "is required")
	p.check(slices.Contains([]WorkloadKind{Job, Deployment, StatefulSet, DaemonSet}, wl.Kind), "kind", "is %q, want Job, Deployment, StatefulSet or DaemonSet", wl.Kind)
	p.check(slices.Contains([]Profile{Training, Inference, Batch, Idle, Service}, wl.Profile), "profile", "is %q, want training, inference, batch, idle or service", wl.Profile)
	p.check((wl.Replicas > 0) != (wl.Kind == DaemonSet), "replicas", "is %d, want at least 1, and none of a DaemonSet", wl.Replicas)
	p.check(wl.Kind != DaemonSet || wl.Profile == Service, "profile", "is %q, want service: the kind is DaemonSet", wl.Profile)
	p.check(wl.Retries >= 0 && (wl.Retries == 0 || wl.Kind == Job), "retries", "is %d, want 1 or more, and of a Job", wl.Retries)
	p.check(wl.MIG == "" || wl.GPUsPerPod == 0, "mig", "goes with no gpusPerPod")
	p.check(wl.GPUsPerPod >= 0, "gpusPerPod", "is %d", wl.GPUsPerPod)
	p.check(wl.Image != "", "image", "is required")
	p.check(wl.Profile != Training || wl.Kind == Job, "kind", "is %q, want Job: the profile is training", wl.Kind)
	p.check((wl.Profile == Batch) == (wl.RunTime > 0), "runTime", "goes with the profile batch, and only with it")
	p.check(wl.Profile == Batch || wl.Pause == 0, "pause", "goes with the profile batch")
	p.check(wl.Profile != Batch || wl.Kind == Job, "kind", "is %q, want Job: the profile is batch", wl.Kind)
	p.check(wl.Profile == Training || wl.NCCLTimeout == 0, "ncclTimeout", "goes with the profile training")
	p.check((wl.Profile == Inference) == (wl.Demand != nil), "demand", "goes with the profile inference, and only with it")
	p.check(wl.Profile == Inference || wl.Loads == 0, "loads", "goes with the profile inference")
	p.check(wl.Profile == Inference || wl.Model == "", "model", "goes with the profile inference")
	if d := wl.Demand; d != nil {
		p.check(wl.Kind == Deployment, "kind", "is %q, want Deployment: the profile is inference", wl.Kind)
		p.check(d.Requests > 0, "demand.requests", "is %v, want more than 0", d.Requests)
		p.check(d.PerReplica > 0, "demand.perReplica", "is %v, want more than 0", d.PerReplica)
		p.check(d.Min > 0 && d.Min <= d.Max, "demand.min", "is %d, want 1 to max, %d", d.Min, d.Max)
		p.check(d.Daily >= 0 && d.Daily < 1, "demand.daily", "is %v, want a share of 0 up to 1", d.Daily)
		if s := d.Surge; s != nil {
			p.check(s.Factor > 0, "demand.surge.factor", "is %v, want more than 0", s.Factor)
			p.check(s.After >= 0 && s.For > 0 && time.Duration(s.After+s.For) <= 24*time.Hour, "demand.surge.for", "is %s, %s after the start: want some of the 24 hours that follow", time.Duration(s.For), time.Duration(s.After))
		}
		p.check(d.Weekend >= 0, "demand.weekend", "is %v", d.Weekend)
	}
}

func (f *Fault) validate(p *problems, nodes map[string]int, workloads map[string]*Workload) {
	parameters, onGPU := f.form()
	if parameters == nil {
		p.check(false, "kind", "%q is not known", f.Kind)
		return
	}
	for _, set := range []struct {
		name string
		is   bool
	}{
		{"for", f.For != 0}, {"peak", f.Peak != 0}, {"ramp", f.Ramp != 0}, {"code", f.Code != 0},
		{"factor", f.Factor != 0}, {"count", f.Count != 0}, {"to", f.To != 0},
		{"failure", f.Failure != ""}, {"unit", f.Unit != ""}, {"taint", f.Taint != ""}, {"onNode", f.OnNode}, {"stranger", f.Stranger},
	} {
		p.check(!set.is || slices.Contains(parameters, set.name), set.name, "does not go with %s", f.Kind)
	}
	p.check(!slices.Contains(parameters, "for") || f.For > 0 || f.Kind == Fail, "for", "is required")
	p.check(f.Kind != ThermalThrottle || f.Peak == 0 || f.Peak >= 40 && f.Peak <= 110, "peak", "is %v °C, want 40 to 110", f.Peak)
	p.check(f.Kind != DemandGrowth || f.Factor > 0, "factor", "is %v, want more than 0", f.Factor)
	p.check(f.Kind != ECCBurst && f.Kind != NVLinkErrors || f.Count > 0, "count", "is %d, want at least 1", f.Count)
	p.check(f.Kind != DiskFill && f.Kind != MemoryGrowth || f.To > 0 && f.To <= 1, "to", "is %v, want a share above 0 and up to 1", f.To)
	if f.Kind == XidError {
		_, ok := xidNotes()[f.Code]
		p.check(ok, "code", "%d is not known", f.Code)
	}
	if f.Kind == SXidError {
		_, ok := sxidNotes()[f.Code]
		p.check(ok, "code", "%d is not known", f.Code)
	}
	if f.Kind == Fail {
		_, ok := failures()[f.Failure]
		p.check(ok, "failure", "%q is not known; known are %s", f.Failure, strings.Join(slices.Sorted(maps.Keys(failures())), ", "))
	}
	key, _, _ := strings.Cut(f.Taint, "=")
	p.check(f.Kind != Tainted || key != "", "taint", "is %q, want key=value", f.Taint)
	p.check(f.Kind != UnitDown || f.Unit != "", "unit", "is required")
	f.Target.validate(p.in("target"), f.Kind, onGPU, nodes, workloads)
}

// form returns the names of the parameters that f's kind takes, and whether it befalls a GPU.
func (f *Fault) form() (parameters []string, onGPU bool) {
	switch f.Kind {
	case ThermalThrottle:
		return []string{"for", "peak", "ramp"}, true
	case XidError:
		return []string{"code"}, true
	case ECCBurst:
		return []string{"for", "count"}, true
	case DemandGrowth:
		return []string{"for", "factor"}, false
	case DiskFill:
		return []string{"for", "to"}, false
	case PowerBrake:
		return []string{"for"}, true
	case Fail:
		return []string{"for", "failure", "onNode"}, true
	case Hang:
		return []string{}, true
	case MemoryGrowth:
		return []string{"for", "to", "stranger"}, true
	case NVLinkErrors:
		return []string{"for", "count"}, true
	case SXidError:
		return []string{"code"}, false
	case PluginDown:
		return []string{"for"}, false
	case UnitDown:
		return []string{"for", "unit"}, false
	case MIGFailed, Cordoned, Rebooted:
		return []string{}, false
	case Tainted:
		return []string{"taint"}, false
	case Restarted:
		return []string{}, true
	}
	return nil, false
}

func (t *Target) validate(p *problems, kind FaultKind, onGPU bool, nodes map[string]int, workloads map[string]*Workload) {
	gpus, nodeKnown := nodes[t.Node]
	wl, workloadKnown := workloads[t.Workload]
	p.check(t.Node == "" || nodeKnown, "node", "there is no node %q", t.Node)
	p.check(t.Workload == "" || workloadKnown, "workload", "there is no workload %q", t.Workload)
	p.check(t.Node == "" || t.Workload == "", "workload", "cannot be the target together with a node")
	p.check(kind != DemandGrowth || workloadKnown && wl.Demand != nil, "workload", "must be an inference workload: %s makes its demand grow", kind)
	ofNode := []FaultKind{DiskFill, SXidError, PluginDown, UnitDown, MIGFailed, Tainted, Cordoned, Rebooted}
	p.check(!slices.Contains(ofNode, kind) || nodeKnown || workloadKnown && kind != DiskFill, "node", "is required: %s befalls one", kind)
	if kind == DemandGrowth || kind == DiskFill {
		p.check(t.GPU == 0 && t.Replica == 0, "gpu", "does not go with %s, nor does replica", kind)
		return
	}
	p.check(t.Node != "" || t.Workload != "", "node", "is required, or a workload")
	if workloadKnown {
		gpus = wl.GPUsPerPod
		most := wl.Replicas
		if wl.Demand != nil {
			most = wl.Demand.Max
		}
		p.check(t.Replica >= 0 && t.Replica < most, "replica", "is %d, want 0 to %d", t.Replica, most-1)
	}
	if nodeKnown || workloadKnown {
		p.check(t.GPU == 0 || t.GPU > 0 && t.GPU < gpus, "gpu", "is %d, but there are %d", t.GPU, gpus)
		p.check(workloadKnown || t.Replica == 0, "replica", "does not go with a node")
	}
}

func (wl *Workload) id() string { return wl.Namespace + "/" + wl.Name }

func (pool *Pool) nodeName(i int) string {
	if pool.names != nil {
		return pool.names[i]
	}
	return fmt.Sprintf("%s-%02d", pool.Name, i+1)
}
