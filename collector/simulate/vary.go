package simulate

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// What things are called elsewhere: a namespace, and a workload by what it does.
var (
	otherNamespaces = []string{"research", "ml-platform", "genai", "vision", "speech", "nlp-prod", "team-aurora", "recsys", "serving", "llm-serving",
		"inference-prod", "notebooks", "sandbox", "playground", "batch", "etl", "shop", "web", "payments", "data"}
	otherNames = map[Profile][]string{
		Training: {"llama-pretrain", "sft-8b", "mixtral-moe", "vit-huge", "diffusion-xl", "whisper-ft", "reward-model", "dpo-70b", "protein-fold", "clip-b16"},
		Inference: {"chat", "llama-70b", "qwen-14b", "embed", "rerank", "code-assist", "transcribe", "vision-qa", "draft-model",
			"guard"},
		Batch: {"rerank-corpus", "caption", "nightly-eval", "dedup", "transcode"},
		Idle:  {"notebook-mika", "jupyter-ana", "dev-box", "workbench-tom", "notebook-lee", "scratch-ivy"},
	}
)

// Vary returns sc as it would be in another cluster: the same things happen to
// the same workloads, under other names, on other nodes and GPUs, and at other
// times. What is in a namespace of Kubernetes or of NVIDIA's keeps its name.
func (sc *Scenario) Vary(seed uint64) *Scenario {
	v := &variation{rng: rand.New(rand.NewPCG(seed, 0x76617279)), namespaces: map[string]string{}, names: map[string]string{},
		nodes: map[string]string{}, places: map[string][]int{}}
	out := *sc
	out.Seed = seed
	v.pace = 0.85 + 0.3*v.rng.Float64()
	v.rename(&out)
	out.Faults, out.Decoys = v.faults(sc.Faults), v.faults(sc.Decoys)
	out.Ends = v.stretch(sc.Ends)
	out.Truth = v.truth(sc.Truth)
	if sc.NearMiss != nil {
		near := *sc.NearMiss
		if near.Workloads != nil {
			near.Workloads = v.also(near.Workloads, out.Workloads, sc.Workloads)
		}
		near.Faults, near.Truth = v.faults(near.Faults), v.truth(near.Truth)
		out.NearMiss = &near
	}
	return &out
}

// A variation is what one seed makes of a scenario.
type variation struct {
	rng        *rand.Rand
	pace       float64
	namespaces map[string]string
	names      map[string]string // namespace/name
	nodes      map[string]string
	places     map[string][]int // permutations, by what they are of
}

func (v *variation) rename(sc *Scenario) {
	spaces := shuffled(v.rng, otherNamespaces)
	pools := map[Profile][]string{}
	for _, p := range []Profile{Training, Inference, Batch, Idle} {
		pools[p] = shuffled(v.rng, otherNames[p])
	}
	style := v.rng.IntN(3)
	sc.Cluster.Pools = slices.Clone(sc.Cluster.Pools)
	for i := range sc.Cluster.Pools {
		pool := &sc.Cluster.Pools[i]
		names := make([]string, pool.Nodes)
		for k := range names {
			was := pool.nodeName(k)
			switch style {
			case 0:
				names[k] = fmt.Sprintf("ip-10-0-%d-%d.ec2.internal", 16*i+v.rng.IntN(16), 4+k*20+v.rng.IntN(20))
			case 1:
				names[k] = fmt.Sprintf("%s-r%02d-%02d", pool.Name, 1+v.rng.IntN(40), k+1)
			default:
				names[k] = was
			}
			v.nodes[was] = names[k]
		}
		pool.names = names
	}
	name := func(wl Workload) (string, string) {
		if strings.HasPrefix(wl.Namespace, "kube-") || wl.Namespace == "gpu-operator" {
			return wl.Namespace, wl.Name
		}
		ns, ok := v.namespaces[wl.Namespace]
		if !ok {
			ns, spaces = spaces[0], spaces[1:]
			v.namespaces[wl.Namespace] = ns
		}
		as := wl.Name
		if pool := pools[wl.Profile]; len(pool) > 0 {
			as, pools[wl.Profile] = pool[0], pool[1:]
		}
		return ns, as
	}
	change := func(list []Workload) []Workload {
		list = slices.Clone(list)
		for i := range list {
			wl := &list[i]
			was := wl.id()
			wl.Namespace, wl.Name = name(*wl)
			wl.Arrives = v.stretch(wl.Arrives)
			v.names[was] = wl.id()
			v.places[was] = v.rng.Perm(max(1, wl.Replicas))
			v.places["gpus of "+was] = v.rng.Perm(max(1, wl.GPUsPerPod))
		}
		return list
	}
	sc.Workloads, sc.Background = change(sc.Workloads), change(sc.Background)
	for _, list := range [][]Workload{sc.Workloads, sc.Background} {
		for i := range list {
			list[i].Beside = v.names[list[i].Beside]
		}
	}
	v.rng.Shuffle(len(sc.Background), func(i, j int) { sc.Background[i], sc.Background[j] = sc.Background[j], sc.Background[i] })
	sc.Cluster.Quotas = slices.Clone(sc.Cluster.Quotas)
	for i := range sc.Cluster.Quotas {
		sc.Cluster.Quotas[i].Namespace = v.namespaces[sc.Cluster.Quotas[i].Namespace]
	}
	growth := map[string]float64{}
	for node, share := range sc.Cluster.DiskGrowth {
		growth[v.nodes[node]] = share
	}
	sc.Cluster.DiskGrowth = growth
}

// also gives the workloads of a near miss the names that those of the scenario have.
func (v *variation) also(list, as, was []Workload) []Workload {
	list = slices.Clone(list)
	for i := range list {
		wl := &list[i]
		wl.Arrives = v.stretch(wl.Arrives)
		wl.Beside = cmp.Or(v.names[wl.Beside], wl.Beside)
		for k := range was {
			if was[k].id() == wl.id() {
				wl.Namespace, wl.Name = as[k].Namespace, as[k].Name
				break
			}
		}
	}
	return list
}

func shuffled(rng *rand.Rand, list []string) []string {
	list = slices.Clone(list)
	rng.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	return list
}

func (v *variation) faults(list []Fault) []Fault {
	list = slices.Clone(list)
	for i := range list {
		f := &list[i]
		f.At, f.For = v.stretch(f.At), v.stretch(f.For)
		f.Target = v.target(f.Target)
	}
	return list
}

func (v *variation) stretch(d Duration) Duration { return Duration(float64(d) * v.pace) }

func (v *variation) truth(t *Truth) *Truth {
	if t == nil {
		return nil
	}
	other := *t
	other.At = v.target(t.At)
	return &other
}

// target returns t elsewhere. The places of a workload are exchanged alike for all faults.
func (v *variation) target(t Target) Target {
	if t.Workload != "" {
		if places := v.places[t.Workload]; t.Replica < len(places) {
			t.Replica = places[t.Replica]
		}
		if gpus := v.places["gpus of "+t.Workload]; t.GPU < len(gpus) {
			t.GPU = gpus[t.GPU]
		}
		t.Workload = cmp.Or(v.names[t.Workload], t.Workload)
	}
	if t.Node != "" {
		t.Node = v.nodes[t.Node]
	}
	return t
}
