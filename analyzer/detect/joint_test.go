package detect

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"vedette.dev/analyzer"
)

// A worker feeds a bank with one GPU whose use wanders and which power, heat and memory traffic follow.
type worker struct {
	bank    *Bank
	ref     uint64 // of the first series, so that a restart may number them anew
	rnd     *rand.Rand
	load    float64
	now     int64
	metrics []string
	change  func(now int64, v *[4]float64) // where set, changes what is shown; NaN is not
}

func newWorker() *worker {
	return &worker{bank: NewBank(Builtin(), 0), rnd: rand.New(rand.NewPCG(8, 8)), load: 0.5, now: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC).UnixMilli(),
		metrics: []string{"DCGM_FI_DEV_GPU_UTIL", "DCGM_FI_DEV_POWER_USAGE", "DCGM_FI_DEV_GPU_TEMP", "DCGM_FI_PROF_DRAM_ACTIVE"}}
}

func (w *worker) run(d time.Duration) {
	for end := w.now + d.Milliseconds(); w.now < end; w.now += 15_000 {
		w.load = min(1, max(0, w.load+0.01*(0.5-w.load)+0.03*w.rnd.NormFloat64()))
		v := [4]float64{100*w.load + w.rnd.NormFloat64(), 90 + 500*w.load + 5*w.rnd.NormFloat64(), 40 + 30*w.load + 0.5*w.rnd.NormFloat64(), 0.6*w.load + 0.01*w.rnd.NormFloat64()}
		if w.change != nil {
			w.change(w.now, &v)
		}
		for i, name := range w.metrics {
			if !math.IsNaN(v[i]) {
				w.bank.Observe(w.ref+uint64(i), func() map[string]string {
					return map[string]string{"__name__": name, "Hostname": "node-0", "UUID": "GPU-0", "namespace": "train", "pod": "llm-0"}
				}, w.now, v[i])
			}
		}
	}
}

func (w *worker) findings(t *testing.T) []analyzer.Finding {
	t.Helper()
	fs, err := w.bank.Findings(t.Context(), time.UnixMilli(w.now))
	if err != nil {
		t.Fatal(err)
	}
	return fs
}

func hangs(_ int64, v *[4]float64) { v[0], v[1], v[2], v[3] = 100, 110, 42, 0 }

// Full use and the power of an idle GPU are each usual, and together they are not.
func TestMetricsThatDoNotGoTogether(t *testing.T) {
	w := newWorker()
	w.run(30 * time.Hour)
	if fs := w.findings(t); len(fs) != 0 {
		t.Fatalf("while nothing is wrong there are %+v", fs)
	}
	w.change = hangs
	w.run(12 * time.Minute)
	fs := w.findings(t)
	if len(fs) != 1 {
		t.Fatalf("%d findings of one hang: %+v", len(fs), fs)
	}
	f := fs[0]
	if f.Subject != analyzer.GPU("node-0", "GPU-0") || f.Ways[0].Channel != analyzer.Together || f.Score == 0 {
		t.Errorf("it is %+v", f)
	}
	for _, want := range []string{"DCGM_FI_DEV_GPU_UTIL", "100 %", "DCGM_FI_DEV_POWER_USAGE", "110 W", "speak for"} {
		if !strings.Contains(f.Text, want) {
			t.Errorf("it says %q, without %s", f.Text, want)
		}
	}
	if !strings.Contains(f.Query, `label_replace(DCGM_FI_DEV_POWER_USAGE{Hostname="node-0",UUID="GPU-0",namespace="train",pod="llm-0"}, "metric", "DCGM_FI_DEV_POWER_USAGE", "", "") or `) {
		t.Errorf("the query is %s", f.Query)
	}
	if alerts, _ := w.bank.Observed(); alerts != 1 {
		t.Errorf("%d alerts of one hang", alerts)
	}

	// Marked, it is found and not told.
	m := analyzer.NewMark(f, "ada", "a burn-in", time.UnixMilli(w.now), time.Time{})
	w.bank.Heed([]analyzer.Mark{m})
	if fs := w.findings(t); len(fs) != 1 || fs[0].Marked == nil {
		t.Errorf("marked there are %+v", fs)
	}
	if !strings.Contains(m.Text, "by the metrics that go with it") {
		t.Errorf("the mark says %q", m.Text)
	}
}

// What all metrics follow is no finding, however new it is; nor is a silence, a
// gap, or what one metric does that the others have no say in.
func TestMetricsThatGoTogether(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(now int64, v *[4]float64)
	}{
		{"idle as never before", func(_ int64, v *[4]float64) { *v = [4]float64{0, 90, 40, 0} }},
		{"one is gone", func(_ int64, v *[4]float64) { v[1] = math.NaN() }},
		{"all are gone by turns", func(now int64, v *[4]float64) {
			if now/600_000%2 == 0 {
				*v = [4]float64{math.NaN(), math.NaN(), math.NaN(), math.NaN()}
			}
		}},
		{"for two minutes", func(now int64, v *[4]float64) {
			if now/1000%day < 6*3600+120 {
				hangs(now, v)
			}
		}},
		{"infinite", func(_ int64, v *[4]float64) { v[1] = math.Inf(1) }},
	} {
		w := newWorker()
		w.run(30 * time.Hour)
		w.change = tt.change
		for range 20 {
			w.run(3 * time.Minute)
			for _, f := range w.findings(t) {
				if f.Ways[0].Channel == analyzer.Together {
					t.Errorf("%s: %s", tt.name, f.Text)
				}
			}
		}
	}
}

// What one metric tells by itself is not told again by all together.
func TestOneAlertOfOneTrouble(t *testing.T) {
	w := newWorker()
	w.run(30 * time.Hour)
	w.change = func(_ int64, v *[4]float64) { v[2] += 30 } // GPU_TEMP is watched by itself
	w.run(20 * time.Minute)
	fs := w.findings(t)
	if len(fs) != 1 || fs[0].Signal != "DCGM_FI_DEV_GPU_TEMP" {
		t.Errorf("a hot GPU makes %d findings: %+v", len(fs), fs)
	}
	if alerts, _ := w.bank.Observed(); alerts != 1 {
		t.Errorf("%d alerts of one hot GPU", alerts)
	}
}

// A bank that was saved and restored goes on as if it had not been, to the last bit.
func TestTogetherRestarts(t *testing.T) {
	stay, restart, dir := newWorker(), newWorker(), t.TempDir()
	for _, w := range []*worker{stay, restart} {
		w.run(30*time.Hour + 30*time.Second) // within a row
	}
	if err := restart.bank.Save(dir); err != nil {
		t.Fatal(err)
	}
	restart.bank, restart.ref = NewBank(Builtin(), 0), 100
	if err := restart.bank.Restore(dir); err != nil {
		t.Fatal(err)
	}
	for range 12 {
		for _, w := range []*worker{stay, restart} {
			w.change = hangs
			w.run(time.Minute)
		}
		if stay.bank.wholes[0].key != restart.bank.wholes[0].key || *stay.bank.wholeStates.At(0) != *restart.bank.wholeStates.At(0) {
			t.Fatalf("at %s the states differ", time.UnixMilli(stay.now).UTC())
		}
		if diff := cmp.Diff(stay.findings(t), restart.findings(t)); diff != "" {
			t.Fatalf("findings (-stayed +restarted):\n%s", diff)
		}
	}
	if len(stay.findings(t)) == 0 {
		t.Error("no findings: the test sees nothing")
	}
}

func TestTogetherForgetsWhatIsGone(t *testing.T) {
	w := newWorker()
	w.run(time.Hour)
	w.now += 2 * forgotten.Milliseconds()
	w.findings(t)
	if len(w.bank.byWhole) != 0 || len(w.bank.freeWholes) != 1 {
		t.Fatalf("%d wholes are left and %d are free", len(w.bank.byWhole), len(w.bank.freeWholes))
	}
	w.run(time.Minute)
	if len(w.bank.byWhole) != 1 || len(w.bank.wholes) != 1 || len(w.bank.wholes[0].of) != 4 {
		t.Errorf("when it is back there are %d in %d places", len(w.bank.byWhole), len(w.bank.wholes))
	}
}

func TestTogetherAllocatesNothing(t *testing.T) {
	w := newWorker()
	w.run(3 * time.Hour)
	if n := testing.AllocsPerRun(100, func() {
		w.now += jointRow
		for i := range 4 {
			w.bank.Observe(uint64(i), nil, w.now, 50)
		}
	}); n != 0 {
		t.Errorf("%g allocations per row", n)
	}
}

// The inverse of a matrix times the matrix is one, whatever the units.
func TestInverse(t *testing.T) {
	rnd := rand.New(rand.NewPCG(2, 2))
	for range 100 {
		n := 2 + rnd.IntN(mostJoint-1)
		var root, p matrix
		for i := range n {
			for j := range n {
				root[i][j] = rnd.NormFloat64() * math.Pow(10, float64(3*i-9))
			}
		}
		for i := range n {
			for j := range n {
				for k := range n {
					p[i][j] += root[i][k] * root[j][k]
				}
			}
		}
		inverse := p
		if !inverse.invert(n) {
			continue // as good as singular
		}
		for i := range n {
			for j := range n {
				var got float64
				for k := range n {
					got += p[i][k] * inverse[k][j]
				}
				scale := math.Sqrt(p[i][i] / p[j][j])
				if want := map[bool]float64{true: 1}[i == j]; math.Abs(got/scale-want) > 1e-3 {
					t.Fatalf("%d by %d: at %d, %d is %g, want %g", n, n, i, j, got/scale, want)
				}
			}
		}
	}
	if singular := (matrix{{1, 1}, {1, 1}}); singular.invert(2) {
		t.Error("what is singular has an inverse")
	}
}

func TestJointIsCheckedByLine(t *testing.T) {
	for _, tt := range []struct{ rows, want string }{
		{",a,gauge,high,node,instance,,,1,why", "j.csv:2: a: a model is required"},
		{"m,a,gauge,high,node,instance,,,0,why", "min_effect is 0"},
		{"m,a,gauge,high,node,instance,,b,1,why", `while "b" is not of the form`},
		{"m,a,gauge,high,node,instance,,b>x,1,why", "invalid syntax"},
		{"m,a,gauge,high,node,instance,,,1,why", "of 1 metrics, want 2 to 8"},
		{"m,a,gauge,high,node,instance,,b>1,1,why\nm,c,gauge,high,node,instance,,,1,why", "a is judged while b"},
		{"m,a,gauge,high,node,instance,,,1,why\nm,a,gauge,high,node,instance,,,1,why", "j.csv:3: a: listed twice"},
		{"m,a,gauge,high,node,instance,,,1,why\nm,b,gauge,high,node,node,,,1,why", "of different subjects"},
	} {
		if _, err := ParseJoint("j.csv", strings.NewReader(headerJoint+"\n"+tt.rows+"\n")); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want %q", tt.rows, err, tt.want)
		}
	}
}

// Counters are looked at by their rate, and of several series of a metric the largest counts.
func TestTogetherOfAPod(t *testing.T) {
	b := NewBank(Builtin(), 0)
	now, spent, rnd := int64(1_800_000_000_000), 0.0, rand.New(rand.NewPCG(4, 4))
	run := func(d time.Duration, spins float64) {
		for end := now + d.Milliseconds(); now < end; now += 30_000 {
			running := 40 + 20*math.Sin(float64(now)/3e6) + 2*rnd.NormFloat64()
			spent += 30 * (running/5 + spins)
			for i, container := range []string{"app", "sidecar"} {
				b.Observe(uint64(i), func() map[string]string {
					return map[string]string{"__name__": "container_cpu_usage_seconds_total", "namespace": "serve", "pod": "llm-0", "container": container, "id": fmt.Sprint(i)}
				}, now, spent/float64(1+9*i))
			}
			b.Observe(2, func() map[string]string {
				return map[string]string{"__name__": "vllm:num_requests_running", "namespace": "serve", "pod": "llm-0"}
			}, now, running)
		}
	}
	run(30*time.Hour, 0)
	run(15*time.Minute, 8)
	fs, err := b.Findings(t.Context(), time.UnixMilli(now))
	if err != nil {
		t.Fatal(err)
	}
	if len(fs) != 1 || fs[0].Signal != "container_cpu_usage_seconds_total" || !strings.Contains(fs[0].Query, "rate(container_cpu_usage_seconds_total{") {
		t.Errorf("a pod that spins is %+v", fs)
	}
}
