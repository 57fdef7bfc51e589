// Package simulate is a made-up GPU cluster that is looked at through the
// same sources as a real one: DCGM's fields, node_exporter's, the kernel log,
// and what the API server shows. A [Scenario] says what the cluster is, what
// runs on it and what goes wrong; a [World] is that cluster at one moment.
// The demo and the tests run on it.
//
// What a reader would get wrong: nothing here moves by itself. The caller
// advances the world to a time, and the sources read it as it was then. And
// only causes are scripted: a fault heats a GPU up or takes it off the bus,
// and the rest (throttling, ranks that wait, pods that do not fit) follows
// from how the cluster works. How a program ends is a cause too: what it says
// then is a row of failures.yaml, and who waits for it in vain is not.
package simulate

import (
	"container/heap"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"time"
)

// maxStep bounds how far the world goes in one step, so that a caller who
// was away for long still sees pods restart and replicas follow one by one.
const maxStep = 2 * time.Minute

// A World is the cluster of a scenario at the time of the last [World.Advance].
// Its methods and its sources may be used from several goroutines. The same
// scenario, start and sequence of Advance, StartScript, Cordon and Uncordon
// give the same readings.
type World struct {
	sc *Scenario

	mu        sync.Mutex // guards all below, and what it points to
	start     time.Time
	now       time.Time
	rng       *rand.Rand
	agenda    agenda
	nodes     []*node
	workloads []*workload
	pods      []*pod // all that the API server knows, the oldest first
	script    script
	record    record
	din       din
	serial    uint64 // counts names given; makes each unique
}

// New returns the world of sc at start: its workloads run, and have for a
// while. It fails where sc asks for what is not to be had.
func New(sc *Scenario, start time.Time) (*World, error) {
	if errs := sc.validate(); len(errs) > 0 {
		return nil, fmt.Errorf("scenario %s: %w", sc.Name, errors.Join(errs...))
	}
	w := &World{sc: sc, start: start, now: start, rng: rand.New(rand.NewPCG(sc.Seed, 0x7665646574746521))}
	w.record.occurrences = map[string]*occurrence{}
	w.script.speed = 1
	w.furnish()
	for i := range sc.Cluster.Quotas {
		q := &sc.Cluster.Quotas[i]
		w.register(&quota{meta: w.newMeta(start.Add(-20*24*time.Hour), "quota", q.Namespace), spec: q})
	}
	for _, list := range [][]Workload{sc.Workloads, sc.Background} {
		for i := range list {
			if list[i].Arrives == 0 {
				w.workloads = append(w.workloads, newWorkload(w, &list[i]))
			}
		}
	}
	w.record.off = true // what happened before the start is not news
	for _, wl := range w.workloads {
		wl.settle(w)
	}
	w.din.settle(w)
	w.record.off = false
	w.step(start)
	for _, n := range w.nodes {
		for _, g := range n.gpus {
			g.temp = g.target()
		}
	}
	return w, nil
}

// Advance brings the world to the time to. A time that is not after the
// world's is ignored.
func (w *World) Advance(to time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()

	for to.After(w.now) {
		next := w.now.Add(maxStep)
		if next.After(to) {
			next = to
		}
		w.step(next)
	}
}

// StartScript starts the scenario's faults: each happens at at plus its own
// time, divided by speed, as are its length and the delays that it sets off.
// A speed of 0 is 1. A second call does nothing.
func (w *World) StartScript(at time.Time, speed float64) {
	w.mu.Lock()
	defer w.mu.Unlock()

	if w.script.started {
		return
	}
	if speed <= 0 {
		speed = 1
	}
	w.script.started, w.script.speed = true, speed
	for _, list := range [][]Fault{w.sc.Faults, w.sc.Decoys} {
		for i := range list {
			f := &list[i]
			w.at(at.Add(w.scripted(f.At)), func() { w.begin(f) })
		}
	}
	for _, list := range [][]Workload{w.sc.Workloads, w.sc.Background} {
		for i := range list {
			if spec := &list[i]; spec.Arrives > 0 {
				w.at(at.Add(w.scripted(spec.Arrives)), func() { w.arrive(spec) })
			}
		}
	}
	w.din.start(w, at)
}

// Nodes returns the names of the nodes, in order.
func (w *World) Nodes() []string {
	names := make([]string, len(w.nodes))
	for i, n := range w.nodes {
		names[i] = n.name
	}
	return names
}

// step moves everything on to the time to.
func (w *World) step(to time.Time) {
	from := w.now
	for len(w.agenda) > 0 && !w.agenda[0].at.After(to) {
		item := heap.Pop(&w.agenda).(appointment)
		if item.at.After(w.now) {
			w.now = item.at
		}
		item.do()
	}
	w.now = to

	w.runFaults()
	for _, wl := range w.workloads {
		wl.control(w)
	}
	w.schedule()
	for _, wl := range w.workloads {
		wl.synchronize(w)
	}
	air := newAir(w, to.Sub(from))
	for _, n := range w.nodes {
		n.live(w, air)
	}
	w.din.chat(w, to.Sub(from))
	w.reviseObjects()
}

// An agenda is what will happen at known times.
type agenda []appointment

type appointment struct {
	at    time.Time
	order uint64 // of those at the same time, the first made comes first
	do    func()
}

func (a agenda) Len() int      { return len(a) }
func (a agenda) Swap(i, j int) { a[i], a[j] = a[j], a[i] }
func (a agenda) Less(i, j int) bool {
	if a[i].at.Equal(a[j].at) {
		return a[i].order < a[j].order
	}
	return a[i].at.Before(a[j].at)
}
func (a *agenda) Push(x any) { *a = append(*a, x.(appointment)) }
func (a *agenda) Pop() any {
	old := *a
	last := old[len(old)-1]
	*a = old[:len(old)-1]
	return last
}

func (w *World) at(t time.Time, do func()) {
	w.serial++
	heap.Push(&w.agenda, appointment{at: t, order: w.serial, do: do})
}

func (w *World) after(d time.Duration, do func()) { w.at(w.now.Add(d), do) }

// scripted converts script time to the world's.
func (w *World) scripted(d Duration) time.Duration {
	return time.Duration(float64(d) / w.script.speed)
}

// seconds draws a time between lo and hi seconds.
func (w *World) seconds(lo, hi float64) time.Duration {
	return time.Duration((lo + (hi-lo)*w.rng.Float64()) * float64(time.Second))
}

// hash returns 32 bytes that are always the same for the scenario's seed and parts.
func (w *World) hash(parts ...string) [32]byte {
	h := sha256.New()
	h.Write(binary.LittleEndian.AppendUint64(nil, w.sc.Seed))
	for _, p := range parts {
		h.Write([]byte(p))
		h.Write([]byte{0})
	}
	return [32]byte(h.Sum(nil))
}

func (w *World) uuid(parts ...string) string {
	h := w.hash(parts...)
	h[6], h[8] = h[6]&0x0f|0x40, h[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", h[0:4], h[4:6], h[6:8], h[8:10], h[10:16])
}

// suffix returns n characters as the API server puts them at the end of a name.
func (w *World) suffix(n int, parts ...string) string {
	const alphabet = "bcdfghjklmnpqrstvwxz2456789" // apimachinery's rand: no vowels, no look-alikes
	w.serial++
	h := w.hash(append(parts, fmt.Sprint(w.serial))...)
	name := make([]byte, n)
	for i := range name {
		name[i] = alphabet[int(h[i])%len(alphabet)]
	}
	return string(name)
}

// dayWave returns −1..1: the time of day, highest at peak o'clock UTC.
func dayWave(t time.Time, peak float64) float64 {
	hour := float64(t.UTC().Hour()) + float64(t.UTC().Minute())/60 + float64(t.UTC().Second())/3600
	return math.Cos(2 * math.Pi * (hour - peak) / 24)
}

// A wobble is noise that forgets: it strays from 0 by about 1, and comes back.
type wobble float64

// next moves the wobble on by a step after which keep of it is left.
func (v *wobble) next(rng *rand.Rand, keep, fresh float64) float64 {
	*v = wobble(float64(*v)*keep + fresh*rng.NormFloat64())
	return float64(*v)
}
