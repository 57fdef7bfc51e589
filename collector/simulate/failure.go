package simulate

import (
	_ "embed"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"vedette.dev/rules/strictyaml"
)

// A failure is one row of failures.yaml.
type failure struct {
	ID      string `yaml:"id"`
	Source  string `yaml:"source"`
	Log     string `yaml:"log"`
	Kernel  string `yaml:"kernel"`
	Exit    int    `yaml:"exit"`
	Reason  string `yaml:"reason"`
	Refused string `yaml:"refused"`
	After   int    `yaml:"after"` // s
}

//go:embed failures.yaml
var failureTable []byte

// failures returns the table, by id.
var failures = sync.OnceValue(func() map[string]*failure {
	var rows []*failure
	if err := strictyaml.Decode("failures.yaml", failureTable, &rows); err != nil {
		panic(err) // embedded data
	}
	t := map[string]*failure{}
	for _, r := range rows {
		t[r.ID] = r
	}
	return t
})

// failing is a failure at work: on the pods of a workload, or on whatever
// starts on a node with GPUs of it.
type failing struct {
	failure *failure
	target  Target
	length  Duration
	onNode  bool
	begun   bool
}

func (f *failing) act(w *World, age Duration) bool {
	if !f.begun {
		pods := f.target.pods(w)
		if f.target.Workload != "" && len(pods) == 0 {
			return false
		}
		f.begun = true
		w.script.failing = append(w.script.failing, f)
		if f.onNode && f.target.Workload != "" {
			f.target = Target{Node: pods[0].node.name}
		}
		if f.target.Node != "" {
			return true // what runs there goes on
		}
		for _, p := range pods {
			wait := w.seconds(1, 4)
			if f.failure.kills() {
				wait = w.scripted(Duration(f.failure.After) * Duration(time.Second))
			}
			p.failLater(w, f, wait)
		}
	}
	if age >= f.length {
		w.script.failing = slices.DeleteFunc(w.script.failing, func(x *failing) bool { return x == f })
	}
	return true
}

// kills reports whether it is memory that runs out, which takes its time.
func (f *failure) kills() bool { return strings.Contains(f.Kernel, "oom-kill") }

// covers reports whether f befalls p when it starts.
func (f *failing) covers(w *World, p *pod) bool {
	if f.target.Node != "" {
		return p.node.name == f.target.Node && p.workload.wantsGPUs()
	}
	return p.workload.spec.id() == f.target.Workload && (f.target.All || p.place() == f.target.Replica)
}

// failLater ends p's process as f has it, after a time.
func (p *pod) failLater(w *World, f *failing, wait time.Duration) {
	restarts := p.restarts
	if f.failure.kills() {
		p.swells, p.bursts = w.now, w.now.Add(wait)
	}
	w.after(wait, func() {
		if !p.running() || p.gone || p.restarts != restarts {
			return
		}
		p.write(w, f.failure, f.target.GPU)
		w.after(w.seconds(0.4, 1.2), func() { p.crashAs(w, f.failure.Exit, f.failure.Reason) })
	})
}

// write puts down what the process and the kernel say of f.
func (p *pod) write(w *World, f *failure, gpu int) {
	fill := p.placeholders(w, gpu)
	for line := range strings.Lines(f.Log) {
		p.log(w, fill.Replace(strings.TrimRight(line, "\n")))
	}
	for line := range strings.Lines(f.Kernel) {
		p.node.kernel(w, w.now, 4, fill.Replace(strings.TrimRight(line, "\n")))
	}
}

func (p *pod) placeholders(w *World, gpu int) *strings.Replacer {
	_, memory := p.workload.asks()
	limit := memory >> 10
	h := w.hash("process", p.uid, fmt.Sprint(p.restarts))
	total, used, extra := 0.0, 0.0, 0.0
	if gpu < len(p.gpus) {
		g := p.gpus[gpu]
		total, used = float64(g.model.memory-g.model.reserved), g.used
		extra = g.foreign * total
	}
	gib := func(mib float64) string { return strconv.FormatFloat(max(0, mib)/1024, 'f', 2, 64) }
	return strings.NewReplacer("{rank}", strconv.Itoa(p.index*p.workload.spec.GPUsPerPod+gpu), "{pid}", strconv.Itoa(p.pid),
		"{peer}", strconv.Itoa(p.pid+40+int(h[0])), "{addr}", fmt.Sprintf("10.4.%d.%d", h[1]%8, h[2]), "{gpu}", strconv.Itoa(gpu), "{host}", p.name,
		"{total}", gib(total), "{free}", gib(total-used), "{mine}", gib(used-extra), "{theirs}", gib(extra), "{asked}", gib(max(2048, total-used+float64(h[3])*16)),
		"{limit}", strconv.FormatInt(limit, 10), "{rss}", strconv.FormatInt(limit-limit/200, 10), "{container}", p.containerID, "{driver}", driverVersion,
		"{cgroup}", "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod"+strings.ReplaceAll(p.uid, "-", "_")+".slice")
}

// pods returns the pods that t means: of a workload, those that run.
func (t Target) pods(w *World) []*pod {
	var pods []*pod
	if t.Workload == "" {
		return nil
	}
	wl := w.workload(t.Workload)
	if wl == nil {
		return nil
	}
	for _, p := range wl.pods {
		if p.running() && (t.All || p.place() == t.Replica) {
			pods = append(pods, p)
			w.befall(t, p, nil)
		}
	}
	return pods
}

// place returns p's index in a job or a stateful set, and its place by age in a deployment.
func (p *pod) place() int {
	if p.workload.spec.Kind != Deployment {
		return p.index
	}
	place := 0
	for _, q := range p.workload.pods {
		if q == p {
			break
		}
		if !q.over() {
			place++
		}
	}
	return place
}

// hanging stops a rank: it goes on to no further collective, and the others wait for it.
type hanging struct{ target Target }

func (h *hanging) act(w *World, _ Duration) bool {
	pods := h.target.pods(w)
	if len(pods) == 0 || !pods[0].workload.ranks.training {
		return false
	}
	for _, p := range pods {
		p.stuck = true
	}
	pods[0].workload.rankDied(w)
	return true
}

// restarting deletes pods, whose controller makes others.
type restarting struct{ target Target }

func (r *restarting) act(w *World, _ Duration) bool {
	pods := r.target.pods(w)
	for _, p := range pods {
		p.remove(w)
		p.workload.touchOwners(w)
	}
	return len(pods) > 0
}
