package detect

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"vedette.dev/analyzer"
	"vedette.dev/rules/catalog"
)

func TestWatchesAgreeWithTheCatalog(t *testing.T) {
	for _, w := range Builtin() {
		m, ok := catalog.Builtin().Metric(w.Metric)
		if !ok {
			t.Errorf("%s is not in the catalog", w.Metric)
			continue
		}
		if w.Kind != m.Type {
			t.Errorf("%s is watched as a %s, the catalog says %s", w.Metric, w.Kind, m.Type)
		}
		for _, l := range slices.Concat(w.Labels, w.Ignore, w.Keep, w.Group) {
			if !m.Has(l) {
				t.Errorf("%s has no label %s", w.Metric, l)
			}
		}
		if m.Bad != "" && w.Model == "" && w.Direction != Both && string(w.Direction) != m.Bad {
			t.Errorf("%s is watched for %s, the catalog says %s is bad", w.Metric, w.Direction, m.Bad)
		}
	}
}

func TestWatchesAreCheckedByLine(t *testing.T) {
	head := header + "\n"
	for _, tt := range []struct{ row, want string }{
		{"m,summary,high,node,instance,,,no,no,1,why", `w.csv:2: m: kind "summary"`},
		{"m,gauge,up,node,instance,,,no,no,1,why", `direction "up"`},
		{"m,gauge,high,rack,instance,,,no,no,1,why", `subject "rack"`},
		{"m,gauge,high,gpu,UUID,,,no,no,1,why", "named by 2 labels"},
		{"m,gauge,high,node,instance,,,maybe,no,1,why", `absence "maybe"`},
		{"m,gauge,high,node,instance,,,no,maybe,1,why", `leaks "maybe"`},
		{"m,counter,high,node,instance,,,no,yes,1,why", "only a gauge leaks"},
		{"m,gauge,high,node,instance,,,no,no,-1,why", `min_effect "-1"`},
		{"m,gauge,high,node,instance,,,no,no,1,", "reason are required"},
		{"m,gauge,high,node,instance,,,no,no,1,why\nm,gauge,high,node,instance,,,no,no,1,why", "w.csv:3: m: listed twice"},
	} {
		if _, err := ParseWatches("w.csv", strings.NewReader(head+tt.row+"\n")); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want %q", tt.row, err, tt.want)
		}
	}
}

// A cluster feeds a bank: two nodes of four GPUs, a sample every 15 s.
type cluster struct {
	bank *Bank
	refs map[string]uint64
	rnd  *rand.Rand
	now  int64
	// power, where set, is what a GPU draws.
	power float64
	// change, where set, changes what a GPU shows; false: nothing is shown.
	change func(metric string, node, gpu int, v *float64) bool
}

func newCluster() *cluster {
	return &cluster{bank: NewBank(Builtin(), 0), refs: map[string]uint64{}, rnd: rand.New(rand.NewPCG(3, 4)),
		now: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC).UnixMilli()}
}

var usual = map[string]float64{"DCGM_FI_DEV_GPU_TEMP": 65, "DCGM_FI_DEV_GPU_UTIL": 92, "DCGM_FI_DEV_PCIE_REPLAY_COUNTER": 0}

func (c *cluster) run(d time.Duration) {
	for end := c.now + d.Milliseconds(); c.now < end; c.now += 15_000 {
		for node := range 2 {
			for gpu := range 4 {
				for _, metric := range []string{"DCGM_FI_DEV_POWER_USAGE", "DCGM_FI_DEV_GPU_TEMP", "DCGM_FI_DEV_GPU_UTIL", "DCGM_FI_DEV_PCIE_REPLAY_COUNTER", "up"} {
					c.sample(metric, node, gpu)
				}
			}
		}
	}
}

func (c *cluster) sample(metric string, node, gpu int) {
	v := usual[metric]
	if metric == "DCGM_FI_DEV_POWER_USAGE" {
		if v = c.power; v == 0 {
			return
		}
	}
	if v > 0 {
		v += c.rnd.NormFloat64()
	}
	if c.change != nil && !c.change(metric, node, gpu, &v) {
		return
	}
	labels := map[string]string{"__name__": metric, "Hostname": fmt.Sprint("node-", node), "UUID": fmt.Sprintf("GPU-%d%d", node, gpu),
		"gpu": fmt.Sprint(gpu), "namespace": "train", "pod": fmt.Sprint("llm-", node)}
	key := keyOf(labels)
	if _, ok := c.refs[key]; !ok {
		c.refs[key] = uint64(len(c.refs) + 1)
	}
	c.bank.Observe(c.refs[key], func() map[string]string { return labels }, c.now, v)
}

func (c *cluster) findings(t *testing.T) []analyzer.Finding {
	t.Helper()
	fs, err := c.bank.Findings(t.Context(), time.UnixMilli(c.now))
	if err != nil {
		t.Fatal(err)
	}
	return fs
}

func keys(fs []analyzer.Finding) []string {
	ks := []string{}
	for _, f := range fs {
		ks = append(ks, f.Key())
	}
	return ks
}

func TestBankFinds(t *testing.T) {
	retries := 0.0
	for _, tt := range []struct {
		name   string
		change func(metric string, node, gpu int, v *float64) bool
		want   []string
		text   string
		query  string
	}{
		{"nothing", nil, []string{}, "", ""},
		{"a hot GPU", func(metric string, node, gpu int, v *float64) bool {
			if metric == "DCGM_FI_DEV_GPU_TEMP" && node == 1 && gpu == 2 {
				*v += 20
			}
			return true
		}, []string{"anomaly|DCGM_FI_DEV_GPU_TEMP|gpu/node-1/GPU-12"}, "°C was usual",
			`DCGM_FI_DEV_GPU_TEMP{Hostname="node-1",UUID="GPU-12",gpu="2",namespace="train",pod="llm-1"}`},
		{"a GPU warmer by less than matters", func(metric string, node, gpu int, v *float64) bool {
			if metric == "DCGM_FI_DEV_GPU_TEMP" && node == 1 && gpu == 2 {
				*v = 71.5
			}
			return true
		}, []string{}, "", ""},
		{"a cool GPU", func(metric string, node, gpu int, v *float64) bool {
			if metric == "DCGM_FI_DEV_GPU_TEMP" && node == 1 && gpu == 2 {
				*v -= 30
			}
			return true
		}, []string{}, "", ""},
		{"a lost GPU", func(metric string, node, gpu int, v *float64) bool { return node != 0 || gpu != 3 },
			[]string{"anomaly|DCGM_FI_DEV_GPU_TEMP|gpu/node-0/GPU-03"}, "no longer reported", ""},
		{"a link that retries", func(metric string, node, gpu int, v *float64) bool {
			if metric == "DCGM_FI_DEV_PCIE_REPLAY_COUNTER" && node == 0 && gpu == 1 {
				retries += 50
				*v = retries
			}
			return true
		}, []string{"anomaly|DCGM_FI_DEV_PCIE_REPLAY_COUNTER|gpu/node-0/GPU-01"}, "per second rose to",
			`rate(DCGM_FI_DEV_PCIE_REPLAY_COUNTER{Hostname="node-0",UUID="GPU-01",gpu="1"}[5m])`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newCluster()
			c.run(8 * time.Hour)
			if fs := c.findings(t); len(fs) > 0 {
				t.Fatalf("before the trouble: %v", fs)
			}
			began := time.UnixMilli(c.now)
			c.change = tt.change
			c.run(3 * time.Minute)
			fs := c.findings(t)
			if diff := cmp.Diff(tt.want, keys(fs)); diff != "" {
				t.Fatalf("findings (-want +got):\n%s%v", diff, fs)
			}
			if len(fs) == 0 {
				return
			}
			f := fs[0]
			if d := f.From.Sub(began); d < 0 || d > 90*time.Second {
				t.Errorf("onset is %s after the trouble began", d)
			}
			if !strings.Contains(f.Text, tt.text) || tt.query != "" && f.Query != tt.query || len(f.Caveats) == 0 {
				t.Errorf("finding is %+v, want text with %q, query %s and a caveat", f, tt.text, tt.query)
			}
			c.change = nil
			c.run(30 * time.Minute)
			if fs := c.findings(t); len(fs) > 0 {
				t.Errorf("half an hour after the trouble: %v", fs)
			}
		})
	}
}

// A load that dips for checkpoints has a wide spread, and what is hotter than it
// ever was is no farther out than the dips; its power explains those.
func TestCheckpointsDoNotBlindTheBank(t *testing.T) {
	c := newCluster()
	c.power = 600
	began := c.now
	hot := false
	c.change = func(metric string, node, gpu int, v *float64) bool {
		checkpoint := (c.now-began)/1000%1800 < 60
		if metric == "DCGM_FI_DEV_POWER_USAGE" && checkpoint {
			*v -= 400
		}
		if metric == "DCGM_FI_DEV_GPU_TEMP" && checkpoint {
			*v -= 25
		}
		if metric == "DCGM_FI_DEV_GPU_TEMP" && hot && node == 1 && gpu == 2 {
			*v += 12
		}
		return true
	}
	c.run(12*time.Hour + 10*time.Minute)
	if fs := c.findings(t); len(fs) > 0 {
		t.Fatalf("before the trouble: %v", fs)
	}
	hot = true
	c.run(4 * time.Minute)
	fs := c.findings(t)
	if diff := cmp.Diff([]string{"anomaly|DCGM_FI_DEV_GPU_TEMP|gpu/node-1/GPU-12"}, keys(fs)); diff != "" {
		t.Fatalf("findings (-want +got):\n%s", diff)
	}
	if want := "above what DCGM_FI_DEV_POWER_USAGE explains"; !strings.Contains(fs[0].Text, want) {
		t.Errorf("text is %q, want %q in it", fs[0].Text, want)
	}
	if want := `DCGM_FI_DEV_GPU_TEMP{Hostname="node-1",UUID="GPU-12"}`; fs[0].Query != want {
		t.Errorf("query is %s, want %s", fs[0].Query, want)
	}
}

// A temperature whose power is no longer told is judged by itself again.
func TestWhatIsNoLongerExplainedIsWatched(t *testing.T) {
	c := newCluster()
	c.power = 600
	c.run(12 * time.Hour)
	c.power = 0
	c.change = func(metric string, node, gpu int, v *float64) bool {
		if metric == "DCGM_FI_DEV_GPU_TEMP" && node == 1 && gpu == 2 {
			*v += 25
		}
		return true
	}
	c.run(10 * time.Minute)
	fs := c.findings(t)
	if diff := cmp.Diff([]string{"anomaly|DCGM_FI_DEV_GPU_TEMP|gpu/node-1/GPU-12"}, keys(fs)); diff != "" {
		t.Fatalf("findings (-want +got):\n%s", diff)
	}
}

// What is told is counted against the series-days in which it was looked for.
func TestBankCountsWhatItTells(t *testing.T) {
	c := newCluster()
	c.run(12 * time.Hour)
	alerts, days := c.bank.Observed()
	if want := 2 * 4 * (3 + 1 + 1) * 0.5; alerts != 0 || days < 0.9*want || days > want {
		t.Errorf("%d alerts in %.1f series-days, want none in %.0f: three metrics of eight GPUs, one of them among peers too, and two together", alerts, days, want)
	}
	c.change = func(metric string, node, gpu int, v *float64) bool {
		if metric == "DCGM_FI_DEV_GPU_TEMP" && node == 1 {
			*v += 25
		}
		return true
	}
	c.run(30 * time.Minute)
	if alerts, _ := c.bank.Observed(); alerts != 4 {
		t.Errorf("%d alerts of four hot GPUs, want 4", alerts)
	}
}

// A GPU that was slow from the pod's first day has no past that would show it.
func TestBankFindsAStragglerByItsPeers(t *testing.T) {
	c := newCluster()
	c.change = func(metric string, node, gpu int, v *float64) bool {
		if metric == "DCGM_FI_DEV_GPU_UTIL" && node == 0 && gpu == 1 {
			*v = 40
		}
		return true
	}
	c.run(time.Hour)
	fs := c.findings(t)
	if diff := cmp.Diff([]string{"anomaly|DCGM_FI_DEV_GPU_UTIL|gpu/node-0/GPU-01"}, keys(fs)); diff != "" {
		t.Fatalf("findings (-want +got):\n%s", diff)
	}
	if want := "where the others of its group have"; !strings.Contains(fs[0].Text, want) {
		t.Errorf("text is %q, want %q in it", fs[0].Text, want)
	}
}

func TestAGPUThatChangesPodsIsNotLost(t *testing.T) {
	c := newCluster()
	c.run(2 * time.Hour)
	refs := c.refs
	c.refs = map[string]uint64{}
	labels := func(ls map[string]string) func() map[string]string { return func() map[string]string { return ls } }
	for range 200 {
		for gpu := range 4 {
			ls := map[string]string{"__name__": "DCGM_FI_DEV_GPU_TEMP", "Hostname": "node-0", "UUID": fmt.Sprint("GPU-0", gpu), "gpu": fmt.Sprint(gpu)}
			c.bank.Observe(uint64(len(refs)+gpu+1), labels(ls), c.now, 30)
		}
		c.now += 15_000
	}
	for _, k := range keys(c.findings(t)) {
		if strings.Contains(k, "gpu/node-0/") {
			t.Errorf("an idle GPU is a finding: %s", k)
		}
	}
}

func TestBankRestartsByLabels(t *testing.T) {
	dir := t.TempDir()
	slow := func(metric string, node, gpu int, v *float64) bool {
		if metric == "DCGM_FI_DEV_GPU_UTIL" && node == 0 && gpu == 1 {
			*v -= 50
		}
		return true
	}
	stay, restart := newCluster(), newCluster()
	stay.power, restart.power = 600, 600
	for _, c := range []*cluster{stay, restart} {
		c.run(6 * time.Hour)
		c.change = slow
		c.run(30 * time.Second)
	}
	if err := restart.bank.Save(dir); err != nil {
		t.Fatal(err)
	}
	restart.bank = NewBank(Builtin(), 0)
	if err := restart.bank.Restore(dir); err != nil {
		t.Fatal(err)
	}
	clear(restart.refs)
	restart.refs["so that every ref means another series"] = 1
	for _, c := range []*cluster{stay, restart} {
		c.run(5 * time.Minute)
	}
	want := stay.findings(t)
	if len(want) == 0 {
		t.Fatal("no findings: the test sees nothing")
	}
	if diff := cmp.Diff(want, restart.findings(t)); diff != "" {
		t.Errorf("findings (-stayed +restarted):\n%s", diff)
	}
	now := time.UnixMilli(stay.now)
	if diff := cmp.Diff(stay.bank.Scores(now), restart.bank.Scores(now)); diff != "" {
		t.Errorf("scores (-stayed +restarted):\n%s", diff)
	}
	if n := len(stay.bank.Scores(now)); n != 2*4*(2+3+2+1+1) {
		t.Errorf("%d scores, want spike and regime of 24 series, peers of 8, what is explained of 8, and 8 together", n)
	}
}

func TestBankRefusesADamagedFile(t *testing.T) {
	dir := t.TempDir()
	c := newCluster()
	c.run(10 * time.Minute)
	if err := c.bank.Save(dir); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, stateFile)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, cut := range []int{0, 10, len(whole) / 2, len(whole) - 1} {
		if err := os.WriteFile(path, whole[:cut], 0o644); err != nil {
			t.Fatal(err)
		}
		err := c.bank.Restore(dir)
		if err == nil || !strings.Contains(err.Error(), stateFile) {
			t.Errorf("%d of %d bytes: error %v", cut, len(whole), err)
		}
		if n := len(c.bank.Scores(time.UnixMilli(c.now))); n != 0 {
			t.Errorf("%d of %d bytes: %d scores", cut, len(whole), n)
		}
		c.run(time.Minute) // it works all the same
	}
	if err := NewBank(Builtin(), 0).Restore(t.TempDir()); err != nil {
		t.Errorf("no file: %v", err)
	}
}

func TestBankForgetsTheSilentAndServesManyCallers(t *testing.T) {
	b := NewBank(Builtin(), 0)
	start := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	var wg sync.WaitGroup
	for caller := range 4 {
		wg.Go(func() {
			for i := range 2000 {
				ref := uint64(caller*1000 + i%50)
				labels := func() map[string]string {
					return map[string]string{"__name__": "node_load1", "instance": fmt.Sprint("n", ref)}
				}
				b.Observe(ref, labels, start.UnixMilli()+int64(i/50)*15_000, 1)
				if i%500 == 0 {
					b.Scores(start)
				}
			}
		})
	}
	wg.Wait()
	if n := len(b.members) - len(b.free); n != 200 {
		t.Errorf("%d series, want 200", n)
	}
	if _, err := b.Findings(t.Context(), start.Add(48*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if n := len(b.members) - len(b.free); n != 0 || len(b.refs) != 0 {
		t.Errorf("%d series and %d refs after two days of silence, want none", n, len(b.refs))
	}
}

func TestBankAsksForLabelsOnce(t *testing.T) {
	b := NewBank(Builtin(), 0)
	asked := 0
	for _, name := range []string{"node_load1", "nobody_watches_this"} {
		for i := range int64(100) {
			b.Observe(uint64(len(name)), func() map[string]string {
				asked++
				return map[string]string{"__name__": name, "instance": "n"}
			}, i*15_000, 1)
		}
	}
	if asked != 2 {
		t.Errorf("labels were asked for %d times, want once a series", asked)
	}
	i := int64(100)
	none := func() map[string]string { return nil }
	if n := testing.AllocsPerRun(1000, func() {
		b.Observe(uint64(len("node_load1")), none, i*15_000, float64(i%3))
		i++
	}); n != 0 {
		t.Errorf("%g allocations per sample", n)
	}
}

func BenchmarkBankUnwatched(b *testing.B) { benchmarkBank(b, "nobody_watches_this") }
func BenchmarkBankWatched(b *testing.B)   { benchmarkBank(b, "node_load1") }

func benchmarkBank(b *testing.B, name string) {
	bank := NewBank(Builtin(), 0)
	const series = 1 << 12
	for i := range b.N {
		ref := uint64(i % series)
		bank.Observe(ref, func() map[string]string {
			return map[string]string{"__name__": name, "instance": fmt.Sprint(ref)}
		}, int64(i/series)*15_000, float64(i%17))
	}
}
