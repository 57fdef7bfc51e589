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
	"strings"
	"sync"
	"testing"
	"time"

	"vedette.dev/analyzer"
	"vedette.dev/fixtures/recorded"
)

// A card is one made-up GPU whose metrics hang together, and not by lines: a clock that
// sleeps and that power limits, power that saturates, heat that lags. It has one job after
// another, each with a draw, a use of tensor cores and of memory of its own.
type card struct {
	rnd   *rand.Rand
	now   time.Time
	jobs  int
	job   work
	ends  time.Time
	phase float64 // of a server's load and a notebook's user
	until time.Time
	temp  float64
	room  float64
	quiet float64 // seconds without use
	state looks
	fault func(k float64, l *looks)
}

// A work is a job's habits.
type work struct {
	kind         int // idle, trains, serves, is a notebook
	pod          string
	draw, memory float64
	tensor, dram float64
}

const (
	idles = iota
	trains
	serves
	plays
)

// looks are what one card shows.
type looks struct {
	util, power, clock, temp, memory, active, tensor, dram float64
	podless                                                bool
}

var cardMetrics = []string{"DCGM_FI_DEV_GPU_UTIL", "DCGM_FI_DEV_POWER_USAGE", "DCGM_FI_DEV_SM_CLOCK", "DCGM_FI_DEV_GPU_TEMP", "DCGM_FI_DEV_FB_USED",
	"DCGM_FI_PROF_SM_ACTIVE", "DCGM_FI_PROF_PIPE_TENSOR_ACTIVE", "DCGM_FI_PROF_DRAM_ACTIVE"}

// jointFaults are of metrics that do not go together. k is in minutes. All of them were seen while
// the constants of [joint] were chosen: none is held out.
var jointFaults = []struct {
	name string
	kind int // the job that it befalls
	of   func(k float64, l *looks)
}{
	{"none", trains, nil},
	{"hung kernel", trains, hung},
	{"hung kernel, of a server", serves, hung},
	{"failed cooling, throttled", trains, func(k float64, l *looks) {
		l.temp = min(88, l.temp+4*k)
		l.power -= 0.5 * (l.power - 75) * min(1, k/5)
		l.clock -= 700 * min(1, k/5)
	}},
	{"failed cooling, of a server", serves, func(k float64, l *looks) { l.temp += min(20, 2*k); l.power = 75 + 0.6*(l.power-75) }},
	{"clock down in full use", trains, func(k float64, l *looks) { l.clock, l.power, l.tensor = 1100, 75+0.6*(l.power-75), 0.6*l.tensor }},
	{"clock down, of a server", serves, func(k float64, l *looks) { l.clock, l.power = min(l.clock, 1100), 75+0.7*(l.power-75) }},
	{"memory kept when the job ended", trains, func(k float64, l *looks) {
		l.util, l.power, l.clock, l.active, l.tensor, l.dram, l.podless = 0, 75, 345, 0, 0, 0, true
	}},
	{"no tensor cores", trains, func(k float64, l *looks) { l.tensor = 0; l.power = 75 + 0.7*(l.power-75) }},
}

func hung(k float64, l *looks) {
	l.util, l.power, l.clock, l.active, l.tensor, l.dram = 100, 120, 1980, 1, 0, 0
	l.temp = 40 + (l.temp-40)*math.Exp(-k/3)
}

func newCard(seed uint64) *card {
	r := rand.New(rand.NewPCG(seed, 12))
	return &card{rnd: r, now: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), temp: 35, room: 3 * r.NormFloat64()}
}

// begin gives the card a job of a kind, or of any.
func (c *card) begin(kind int, lasts time.Duration) {
	c.jobs++
	c.job = work{kind: kind, pod: fmt.Sprint("job-", c.jobs), draw: 250 + 430*c.rnd.Float64(), memory: 20_000 + 55_000*c.rnd.Float64(), tensor: 0.2 + 0.4*c.rnd.Float64(), dram: 0.2 + 0.5*c.rnd.Float64()}
	c.ends, c.phase, c.until = c.now.Add(lasts), 0.5, time.Time{}
}

// use is what the job asks for now.
func (c *card) use() float64 {
	s := c.now.Unix()
	switch c.job.kind {
	case trains:
		switch {
		case s%1800 < 75:
			return 0.1 // a checkpoint
		case s%10_800 < 600:
			return 0.6 // a validation
		}
		return 0.97 + 0.02*c.rnd.NormFloat64()
	case serves:
		c.phase += 0.02*(0.5+0.3*math.Sin(2*math.Pi*float64(s)/day)-c.phase) + 0.04*c.rnd.NormFloat64()
		return c.phase
	case plays:
		if c.now.After(c.until) {
			c.until = c.now.Add(time.Duration(25 * c.rnd.ExpFloat64() * float64(time.Minute)))
			c.phase = max(0, 1.4*c.rnd.Float64()-0.6)
		}
		return c.phase * (1 + 0.05*c.rnd.NormFloat64())
	}
	return 0
}

// tick moves by 15 seconds. since is how long the fault has lasted, or negative.
func (c *card) tick(since time.Duration) {
	if c.now.After(c.ends) {
		kind := c.rnd.IntN(4)
		c.begin(kind, time.Duration((2+10*c.rnd.ExpFloat64())*float64(time.Hour)))
	}
	u, j := min(1, max(0, c.use())), c.job
	if c.quiet += 15; u > 0.01 {
		c.quiet = 0
	}
	noise := func(sd float64) float64 { return sd * c.rnd.NormFloat64() }
	l := looks{util: math.Round(100 * u), power: 75 + (j.draw-75)*(1-math.Exp(-2*u))/(1-math.Exp(-2)) + noise(6), memory: 500, podless: j.kind == idles}
	c.temp += (1 - math.Exp(-15.0/90)) * (31 + c.room + 2*math.Sin(2*math.Pi*float64(c.now.Unix())/day) + 0.055*l.power - c.temp)
	l.temp = math.Round(c.temp + noise(0.4))
	if l.clock = 1980 - max(0, 2*(l.power-600)) - 15*math.Floor(1.3*c.rnd.ExpFloat64()); c.quiet > 60 {
		l.clock = 345
	}
	if j.kind != idles {
		l.memory = j.memory + math.Floor(200*c.rnd.Float64())
		l.active, l.tensor, l.dram = u*(0.9+noise(0.01)), u*j.tensor*(1+noise(0.03)), u*j.dram*(1+noise(0.03))
	}
	if since >= 0 && c.fault != nil {
		c.fault(since.Minutes(), &l)
	}
	c.state = l
	c.now = c.now.Add(15 * time.Second)
}

// show has a bank see the card as it is.
func (c *card) show(b *Bank, number int) {
	l := c.state
	for i, v := range []float64{min(100, l.util), l.power, l.clock, l.temp, l.memory, l.active, l.tensor, l.dram} {
		b.Observe(uint64(1000*number+16*c.jobs+2*i)+map[bool]uint64{true: 1}[l.podless], func() map[string]string {
			ls := map[string]string{"__name__": cardMetrics[i], "Hostname": fmt.Sprint("node-", number), "UUID": fmt.Sprint("GPU-", number), "gpu": "0"}
			if !l.podless {
				ls["namespace"], ls["pod"] = "work", c.job.pod
			}
			return ls
		}, c.now.UnixMilli(), max(0, v))
	}
}

// The job that a fault befalls is so old then: a history of n minutes vouches for no more than
// one alert in n to the power of 2.2.
const jobAge, jointIll = 24 * time.Hour, time.Hour

// TestFaultsJoint injects faults of which no metric by itself need speak: how many are found within an
// hour, how many by looking at the metrics together, and how many findings there are
// of one..
func TestFaultsJoint(t *testing.T) {
	const cards = 32
	all, found, together := 0, 0, 0
	for _, fault := range jointFaults {
		type result struct {
			any, joint       bool
			delay            time.Duration
			keys             int
			wrong, wrongJoin int
		}
		rs := make([]result, cards)
		inParallel(cards, func(n int) {
			c, b, o := newCard(uint64(n)), NewBank(Builtin(), 0), &rs[n]
			began := c.now.Add(healthy)
			c.fault = fault.of
			standing, mine := map[string]bool{}, map[string]bool{}
			for c.now.Before(began.Add(jointIll)) {
				if c.now.Equal(began.Add(-jobAge)) {
					c.begin(fault.kind, jobAge+2*time.Hour)
				}
				ill := fault.of != nil && !c.now.Before(began)
				c.tick(c.now.Sub(began))
				if c.show(b, n); c.now.Unix()%60 != 0 {
					continue
				}
				fs, err := b.Findings(t.Context(), c.now)
				if err != nil {
					t.Error(err)
				}
				before := standing
				standing = map[string]bool{}
				for _, f := range fs {
					standing[f.Key()] = true
					joint := f.Ways[0].Channel == analyzer.Together
					switch {
					case ill:
						if !o.any {
							o.any, o.delay = true, c.now.Sub(began)
						}
						o.joint = o.joint || joint
						mine[f.Key()] = true
					case !before[f.Key()]:
						o.wrong++
						if joint {
							o.wrongJoin++
						}
					}
				}
			}
			o.keys = len(mine)
		})
		var delays []time.Duration
		joint, keys, wrong, wrongJoin := 0, 0, 0, 0
		for _, o := range rs {
			wrong, wrongJoin = wrong+o.wrong, wrongJoin+o.wrongJoin
			if o.any {
				delays, keys = append(delays, o.delay), keys+o.keys
			}
			if o.joint {
				joint++
			}
		}
		slices.Sort(delays)
		fmt.Printf("faults, joint, %-30s", fault.name)
		if n := len(delays); n > 0 {
			all, found, together = all+cards, found+n, together+joint
			fmt.Printf(" %2d of %d found, %2d of them by the metrics together, after %s, at p90 %s, %.1f findings each", n, cards, joint, delays[n/2], delays[n*9/10], float64(keys)/float64(n))
		}
		days := float64(cards) * healthy.Hours() / 24
		fmt.Printf("; in %.0f GPU-days without a fault %d findings, %d by the metrics together, %.3f a GPU-day\n", days, wrong, wrongJoin, float64(wrongJoin)/days)
	}
	fmt.Printf("faults, joint, all: %d of %d found, %d by the metrics together\n", found, all, together)
}

func inParallel(n int, do func(i int)) {
	var wg sync.WaitGroup
	slots := make(chan struct{}, runtime.NumCPU())
	for i := range n {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			do(i)
		})
	}
	wg.Wait()
}

// onlyTogether are the watches of metrics that are judged together.
func onlyTogether() []Watch {
	return slices.DeleteFunc(slices.Clone(Builtin()), func(w Watch) bool { return w.Model == "" })
}

// TestRatesJoint compares the rate of alerts with the rate asked for where nothing is wrong:
// of made-up metrics that go together with noise of several kinds, of cards that work, and of
// the use and the memory of recorded GPUs of a serving cluster, of which nothing is known.
func TestRatesJoint(t *testing.T) {
	rates := []float64{1, 10, 100, 1000}
	print := func(name string, run func(rate float64) (alerts int, days float64)) {
		fmt.Printf("rates, joint: %-34s", name)
		for _, rate := range rates {
			alerts, days := run(rate)
			fmt.Printf(" %8.1f", 1000*float64(alerts)/days)
			if rate == rates[len(rates)-1] {
				fmt.Printf(" in %.0f days\n", days)
			}
		}
	}
	each := func(many int, of func(bank *Bank, i int)) func(rate float64) (int, float64) {
		return func(rate float64) (alerts int, days float64) {
			var mu sync.Mutex
			inParallel(many, func(i int) {
				b := NewBank(onlyTogether(), rate)
				of(b, i)
				a, d := b.Observed()
				mu.Lock()
				defer mu.Unlock()
				alerts, days = alerts+a, days+d
			})
			return alerts, days
		}
	}
	fmt.Printf("rates, joint: %-34s %8g %8g %8g %8g\n", "asked for", rates[0], rates[1], rates[2], rates[3])
	for number, family := range families {
		if strings.HasPrefix(family.name, "seen: on and off") || family.name == "zero but for 2 %" {
			continue // of use that is none the noise is all
		}
		print(family.name, each(50, func(b *Bank, i int) {
			noise := [3]func(int) float64{}
			for k := range noise {
				noise[k] = family.make(rand.New(rand.NewPCG(uint64(i), uint64(2000+10*number+k))))
			}
			rnd, load := rand.New(rand.NewPCG(uint64(i), 13)), 0.0
			for k := range int(10 * day / 60) {
				load += 0.01*(50-load) + 4*rnd.NormFloat64()
				for metric, v := range [3]float64{load + noise[0](k), 75 + 5*load + 20*noise[1](k), 40 + load/5 + 3*noise[2](k)} {
					b.Observe(uint64(metric), func() map[string]string {
						return map[string]string{"__name__": []string{"DCGM_FI_DEV_GPU_UTIL", "DCGM_FI_DEV_POWER_USAGE", "DCGM_FI_DEV_GPU_TEMP"}[metric], "Hostname": "node-0", "UUID": "GPU-0"}
					}, int64(k+1)*60_000, v)
				}
			}
		}))
	}
	print("cards", each(64, func(b *Bank, i int) {
		c := newCard(uint64(1000 + i))
		for range 5 * 5760 {
			c.tick(-1)
			c.show(b, i)
		}
	}))
	dir := filepath.Join(recorded.Dir(t, "gpu"), "gpu")
	use, memory := recordedColumns(t, filepath.Join(dir, "pod_gpu_duty_cycle.csv.gz")), recordedColumns(t, filepath.Join(dir, "pod_gpu_memory_used_bytes.csv.gz"))
	var pods []string
	for pod := range use {
		if pod != "t" && memory[pod] != nil {
			pods = append(pods, pod)
		}
	}
	slices.Sort(pods)
	print(fmt.Sprintf("recorded, %d GPUs", len(pods)), each(len(pods), func(b *Bank, i int) {
		for k, text := range use["t"] {
			at, _ := strconv.ParseFloat(text, 64)
			for metric, text := range []string{use[pods[i]][k], memory[pods[i]][k]} {
				v, err := strconv.ParseFloat(text, 64)
				if err != nil {
					continue
				}
				b.Observe(uint64(metric), func() map[string]string {
					return map[string]string{"__name__": []string{"DCGM_FI_DEV_GPU_UTIL", "DCGM_FI_DEV_FB_USED"}[metric], "Hostname": "node-0", "UUID": "GPU-0"}
				}, int64(at*1000), v)
			}
		}
	}))
}

func recordedColumns(t *testing.T, path string) map[string][]string {
	t.Helper()
	b, err := recorded.Unpacked(path)
	if err != nil {
		t.Fatal(err)
	}
	table, err := columns(b)
	if err != nil {
		t.Fatal(err)
	}
	return table
}
