//go:build bench || scratch

package detect

import (
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"vedette.dev/analyzer"
	"vedette.dev/fixtures/recorded"
	"vedette.dev/rules/catalog"
)

// A rack is one made-up node of eight GPUs, sampled every 15 seconds: a load that
// dips for a checkpoint each half hour, a warm corner, an ambient temperature by
// the time of day, an ECC error now and then. They train one job; in a mixed
// rack, only the last four do, and the others have jobs of their own that come and
// go. One fault befalls the GPU numbered victim.
type rack struct {
	rnd    *rand.Rand
	mixed  bool
	now    time.Time
	heat   [8]float64 // above what the load makes, slowly moving
	busy   [8]float64 // what a job of its own asks for, 0 for none
	until  [8]time.Time
	counts map[string]*[8]float64
	labels [][8]map[string]string // by metric
	fault  func(k float64, m *readings)
	show   func(metric, gpu int, value float64)
}

const victim = 5

// readings are what one GPU shows.
type readings struct {
	gone                                   bool
	temp, clock, util, memory, power, link float64
	ecc, replays                           float64 // new since the sample before
}

var rackMetrics = []string{
	"DCGM_FI_DEV_POWER_USAGE", "DCGM_FI_DEV_GPU_TEMP", "DCGM_FI_DEV_SM_CLOCK", "DCGM_FI_DEV_GPU_UTIL", "DCGM_FI_DEV_FB_USED", "DCGM_FI_PROF_NVLINK_RX_BYTES",
	"DCGM_FI_DEV_ECC_SBE_VOL_TOTAL", "DCGM_FI_DEV_NVLINK_REPLAY_ERROR_COUNT_TOTAL",
}

// faults are what befalls the victim; k is in minutes. Those that are called
// other were written when all else was done, and nothing was changed for them.
var faults = []struct {
	name string
	of   func(k float64, m *readings)
}{
	{"none", nil},
	{"thermal ramp, 20 °C in 40 min", func(k float64, m *readings) {
		m.temp += min(20, k/2)
		if m.temp > 84 {
			m.clock -= 60 * (m.temp - 84)
		}
	}},
	{"ECC burst, 2 a minute", func(k float64, m *readings) { m.ecc += 0.5 }},
	{"clock drop to 1,200 MHz", func(k float64, m *readings) { m.clock = 1200 }},
	{"straggler, 40 points of use", func(k float64, m *readings) { m.util -= 40; m.temp -= 8; m.power -= 150 }},
	{"leak, 200 MiB a minute", func(k float64, m *readings) { m.memory += min(20_000, 200*k) }},
	{"NVLink lost", func(k float64, m *readings) { m.link = 0; m.replays += 3 }},
	{"disappearance", func(k float64, m *readings) { m.gone = true }},
	{"other: fan, 12 °C in 30 min", func(k float64, m *readings) { m.temp += min(12, 0.4*k) }},
	{"other: hot spot, 12 °C in 2 min", func(k float64, m *readings) { m.temp += min(12, 6*k) }},
	{"other: clock down by 15 %", func(k float64, m *readings) { m.clock *= 0.85 }},
	{"other: straggler, a third", func(k float64, m *readings) { m.util *= 0.67; m.power -= 120 }},
	{"other: link at half width", func(k float64, m *readings) { m.link /= 2 }},
	{"other: leak, 400 MiB a minute", func(k float64, m *readings) { m.memory += min(18_000, 400*k) }},
	{"other: ECC, 6 a minute", func(k float64, m *readings) { m.ecc += 1.5 }},
	{"other: gone, back, gone", func(k float64, m *readings) { m.gone = math.Mod(k, 10) < 5 }},
}

func newRack(seed uint64, mixed bool) *rack {
	r := &rack{rnd: rand.New(rand.NewPCG(seed, 11)), mixed: mixed, now: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), counts: map[string]*[8]float64{}}
	for _, metric := range rackMetrics {
		var ls [8]map[string]string
		for gpu := range ls {
			pod := "llm-0"
			if mixed && gpu < 4 {
				pod = fmt.Sprint("notebook-", gpu)
			}
			ls[gpu] = map[string]string{"__name__": metric, "Hostname": "node-0", "UUID": fmt.Sprint("GPU-", gpu), "gpu": fmt.Sprint(gpu), "namespace": "train", "pod": pod}
		}
		r.labels = append(r.labels, ls)
		r.counts[metric] = &[8]float64{}
	}
	return r
}

// load returns what is asked of a GPU, as a share.
func (r *rack) load(gpu int, job float64) float64 {
	if !r.mixed || gpu >= 4 {
		return job
	}
	if r.now.After(r.until[gpu]) { // a job of its own ends, or another begins
		r.until[gpu] = r.now.Add(time.Duration(4 * r.rnd.ExpFloat64() * float64(time.Hour)))
		if r.busy[gpu] > 0 {
			r.busy[gpu] = 0
		} else {
			r.busy[gpu] = 0.2 + 0.8*r.rnd.Float64()
		}
	}
	return max(0, r.busy[gpu]*(1+0.03*r.rnd.NormFloat64()))
}

// tick takes one sample of every series; since is how long the fault has lasted, or negative.
func (r *rack) tick(since time.Duration) {
	job := 0.95 + 0.01*r.rnd.NormFloat64()
	if s := r.now.Unix() % 1800; s < 60 {
		job = 0.3 // a checkpoint
	}
	room := 2 * math.Sin(2*math.Pi*float64(r.now.Unix())/day)
	for gpu := range 8 {
		load := r.load(gpu, job)
		r.heat[gpu] += 0.02*(float64(gpu%4)-r.heat[gpu]) + 0.1*r.rnd.NormFloat64()
		m := readings{
			temp: math.Round(45 + 25*load + room + r.heat[gpu] + 0.5*r.rnd.NormFloat64()), clock: 1980 - 15*math.Floor(1.3*r.rnd.ExpFloat64()),
			util: math.Round(100*load + r.rnd.NormFloat64()), memory: 61_000 + math.Floor(200*r.rnd.Float64()), link: 2e10 * load * (1 + 0.03*r.rnd.NormFloat64()),
			power: 90 + 580*load + 5*r.rnd.NormFloat64(),
		}
		if r.rnd.Float64() < 1.0/(5760*20) {
			m.ecc++ // one in twenty GPU-days
		}
		if gpu == victim && since >= 0 && r.fault != nil {
			r.fault(since.Minutes(), &m)
		}
		r.counts["DCGM_FI_DEV_ECC_SBE_VOL_TOTAL"][gpu] += m.ecc
		r.counts["DCGM_FI_DEV_NVLINK_REPLAY_ERROR_COUNT_TOTAL"][gpu] += m.replays
		if m.gone {
			continue
		}
		shown := []float64{m.power, m.temp, max(m.clock, 345), min(100, max(0, m.util)), m.memory, max(0, m.link),
			math.Floor(r.counts["DCGM_FI_DEV_ECC_SBE_VOL_TOTAL"][gpu]), math.Floor(r.counts["DCGM_FI_DEV_NVLINK_REPLAY_ERROR_COUNT_TOTAL"][gpu])}
		for i, v := range shown {
			r.show(i, gpu, v)
		}
	}
	r.now = r.now.Add(15 * time.Second)
}

const racks, healthy, ill = 16, 36 * time.Hour, 30 * time.Minute

// An outcome is what was found in one rack.
type outcome struct {
	found bool
	delay time.Duration
	wrong int // findings of nothing
}

// TestFaults injects faults of GPUs: how many the bank finds within half an
// hour, how soon, and what it says of GPUs that have nothing.
func TestFaults(t *testing.T) { tableOfFaults(t, "faults", byBank, false, true) }

// TestFaultsBySeries does the same with what `vedette detect` sees: each series
// by itself, with no smallest effect and no peers.
func TestFaultsBySeries(t *testing.T) { tableOfFaults(t, "faults, series alone", bySeries, false) }

func tableOfFaults(t *testing.T, title string, judge func(*testing.T, *rack) outcome, settings ...bool) {
	for _, mixed := range settings {
		all, found := 0, 0
		for _, fault := range faults {
			outcomes := make([]outcome, racks)
			var wg sync.WaitGroup
			slots := make(chan struct{}, runtime.NumCPU())
			for n := range outcomes {
				slots <- struct{}{}
				wg.Go(func() {
					defer func() { <-slots }()
					r := newRack(uint64(n), mixed)
					r.fault = fault.of
					outcomes[n] = judge(t, r)
				})
			}
			wg.Wait()
			var delays []time.Duration
			wrong := 0
			for _, o := range outcomes {
				wrong += o.wrong
				if o.found {
					delays = append(delays, o.delay)
				}
			}
			slices.Sort(delays)
			fmt.Printf("%s, %-30s", title, fault.name)
			if fault.of != nil {
				all, found = all+racks, found+len(delays)
				fmt.Printf(" %2d of %d found", len(delays), racks)
			}
			if n := len(delays); n > 0 {
				fmt.Printf(", after %s, at p90 %s", delays[n/2], delays[n*9/10])
			}
			days := 8 * racks * (healthy + ill).Hours() / 24
			fmt.Printf("; %d findings of nothing in %.0f GPU-days, %.2f a GPU-day\n", wrong, days, float64(wrong)/days)
		}
		fmt.Printf("%s, all, mixed jobs %t: %d of %d found\n", title, mixed, found, all)
	}
}

func byBank(t *testing.T, r *rack) (o outcome) {
	bank := NewBank(Builtin(), 0)
	r.show = func(metric, gpu int, v float64) {
		bank.Observe(uint64(8*metric+gpu), func() map[string]string { return r.labels[metric][gpu] }, r.now.UnixMilli(), v)
	}
	began := r.now.Add(healthy)
	standing := map[string]bool{}
	for r.now.Before(began.Add(ill)) {
		r.tick(r.now.Sub(began))
		if r.now.Unix()%60 != 0 {
			continue
		}
		findings, err := bank.Findings(t.Context(), r.now)
		if err != nil {
			t.Error(err)
			return o
		}
		before := standing
		standing = map[string]bool{}
		for _, f := range findings {
			standing[f.Key()] = true
			right := r.fault != nil && !r.now.Before(began) && f.Subject == analyzer.GPU("node-0", fmt.Sprint("GPU-", victim))
			switch {
			case right && !o.found:
				o.found, o.delay = true, r.now.Sub(began)
			case !right && !before[f.Key()]:
				o.wrong++
			}
		}
	}
	return o
}

func bySeries(_ *testing.T, r *rack) (o outcome) {
	var states [16][8]RateState[LevelState]
	var alarms [16][8]alarm
	var last [8]time.Time
	began := r.now.Add(healthy)
	r.show = func(metric, gpu int, v float64) {
		s := &states[metric][gpu]
		if m, _ := catalog.Builtin().Metric(catalog.ID(rackMetrics[metric])); m.Type == catalog.Counter {
			v = s.grown(r.now.UnixMilli(), v)
		}
		var d distances
		s.Of.observe(r.now.UnixMilli(), v, &d)
		if !alarms[metric][gpu].sounds(&d, DefaultRate, 15) {
			return
		}
		right := r.fault != nil && !r.now.Before(began) && gpu == victim
		switch {
		case right && !o.found:
			o.found, o.delay = true, r.now.Sub(began)
		case !right && r.now.Sub(last[gpu]) > 10*time.Minute:
			o.wrong++
			last[gpu] = r.now
		}
	}
	for r.now.Before(began.Add(ill)) {
		r.tick(r.now.Sub(began))
	}
	return o
}

// TestFaultsRecorded lets the bank see the memory of recorded GPUs of a serving
// cluster, of which nothing is known: what it says of them, and whether it finds a
// leak that begins after 20 of the 22.8 hours.
func TestFaultsRecorded(t *testing.T) {
	b, err := recorded.Unpacked(filepath.Join(recorded.Dir(t, "nab"), "gpu", "pod_gpu_memory_used_bytes.csv.gz"))
	if err != nil {
		t.Fatal(err)
	}
	memory, err := columns(b)
	if err != nil {
		t.Fatal(err)
	}
	at, err := numbers(memory["t"])
	if err != nil {
		t.Fatal(err)
	}
	delete(memory, "t")
	for _, leak := range []float64{0, 200, 1000} { // MiB a minute
		found, wrong, rows, goOn := 0, 0, 0, 0
		for pod, values := range memory {
			bank, ok, lasts, standing := NewBank(Builtin(), 0), false, false, 0
			for i, text := range values {
				v, err := strconv.ParseFloat(text, 64)
				if err != nil {
					continue
				}
				rows++
				if minutes := (at[i]-at[0])/60 - 20*60; minutes > 0 {
					v += min(40_000, leak*minutes)
				}
				lasts = lasts || at[i]-at[0] > 21.5*3600
				now := time.Unix(int64(at[i]), 0)
				bank.Observe(1, func() map[string]string {
					return map[string]string{"__name__": "DCGM_FI_DEV_FB_USED", "Hostname": "node-0", "UUID": "GPU-" + pod}
				}, now.UnixMilli(), v)
				fs, err := bank.Findings(t.Context(), now)
				if err != nil {
					t.Fatal(err)
				}
				if ill := leak > 0 && at[i]-at[0] > 20*3600; ill {
					ok = ok || len(fs) > 0
				} else {
					wrong += max(0, len(fs)-standing)
				}
				standing = len(fs)
			}
			if ok {
				found++
			}
			if lasts {
				goOn++
			}
		}
		days := float64(rows) * 57 / day
		fmt.Printf("faults, recorded, leak of %4g MiB a minute: %d of %d found, of which %d go on for an hour and a half of it; %d findings of nothing in %.0f GPU-days, %.3f a GPU-day\n", leak, found, len(memory), goOn, wrong, days, float64(wrong)/days)
	}
}
