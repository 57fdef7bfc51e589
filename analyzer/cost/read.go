package cost

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"vedette.dev/analyzer/series"
)

const (
	// minStep is how finely time is looked at: as finely as PromQL's own
	// patience with a series that has stopped.
	minStep = 5 * time.Minute
	// maxSamples bounds the samples of a window: a week at minStep.
	maxSamples = 7 * 24 * 12
	// maxHeld bounds the samples of all GPUs together, at some 40 bytes each: a
	// week of 2,000 GPUs at minStep, and of more GPUs in longer steps.
	maxHeld = 2000 * maxSamples
	// maxWindow is as far back as a report goes: a quarter.
	maxWindow = 92 * 24 * time.Hour
)

// activities are the metrics that tell how busy a GPU is, the best first, and
// what makes a share of them. GPU_UTIL says in which share of the time
// anything ran at all, however little of the GPU it kept busy.
var activities = [...]struct{ metric, scale string }{
	{"DCGM_FI_PROF_SM_ACTIVE", ""},
	{"DCGM_FI_PROF_GR_ENGINE_ACTIVE", ""},
	{"DCGM_FI_DEV_GPU_UTIL", " / 100"},
}

// present is the metric that shows that a GPU is there and who holds it.
// dcgm-exporter has it on as it comes, of MIG instances too.
const present = "DCGM_FI_DEV_FB_USED"

// stepFor returns the spacing of samples for a window and so many GPUs.
func stepFor(window time.Duration, gpus int) time.Duration {
	most := min(maxSamples, maxHeld/max(1, gpus))
	for _, step := range []time.Duration{minStep, 10 * time.Minute, 15 * time.Minute, 30 * time.Minute} {
		if window <= time.Duration(most)*step {
			return step
		}
	}
	return time.Hour // an hour is what is judged
}

// Read reads what q has about the GPUs in the window that ends at now. What
// cannot be read is a gap of the facts; an error is for what leaves none.
func Read(ctx context.Context, q series.Querier, window time.Duration, now time.Time) (*Facts, error) {
	whole := window
	window = min(window, maxWindow)
	counted, err := q.Query(ctx, fmt.Sprintf("count(count by (UUID) (last_over_time(%s[%s])))", present, span(window)), series.Instant(now))
	if err != nil {
		return nil, fmt.Errorf("count GPUs: %w", err)
	}
	gpus := 0
	if len(counted) == 1 {
		gpus = int(counted[0].Values[0])
	}
	step := stepFor(window, gpus)
	f := &Facts{Step: step, To: now.Truncate(step), Lead: int(judged / step), Nodes: map[string]Node{}, Pods: map[PodName]Pod{}, Activity: map[string]int{}}
	f.From = f.To.Add(-window.Truncate(step))
	r := &reader{Facts: f, q: q, names: map[string]string{}, gpus: map[string]*GPU{},
		over: series.Range{From: f.From.Add(-time.Duration(f.Lead-1) * step), To: f.To, Step: step}}
	if window < whole {
		r.gap("no report goes back further than %s", span(window))
	}
	for _, read := range []func(context.Context) error{r.nodes, r.pods, r.parts, r.holders, r.memory, r.activity, r.lost, r.away, r.requests, r.asked, r.early} {
		if err := read(ctx); err != nil {
			return nil, fmt.Errorf("read what GPUs were used for: %w", err)
		}
	}
	r.settle()
	return f, nil
}

// A reader is facts on their way.
type reader struct {
	*Facts
	q     series.Querier
	over  series.Range
	names map[string]string // of nodes, by every name that a metric may give them
	gpus  map[string]*GPU   // by node and UUID
}

// labelled queries what was there at any time in the window, for its labels.
func (r *reader) labelled(ctx context.Context, metric string, take func(l map[string]string)) error {
	ss, err := r.q.Query(ctx, fmt.Sprintf("last_over_time(%s[%s])", metric, span(r.To.Sub(r.From))), series.Instant(r.To))
	for _, s := range ss {
		take(s.Labels)
	}
	return err
}

// each queries a range.
func (r *reader) each(ctx context.Context, expr string, take func(l map[string]string, vs []float64)) error {
	ss, err := r.q.Query(ctx, expr, r.over)
	for _, s := range ss {
		take(s.Labels, s.Values)
	}
	return err
}

// now queries the values at the end of the window.
func (r *reader) now(ctx context.Context, expr string, take func(l map[string]string, v float64)) error {
	ss, err := r.q.Query(ctx, expr, series.Instant(r.To))
	for _, s := range ss {
		if v := s.Values[0]; !math.IsNaN(v) {
			take(s.Labels, v)
		}
	}
	return err
}

// gpu returns the GPU that a series is about, made where there is none yet.
func (r *reader) gpu(l map[string]string) *GPU {
	host := cmp.Or(l["Hostname"], l["hostname"], l["node"], l["instance"])
	host = cmp.Or(r.names[host], host)
	if host == "" || l["UUID"] == "" {
		return nil
	}
	key := host + "/" + l["UUID"]
	g := r.gpus[key]
	if g == nil {
		g = &GPU{Node: host, UUID: l["UUID"], Lost: make([]float64, r.over.Len())}
		r.gpus[key] = g
	}
	g.Index, g.Model = cmp.Or(g.Index, l["gpu"]), cmp.Or(g.Model, l["modelName"])
	return g
}

// part returns the part that a series is about, made where there is none yet,
// nil where it is of none that can be told.
func (r *reader) part(l map[string]string) *Part {
	g := r.gpu(l)
	if g == nil {
		return nil
	}
	for i := range g.Parts {
		if g.Parts[i].Instance == l["GPU_I_ID"] {
			return &g.Parts[i]
		}
	}
	share := 1.0
	if l["GPU_I_ID"] != "" {
		if share = shareOf(l["GPU_I_PROFILE"], g.Model); share == 0 {
			return nil
		}
	}
	n := r.over.Len()
	g.Parts = append(g.Parts, Part{Instance: l["GPU_I_ID"], Profile: l["GPU_I_PROFILE"], Share: share, Seen: make([]bool, n), Mean: missing(n), Peak: missing(n), Memory: missing(n)})
	return &g.Parts[len(g.Parts)-1]
}

func missing(n int) []float64 {
	vs := make([]float64, n)
	for i := range vs {
		vs[i] = math.NaN()
	}
	return vs
}

// fill writes the samples there are into dst. Where two series have one, since
// a pod's lingers when the next has come, the higher stands.
func fill(dst, vs []float64) {
	for i, v := range vs {
		if !math.IsNaN(v) && !(dst[i] >= v) {
			dst[i] = v
		}
	}
}

// holds notes that pod held p wherever vs has a sample above 0.
func (p *Part) holds(pod PodName, vs []float64) {
	i := slices.IndexFunc(p.Held, func(h Held) bool { return h.Pod == pod })
	if i < 0 {
		i = len(p.Held)
		p.Held = append(p.Held, Held{Pod: pod, On: make([]bool, len(vs))})
	}
	for k, v := range vs {
		p.Held[i].On[k] = p.Held[i].On[k] || v > 0
	}
}

// parts reads which GPUs and MIG instances there were, and which pod dcgm's
// series say had them.
func (r *reader) parts(ctx context.Context) error {
	unknown := map[string]bool{}
	err := r.each(ctx, present, func(l map[string]string, vs []float64) {
		p := r.part(l)
		if p == nil {
			unknown[l["UUID"]+"/"+l["GPU_I_ID"]] = true
			return
		}
		there := make([]float64, len(vs))
		for i, v := range vs {
			if !math.IsNaN(v) {
				p.Seen[i], there[i] = true, 1
			}
		}
		if l["pod"] != "" {
			p.holds(PodName{l["namespace"], l["pod"]}, there)
			r.pod(l, func(p *Pod) { p.Main = cmp.Or(p.Main, l["container"]) })
		}
	})
	if len(unknown) > 0 {
		r.gap("%d readings are of a GPU or a MIG instance whose node, UUID or profile they do not name", len(unknown))
	}
	return err
}

// holders reads the agent's own relation, which names everyone who shares a
// GPU: where it has a sample, what dcgm's series say there is not asked.
func (r *reader) holders(ctx context.Context) error {
	type told struct {
		pod PodName
		vs  []float64
	}
	by := map[*GPU]map[string][]told{}
	err := r.each(ctx, "vedette_gpu_pod", func(l map[string]string, vs []float64) {
		if g := r.gpu(l); g != nil {
			if by[g] == nil {
				by[g] = map[string][]told{}
			}
			by[g][l["GPU_I_ID"]] = append(by[g][l["GPU_I_ID"]], told{PodName{l["namespace"], l["pod"]}, vs})
		}
	})
	for g, of := range by {
		for i := range g.Parts {
			p := &g.Parts[i]
			ts := of[p.Instance]
			for _, h := range p.Held {
				for k := range h.On {
					h.On[k] = h.On[k] && !slices.ContainsFunc(ts, func(t told) bool { return t.vs[k] > 0 })
				}
			}
			for _, t := range ts {
				p.holds(t.pod, t.vs)
			}
		}
	}
	return err
}

func (r *reader) memory(ctx context.Context) error {
	total := fmt.Sprintf("last_over_time(%[1]s[%[2]s]) + last_over_time(DCGM_FI_DEV_FB_FREE[%[2]s])", present, span(r.To.Sub(r.From)))
	if err := r.now(ctx, total, func(l map[string]string, v float64) {
		if p := r.part(l); p != nil {
			p.MiB = max(p.MiB, v)
		}
	}); err != nil {
		return err
	}
	return r.each(ctx, present+" / ("+present+" + DCGM_FI_DEV_FB_FREE)", func(l map[string]string, vs []float64) {
		if p := r.part(l); p != nil {
			fill(p.Memory, vs)
		}
	})
}

// activity reads how busy every part was, by the best metric that it has.
func (r *reader) activity(ctx context.Context) error {
	for _, a := range activities {
		missing := false
		for _, g := range r.gpus {
			missing = missing || slices.ContainsFunc(g.Parts, func(p Part) bool { return p.Metric == "" })
		}
		if !missing {
			return nil
		}
		for _, over := range []string{"avg", "max"} {
			err := r.each(ctx, fmt.Sprintf("%s_over_time(%s[%s])%s", over, a.metric, span(r.Step), a.scale), func(l map[string]string, vs []float64) {
				p := r.part(l)
				if p == nil || p.Metric != "" && p.Metric != a.metric {
					return
				}
				if p.Metric == "" {
					p.Metric = a.metric
				}
				fill(map[string][]float64{"avg": p.Mean, "max": p.Peak}[over], vs)
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *reader) lost(ctx context.Context) error {
	return r.each(ctx, "vedette_gpu_lost > 0", func(l map[string]string, vs []float64) {
		if g := r.gpu(l); g != nil {
			fill(g.Lost, vs)
		}
	})
}

func (r *reader) away(ctx context.Context) error {
	take := func(l map[string]string, vs []float64) {
		n := r.Nodes[l["node"]]
		if n.Away == nil {
			n.Away = make([]float64, len(vs))
		}
		fill(n.Away, vs)
		r.Nodes[l["node"]] = n
	}
	if err := r.each(ctx, "kube_node_spec_unschedulable > 0", take); err != nil {
		return err
	}
	return r.each(ctx, `kube_node_status_condition{condition="Ready",status!="true"} > 0`, take)
}

// settle orders the GPUs and notes what is missing.
func (r *reader) settle() {
	for _, key := range slices.Sorted(maps.Keys(r.gpus)) {
		g := r.gpus[key]
		for i := range g.Parts {
			p := &g.Parts[i]
			slices.SortFunc(p.Held, func(a, b Held) int {
				return cmp.Or(cmp.Compare(a.Pod.Namespace, b.Pod.Namespace), cmp.Compare(a.Pod.Name, b.Pod.Name))
			})
			if p.Metric != "" || len(p.Held) > 0 {
				r.Activity[p.Metric]++
			}
		}
		r.GPUs = append(r.GPUs, *g)
	}
	if len(r.GPUs) == 0 {
		r.gap("no GPU was seen: nothing has %s in this window", present)
	}
	if n := r.Activity[""]; n > 0 {
		r.gap("how busy %s were nothing tells: they count as busy where somebody had them", gpus(n))
	}
	if n := r.Activity["DCGM_FI_DEV_GPU_UTIL"]; n > 0 {
		r.gap("of %s only DCGM_FI_DEV_GPU_UTIL is known, which says how long anything ran and not how much of the GPU: they may look busier than they were", gpus(n))
	}
	var unread []string
	for name, n := range r.Nodes {
		if n.Capacity.GPUs > 0 && !slices.ContainsFunc(r.GPUs, func(g GPU) bool { return g.Node == name }) {
			unread = append(unread, name)
		}
	}
	if len(unread) > 0 {
		slices.Sort(unread)
		r.gap("%s: Kubernetes says that there are GPUs, and no reading of any: their hours are not here", strings.Join(unread, ", "))
	}
}

func (r *reader) gap(format string, args ...any) {
	r.Gaps = append(r.Gaps, fmt.Sprintf(format, args...))
}

// gpus counts GPUs in words.
func gpus(n int) string {
	if n == 1 {
		return "1 GPU"
	}
	return itoa(n) + " GPUs"
}
