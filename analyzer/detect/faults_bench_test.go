//go:build bench || scratch

package detect

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"vedette.dev/analyzer"
)

// A rack is one made-up node of eight GPUs that train one job, sampled every 15
// seconds: a load that dips for a checkpoint each half hour, a warm corner, an
// ambient temperature by the time of day, an ECC error now and then. One fault
// befalls the GPU numbered victim.
type rack struct {
	rnd    *rand.Rand
	bank   *Bank
	now    time.Time
	heat   [8]float64 // above what the load makes, slowly moving
	counts map[string]*[8]float64
	labels [][8]map[string]string // by metric
	fault  func(k float64, gpu int, m *readings)
}

const victim = 5

// readings are what one GPU shows.
type readings struct {
	gone                                   bool
	temp, clock, util, memory, power, link float64
	ecc, replays                           float64 // new since the sample before
}

var rackMetrics = []string{
	"DCGM_FI_DEV_GPU_TEMP", "DCGM_FI_DEV_SM_CLOCK", "DCGM_FI_DEV_GPU_UTIL", "DCGM_FI_DEV_FB_USED", "DCGM_FI_PROF_NVLINK_RX_BYTES",
	"DCGM_FI_DEV_ECC_SBE_VOL_TOTAL", "DCGM_FI_DEV_NVLINK_REPLAY_ERROR_COUNT_TOTAL",
}

// faults are what befalls the victim; k is in minutes.
var faults = []struct {
	name string
	of   func(k float64, gpu int, m *readings)
}{
	{"none", nil},
	{"thermal ramp, 20 °C in 40 min", func(k float64, _ int, m *readings) {
		m.temp += min(20, k/2)
		if m.temp > 84 {
			m.clock -= 60 * (m.temp - 84)
		}
	}},
	{"ECC burst, 2 a minute", func(k float64, _ int, m *readings) { m.ecc += 0.5 }},
	{"clock drop to 1,200 MHz", func(k float64, _ int, m *readings) { m.clock = 1200 }},
	{"straggler, 40 points of use", func(k float64, _ int, m *readings) { m.util -= 40; m.temp -= 8 }},
	{"leak, 200 MiB a minute", func(k float64, _ int, m *readings) { m.memory += min(20_000, 200*k) }},
	{"NVLink lost", func(k float64, _ int, m *readings) { m.link = 0; m.replays += 3 }},
	{"disappearance", func(k float64, _ int, m *readings) { m.gone = true }},
}

func newRack(seed uint64) *rack {
	r := &rack{rnd: rand.New(rand.NewPCG(seed, 11)), bank: NewBank(Builtin(), 0), now: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), counts: map[string]*[8]float64{}}
	for _, metric := range rackMetrics {
		var ls [8]map[string]string
		for gpu := range ls {
			ls[gpu] = map[string]string{"__name__": metric, "Hostname": "node-0", "UUID": fmt.Sprint("GPU-", gpu), "gpu": fmt.Sprint(gpu), "namespace": "train", "pod": "llm-0"}
		}
		r.labels = append(r.labels, ls)
		r.counts[metric] = &[8]float64{}
	}
	return r
}

// tick takes one sample of every series; since is how long the fault has lasted, or negative.
func (r *rack) tick(since time.Duration) {
	load := 0.95 + 0.01*r.rnd.NormFloat64()
	if s := r.now.Unix() % 1800; s < 60 {
		load = 0.3 // a checkpoint
	}
	room := 2 * math.Sin(2*math.Pi*float64(r.now.Unix())/day)
	for gpu := range 8 {
		r.heat[gpu] += 0.02*(float64(gpu%4)-r.heat[gpu]) + 0.1*r.rnd.NormFloat64()
		m := readings{
			temp: math.Round(45 + 25*load + room + r.heat[gpu] + 0.5*r.rnd.NormFloat64()), clock: 1980 - 15*math.Floor(1.3*r.rnd.ExpFloat64()),
			util: math.Round(100*load + r.rnd.NormFloat64()), memory: 61_000 + math.Floor(200*r.rnd.Float64()), link: 2e10 * load * (1 + 0.03*r.rnd.NormFloat64()),
		}
		if r.rnd.Float64() < 1.0/(5760*20) {
			m.ecc++ // one in twenty GPU-days
		}
		if gpu == victim && since >= 0 && r.fault != nil {
			r.fault(since.Minutes(), gpu, &m)
		}
		r.counts["DCGM_FI_DEV_ECC_SBE_VOL_TOTAL"][gpu] += m.ecc
		r.counts["DCGM_FI_DEV_NVLINK_REPLAY_ERROR_COUNT_TOTAL"][gpu] += m.replays
		if m.gone {
			continue
		}
		shown := []float64{m.temp, max(m.clock, 345), min(100, max(0, m.util)), m.memory, max(0, m.link),
			math.Floor(r.counts["DCGM_FI_DEV_ECC_SBE_VOL_TOTAL"][gpu]), math.Floor(r.counts["DCGM_FI_DEV_NVLINK_REPLAY_ERROR_COUNT_TOTAL"][gpu])}
		for i, v := range shown {
			r.bank.Observe(uint64(8*i+gpu), func() map[string]string { return r.labels[i][gpu] }, r.now.UnixMilli(), v)
		}
	}
	r.now = r.now.Add(15 * time.Second)
}

// TestFaults injects faults of GPUs: how many the bank finds within half an
// hour, how soon, and what it says of GPUs that have nothing.
func TestFaults(t *testing.T) {
	const many, healthy, ill = 16, 36 * time.Hour, 30 * time.Minute
	for _, fault := range faults {
		type outcome struct {
			found bool
			delay time.Duration
			wrong int
		}
		outcomes := make([]outcome, many)
		var wg sync.WaitGroup
		slots := make(chan struct{}, runtime.NumCPU())
		for n := range outcomes {
			slots <- struct{}{}
			wg.Go(func() {
				defer func() { <-slots }()
				r := newRack(uint64(n))
				r.fault = fault.of
				o := &outcomes[n]
				began := r.now.Add(healthy)
				standing := map[string]bool{}
				for r.now.Before(began.Add(ill)) {
					r.tick(r.now.Sub(began))
					if r.now.Unix()%60 != 0 {
						continue
					}
					findings, err := r.bank.Findings(t.Context(), r.now)
					if err != nil {
						t.Error(err)
						return
					}
					before := standing
					standing = map[string]bool{}
					for _, f := range findings {
						standing[f.Key()] = true
						right := fault.of != nil && !r.now.Before(began) && f.Subject == analyzer.GPU("node-0", fmt.Sprint("GPU-", victim))
						switch {
						case right && !o.found:
							o.found, o.delay = true, r.now.Sub(began)
						case !right && !before[f.Key()]:
							o.wrong++
						}
					}
				}
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
		fmt.Printf("faults, %-30s", fault.name)
		if fault.of != nil {
			fmt.Printf(" %2d of %d found", len(delays), many)
		}
		if n := len(delays); n > 0 {
			fmt.Printf(", after %s, at p90 %s", delays[n/2], delays[n*9/10])
		}
		days := 8 * many * (healthy + ill).Hours() / 24
		fmt.Printf("; %d findings of nothing in %.0f GPU-days, %.2f a GPU-day\n", wrong, days, float64(wrong)/days)
	}
}
