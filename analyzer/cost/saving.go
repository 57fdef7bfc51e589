package cost

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"
)

// A Saving is something that would cost less another way, and the patch that
// makes it so. Nobody applies it but a person.
type Saving struct {
	Of          string  `json:"of"`
	What        string  `json:"what"`
	USDPerMonth float64 `json:"usdPerMonth"` // of 730 hours, at the rate of the window
	Confidence  string  `json:"confidence"`  // high, medium or low: by how long and how well it was seen
	Risk        string  `json:"risk"`
	Patch       string  `json:"patch"`
}

const (
	// mostSavings is how many are worth a reader's time.
	mostSavings = 10
	// worth is the least a saving must come to: less is not worth the change.
	worth = 10 // USD a month
	// enough is how long a workload must have been seen: half a day of a
	// service holds neither its peak nor its trough.
	enough = 24 * time.Hour
	// released is the share of its hours in which a workload does nothing, from
	// where on it is said to be idle and not too large.
	released = 0.95
)

// A wear is how a workload used the GPUs that it had.
type wear struct {
	of       Workload
	main     string             // container
	held     map[PodName][]bool // when each of its pods had a GPU
	pods     int                // the most that had one at once
	single   bool               // each of them at most one, and all of it
	model    string             // "" where they are several
	metric   string             // the worst that told the activity
	mean     []float64          // activity, of every sample of every GPU
	memory   []float64
	mib      float64 // of one GPU
	hours    float64
	usd      float64
	idle     float64 // hours
	standby  bool
	awake    [7][24]bool // by UTC weekday and hour, whether anything ran
	perMonth float64     // USD
}

// savings finds what would cost less, the most first.
func savings(f *Facts, b *Book, us []Use) []Saving {
	out := []Saving{}
	for _, w := range wears(f, us) {
		for _, s := range []*Saving{w.smaller(f), w.offHours(f)} {
			if s != nil && s.USDPerMonth >= worth {
				s.Confidence = w.confidence(f)
				s.USDPerMonth = Cents(s.USDPerMonth)
				out = append(out, *s)
			}
		}
	}
	out = append(out, hosts(f, b)...)
	slices.SortStableFunc(out, func(a, b Saving) int {
		return cmp.Or(cmp.Compare(b.USDPerMonth, a.USDPerMonth), cmp.Compare(a.Of, b.Of), cmp.Compare(a.What, b.What))
	})
	return out[:min(mostSavings, len(out))]
}

// wears adds up how each workload used its GPUs.
func wears(f *Facts, us []Use) []*wear {
	by := map[Workload]*wear{}
	for _, u := range us {
		if u.Pod.Name == "" || u.Class == "" {
			continue
		}
		w := by[u.Workload]
		if w == nil {
			w = &wear{of: u.Workload, single: true, model: u.Model, held: map[PodName][]bool{}}
			by[u.Workload] = w
		}
		if p := f.Pods[u.Pod]; w.held[u.Pod] == nil {
			w.held[u.Pod] = make([]bool, f.Lead+f.Samples())
			w.main, w.standby = cmp.Or(w.main, p.Main), w.standby || p.Standby
			w.single = w.single && p.Asks.GPUs <= 1
		}
		if w.model != u.Model {
			w.model = ""
		}
		w.hours, w.usd = w.hours+u.GPUHours, w.usd+u.USD
		if u.Class == Idle {
			w.idle += u.GPUHours
		}
	}
	for g := range f.GPUs {
		for p := range f.GPUs[g].Parts {
			for _, h := range f.GPUs[g].Parts[p].Held {
				if w := by[workloadOf(f, h.Pod)]; w != nil {
					w.look(f, &f.GPUs[g].Parts[p], h)
				}
			}
		}
	}
	var out []*wear
	for _, k := range slices.SortedFunc(maps.Keys(by), func(a, b Workload) int { return cmp.Compare(a.String(), b.String()) }) {
		w := by[k]
		w.pods = mostAtOnce(w.held)
		w.perMonth = w.usd / f.To.Sub(f.From).Hours() * monthHours
		out = append(out, w)
	}
	return out
}

// mostAtOnce returns how many are on at once at most.
func mostAtOnce(on map[PodName][]bool) int {
	var count []int
	for _, at := range on {
		count = append(count, make([]int, max(0, len(at)-len(count)))...)
		for i, is := range at {
			if is {
				count[i]++
			}
		}
	}
	if len(count) == 0 {
		return 0
	}
	return slices.Max(count)
}

func workloadOf(f *Facts, pod PodName) Workload {
	if w := f.Pods[pod].Workload; w.Name != "" {
		return w
	}
	return Workload{pod.Namespace, "Pod", pod.Name}
}

// look notes what a part did while a pod held it.
func (w *wear) look(f *Facts, p *Part, h Held) {
	if p.Instance != "" || len(p.Held) > 1 && sharedAtOnce(p) {
		w.single = false // it has a part already
	}
	w.metric = worse(w.metric, p.Metric)
	w.mib = max(w.mib, p.MiB)
	for i := f.Lead; i < len(h.On); i++ {
		if !h.On[i] {
			continue
		}
		if on := w.held[h.Pod]; on != nil {
			on[i] = true
		}
		w.mean, w.memory = append(w.mean, p.Mean[i]), append(w.memory, p.Memory[i])
		if !(p.Peak[i] < idleBelow) {
			at := f.From.Add(time.Duration(i-f.Lead) * f.Step).UTC() // where the time starts that the sample stands for
			w.awake[at.Weekday()][at.Hour()] = true
		}
	}
}

func sharedAtOnce(p *Part) bool {
	for i := range p.Seen {
		n := 0
		for _, h := range p.Held {
			if h.On[i] {
				n++
			}
		}
		if n > 1 {
			return true
		}
	}
	return false
}

// worse returns the metric that tells less of the activity.
func worse(a, b string) string {
	rank := func(m string) int {
		return slices.IndexFunc(activities[:], func(x struct{ metric, scale string }) bool { return x.metric == m })
	}
	if a == "" || rank(b) > rank(a) || b == "" {
		return b
	}
	return a
}

func (w *wear) confidence(f *Facts) string {
	seen := time.Duration(len(w.mean)/max(1, w.pods)) * f.Step
	switch {
	case w.metric == activities[len(activities)-1].metric || f.To.Sub(f.From) < 2*enough:
		return "low"
	case f.To.Sub(f.From) >= 7*24*time.Hour && seen >= enough:
		return "high"
	}
	return "medium"
}

// smaller returns what w would do with: nothing, a part of a GPU, a GPU with others.
func (w *wear) smaller(f *Facts) *Saving {
	if w.hours == 0 || w.metric == "" || w.standby || f.To.Sub(f.From) < enough {
		return nil
	}
	p95, p99 := quantile(0.95, w.mean), quantile(0.99, w.memory)
	if w.idle >= released*w.hours && w.scales() {
		return &Saving{Of: w.of.String(), What: fmt.Sprintf("release its GPUs: it did nothing in %.0f %% of its hours", 100*w.idle/w.hours), USDPerMonth: w.perMonth,
			Risk: "what it holds in GPU memory is gone; label its pods vedette.dev/standby=true where it is to wait", Patch: replicasPatch(w.of, 0)}
	}
	if !w.single || w.model == "" || math.IsNaN(p95) || math.IsNaN(p99) || w.mib == 0 {
		return nil
	}
	if p, share, ok := smallest(w.model, p99*w.mib, p95); ok {
		return &Saving{Of: w.of.String(), What: fmt.Sprintf("a MIG instance %s for each pod does: it kept %.0f %% of a GPU busy and used %.1f GiB at most", p.name, 100*p95, p99*w.mib/1024),
			USDPerMonth: w.perMonth * (1 - share),
			Risk:        "saves money where others use the rest of the GPU; a node's GPUs are cut up while nothing runs on it",
			Patch:       resourcePatch(w.of, w.main, "nvidia.com/mig-"+p.name)}
	}
	if n := together(p95, p99, w.pods); n >= 2 {
		return &Saving{Of: w.of.String(), What: fmt.Sprintf("%d of its pods do with one GPU: each kept %.0f %% of one busy and used %.0f %% of its memory", n, 100*p95, 100*p99),
			USDPerMonth: w.perMonth * (1 - 1/float64(n)),
			Risk:        "pods that share a GPU by time slices have no memory of their own: one that takes too much ends the others; keep to one tenant",
			Patch:       sharingPatch(n)}
	}
	return nil
}

// together returns how many pods of a kind do with one GPU: 70 % of its
// activity leaves room for two peaks at once, 85 % of its memory for what a
// CUDA context and fragmentation take.
func together(p95, p99 float64, pods int) int {
	n := pods
	if p95 > 0 {
		n = min(n, int(0.70/p95))
	}
	if p99 > 0 {
		n = min(n, int(0.85/p99))
	}
	return n
}

// scales reports whether w has replicas that can be set.
func (w *wear) scales() bool { return w.of.Kind == "Deployment" || w.of.Kind == "StatefulSet" }

// offHours returns the schedule of a workload that sleeps at the same hours
// every day or at the weekend, where a week was seen.
func (w *wear) offHours(f *Facts) *Saving {
	if f.To.Sub(f.From) < 7*24*time.Hour || !w.scales() || w.standby || w.metric == "" || w.idle >= released*w.hours {
		return nil
	}
	from, to, days := w.day()
	on := float64((to - from) * len(days))
	if on == 0 || on > 0.7*168 { // with a quarter hour before and after each, less is not worth a schedule
		return nil
	}
	return &Saving{Of: w.of.String(), What: fmt.Sprintf("it did nothing but from %02d:00 to %02d:00 UTC on %d days of the week", from, to, len(days)), USDPerMonth: w.perMonth * (1 - on/168),
		Risk: "one week was looked at; who comes at another hour waits for a start", Patch: cronPatch(w.of, from, to, days, max(1, w.pods))}
}

// day returns the hours of the day within which w was awake, and the days.
func (w *wear) day() (from, to int, days []time.Weekday) {
	from = 24
	for d := range w.awake {
		awake := false
		for h, on := range w.awake[d] {
			if on {
				awake, from, to = true, min(from, h), max(to, h+1)
			}
		}
		if awake {
			days = append(days, time.Weekday(d))
		}
	}
	return from, to, days
}

// hosts returns the pools whose machines have more CPU and memory than their
// pods ask for, where the same GPU is sold on a smaller one.
func hosts(f *Facts, b *Book) []Saving {
	type host struct{ pool, instance, region string }
	of := map[host][]string{}
	for name, n := range f.Nodes {
		if n.Capacity.CPUs > 0 {
			of[host{n.Pool, n.Instance, n.Region}] = append(of[host{n.Pool, n.Instance, n.Region}], name)
		}
	}
	var out []Saving
	for h, nodes := range of {
		now, ok := b.Instance(h.region, h.instance)
		if !ok || b.own.Instances[h.instance] > 0 {
			continue
		}
		most, seen := Size{}, false
		for _, name := range nodes {
			n := f.Nodes[name]
			most.CPUs, most.MemoryBytes = max(most.CPUs, n.Capacity.CPUs-n.Free.CPUs), max(most.MemoryBytes, n.Capacity.MemoryBytes-n.Free.MemoryBytes)
			seen = seen || n.Free.GPUs < n.Capacity.GPUs
		}
		less, ok := b.lesser(now, most)
		if !ok || !seen {
			continue
		}
		usd := float64(len(nodes)) * (now.Rate.USD - less.Rate.USD) * (1 - b.own.Discount) * monthHours
		out = append(out, Saving{Of: "pool " + or(h.pool, "(none)"), What: fmt.Sprintf("%s has the same GPUs as %s: pods ask for %.1f CPUs and %.1f GiB of a machine at most", less.Name, now.Name, most.CPUs, most.MemoryBytes/(1<<30)),
			USDPerMonth: Cents(usd), Confidence: "low", Risk: "what pods ask for was looked at as it is now, and local disks and the network are smaller too", Patch: instancePatch(h.pool, less.Name)})
	}
	return out
}

// lesser returns the cheapest machine with the same GPUs as i that has room for
// what pods ask for, with a tenth of the CPUs and a fifth of the memory left to
// the system.
func (b *Book) lesser(i Instance, most Size) (Instance, bool) {
	best, found := i, false
	for at, o := range b.instances {
		if at.region != i.Region || o.GPU != i.GPU || o.GPUs != i.GPUs || o.Rate.USD > best.Rate.USD || o.Rate.USD == best.Rate.USD && o.Name >= best.Name {
			continue
		}
		if most.CPUs <= 0.9*o.VCPUs && most.MemoryBytes <= 0.8*o.MemoryMiB*(1<<20) {
			best, found = o, o.Rate.USD < i.Rate.USD
		}
	}
	return best, found
}
