package simulate

import (
	"bytes"
	_ "embed"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"vedette.dev/rules/strictcsv"
)

// A din is what goes on in any cluster and means nothing: programs that talk
// of errors, containers that were restarted days ago, probes that come too
// early, single bits that ECC corrects. It draws from a source of its own, so
// that a scenario without noise is not changed by it.
type din struct {
	rng   *rand.Rand
	share float64 // 0: silence
}

// saysEvery is after how long a container says something, on the mean.
const saysEvery = 45 * time.Second

// A saying is one row of chatter.csv.
type saying struct {
	kind, who, level, reason, text string
	start                          bool
}

//go:embed chatter.csv
var chatterTable []byte

var sayings = sync.OnceValue(func() []saying {
	var all []saying
	err := strictcsv.Each("chatter.csv", bytes.NewReader(chatterTable), "kind,who,start,type,reason,text,source", func(r []string) error {
		start, err := strconv.ParseBool(r[2])
		all = append(all, saying{kind: r[0], who: r[1], start: start, level: r[3], reason: r[4], text: r[5]})
		return err
	})
	if err != nil {
		panic(err) // embedded data
	}
	return all
})

func (d *din) happens() bool { return d.rng.Float64() < d.share }

// pick returns one of the sayings that are such.
func (d *din) pick(kind, who string, start bool) (saying, bool) {
	var such []saying
	for _, s := range sayings() {
		if s.kind == kind && s.who == who && s.start == start {
			such = append(such, s)
		}
	}
	if len(such) == 0 {
		return saying{}, false
	}
	return such[d.rng.IntN(len(such))], true
}

func (d *din) fill(text string, p *pod) string {
	for strings.Contains(text, "{n}") {
		text = strings.Replace(text, "{n}", strconv.Itoa(10+d.rng.IntN(240)), 1)
	}
	name := ""
	if p != nil {
		name = p.name
	}
	return strings.NewReplacer("{f}", fmt.Sprintf("0.%03d", d.rng.IntN(999)), "{m}", strconv.Itoa(1+d.rng.IntN(90)), "{pod}", name).Replace(text)
}

// settle gives some pods restarts of days ago.
func (d *din) settle(w *World) {
	if w.sc.Noise == 0 {
		return
	}
	d.share = w.sc.Noise
	d.rng = rand.New(rand.NewPCG(w.sc.Seed, 0x6e6f697365))
	exits := [...]struct {
		code   int
		reason string
	}{{1, "Error"}, {143, "Error"}, {137, "Error"}, {0, "Completed"}, {137, "OOMKilled"}}
	for _, p := range w.pods {
		if p.job != nil || d.rng.Float64() > 0.15*d.share {
			continue
		}
		p.restarts = 1 + d.rng.IntN(4)
		ended := w.start.Add(-time.Duration(20+d.rng.IntN(140)) * time.Hour)
		e := exits[d.rng.IntN(len(exits))]
		p.exit, p.reason, p.ended = e.code, e.reason, ended
		p.ran, p.shown = ended.Add(12*time.Second), ended.Add(40*time.Second)
	}
}

// bystanders returns the pods of the background that hold GPUs and that a controller replaces.
func (w *World) bystanders() []*pod {
	var pods []*pod
	for _, p := range w.pods {
		background := slices.ContainsFunc(w.sc.Background, func(wl Workload) bool { return wl.id() == p.workload.spec.id() })
		if background && len(p.gpus) > 0 && p.running() && p.job == nil {
			pods = append(pods, p)
		}
	}
	return pods
}

// start draws what will happen from at until the scenario's end.
func (d *din) start(w *World, at time.Time) {
	if d.share == 0 {
		return
	}
	end := w.scripted(w.sc.Ends)
	when := func(from, to float64) time.Time {
		return at.Add(time.Duration(float64(end) * (from + (to-from)*d.rng.Float64())))
	}
	one := func(do func(p *pod, g *gpu)) func() {
		i := d.rng.IntN(1 << 16)
		return func() {
			if pods := w.bystanders(); len(pods) > 0 {
				p := pods[i%len(pods)]
				do(p, p.gpus[0])
			}
		}
	}
	if d.happens() { // an application's own fault, long past
		code := [...]int{13, 31, 43}[d.rng.IntN(3)]
		w.at(when(0, 0.15), one(func(_ *pod, g *gpu) { g.report(w, xidNotes()[code]) }))
	}
	if d.happens() { // hot, and not so hot that anything slows down
		peak := 81 + 3*d.rng.Float64()
		w.at(when(0, 0.5), one(func(_ *pod, g *gpu) { g.peak, g.heat = peak, 1 }))
	}
	for range 4 {
		if d.happens() { // single bits that are corrected
			bits := 1 + d.rng.IntN(3)
			w.at(when(0, 1), one(func(_ *pod, g *gpu) { g.sbe += float64(bits) }))
		}
	}
	if d.happens() { // packets that NVLink sent again
		w.at(when(0, 1), one(func(_ *pod, g *gpu) { g.linkCRC += 2 }))
	}
	for range 3 {
		if d.happens() { // somebody rolls a service out, or a node is drained
			i := d.rng.IntN(1 << 16)
			w.at(when(0, 0.8), func() { w.replaceService(i) })
		}
	}
	for range 6 {
		if d.happens() {
			i := d.rng.IntN(1 << 16)
			s, _ := d.pick("kernel", "", false)
			text := d.fill(s.text, nil)
			w.at(when(0, 1), func() { n := w.nodes[i%len(w.nodes)]; n.kernel(w, w.now, 6, text) })
		}
	}
	for range 5 {
		if d.happens() {
			i := d.rng.IntN(1 << 16)
			who := [...]string{"pod", "pod", "node", "autoscaler"}[d.rng.IntN(4)]
			s, ok := d.pick("event", who, false)
			text := d.fill(s.text, nil)
			w.at(when(0, 0.9), func() {
				if about := w.some(who, i); ok && about != nil {
					w.event(about, s.level, s.reason, "kubelet", "", text)
				}
			})
		}
	}
}

// some returns one pod, node or autoscaler.
func (w *World) some(who string, i int) object {
	switch who {
	case "node":
		return w.nodes[i%len(w.nodes)]
	case "autoscaler":
		for _, wl := range w.workloads {
			if wl.scaler != nil {
				return wl.scaler
			}
		}
		return nil
	}
	var ready []*pod
	for _, p := range w.pods {
		if p.ready {
			ready = append(ready, p)
		}
	}
	if len(ready) == 0 {
		return nil
	}
	return ready[i%len(ready)]
}

// replaceService deletes one pod of a service without GPUs.
func (w *World) replaceService(i int) {
	var pods []*pod
	for _, p := range w.pods {
		background := slices.ContainsFunc(w.sc.Background, func(wl Workload) bool { return wl.id() == p.workload.spec.id() })
		if background && p.workload.spec.Kind == Deployment && !p.workload.wantsGPUs() && p.running() {
			pods = append(pods, p)
		}
	}
	if len(pods) > 0 {
		p := pods[i%len(pods)]
		p.remove(w)
		p.workload.touchOwners(w)
	}
}

// starts is told that p's container has started.
func (d *din) starts(w *World, p *pod) {
	if d.share == 0 || w.record.off {
		return
	}
	if s, ok := d.pick("log", string(p.workload.spec.Profile), true); ok && d.happens() {
		text := d.fill(s.text, p)
		w.after(time.Second, func() {
			if p.running() {
				p.log(w, text)
			}
		})
	}
	if s, ok := d.pick("event", "pod", true); ok && d.happens() && p.workload.spec.Profile == Service {
		text := d.fill(s.text, p)
		w.after(2*time.Second, func() {
			if !p.gone {
				w.event(p, s.level, s.reason, "kubelet", p.node.name, text)
			}
		})
	}
}

// chat lets programs talk for a while.
func (d *din) chat(w *World, step time.Duration) {
	if d.share == 0 || w.record.off {
		return
	}
	for _, p := range w.pods {
		if !p.running() || p.stuck || d.rng.Float64() > d.share*step.Seconds()/saysEvery.Seconds() {
			continue
		}
		if wl := p.workload; wl.spec.Profile == Training && !wl.ranks.training {
			continue // it waits, and says nothing
		}
		if s, ok := d.pick("log", string(p.workload.spec.Profile), false); ok {
			p.log(w, d.fill(s.text, p))
		}
	}
}
