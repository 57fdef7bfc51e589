//go:build bench || scratch

package detect

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"unsafe"

	"vedette.dev/analyzer/series"
	"vedette.dev/fixtures/recorded"
)

// alertScore is the one threshold of the event tables, for all series of all
// sets: about one sample in 7,000. It is set here and not by the run.
const alertScore = 0.32

// columns reads a CSV file by column, names in lower case.
func columns(b []byte) (map[string][]string, error) {
	rows, err := csv.NewReader(bytes.NewReader(b)).ReadAll()
	if err != nil {
		return nil, err
	}
	table := map[string][]string{}
	for c, name := range rows[0] {
		column := make([]string, len(rows)-1)
		for i, row := range rows[1:] {
			column[i] = row[c]
		}
		table[strings.ToLower(name)] = column
	}
	return table, nil
}

func numbers(texts []string) ([]float64, error) {
	out := make([]float64, len(texts))
	for i, text := range texts {
		v, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return nil, err
		}
		out[i] = v
	}
	return out, nil
}

// scored is what `vedette detect` says of one file.
type scored struct {
	stamps               []string
	score, spike, regime []float64
	alert                []float64
}

func score(b []byte) (scored, error) {
	var out bytes.Buffer
	if err := CSV(bytes.NewReader(b), &out, 0); err != nil {
		return scored{}, err
	}
	table, err := columns(out.Bytes())
	if err != nil {
		return scored{}, err
	}
	s := scored{stamps: table["timestamp"]}
	for name, to := range map[string]*[]float64{"score": &s.score, "spike": &s.spike, "regime": &s.regime, "alert": &s.alert} {
		if *to, err = numbers(table[name]); err != nil {
			return scored{}, err
		}
	}
	return s, nil
}

// each calls do for every path, as many at once as there are processors.
func each(t *testing.T, paths []string, do func(i int, b []byte) error) {
	t.Helper()
	var wg sync.WaitGroup
	errs := make([]error, len(paths))
	slots := make(chan struct{}, runtime.NumCPU())
	for i, path := range paths {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			b, err := recorded.Unpacked(path)
			if err == nil {
				err = do(i, b)
			}
			errs[i] = err
		})
	}
	wg.Wait()
	for i, err := range errs {
		if err != nil {
			t.Fatalf("%s: %v", paths[i], err)
		}
	}
}

func nabCorpus(t *testing.T, dir string) []nabFile {
	b, err := os.ReadFile(filepath.Join(dir, "labels", "combined_windows.json"))
	if err != nil {
		t.Fatal(err)
	}
	var windows map[string][][2]string
	if err := json.Unmarshal(b, &windows); err != nil {
		t.Fatal(err)
	}
	var files []nabFile
	var paths []string
	for name, ws := range windows {
		for i := range ws {
			for k := range ws[i] {
				ws[i][k], _, _ = strings.Cut(ws[i][k], ".")
			}
		}
		files = append(files, nabFile{name: name, windows: ws})
	}
	slices.SortFunc(files, func(a, b nabFile) int { return cmp.Compare(a.name, b.name) })
	for _, f := range files {
		paths = append(paths, filepath.Join(dir, "data", f.name+".gz"))
	}
	each(t, paths, func(i int, b []byte) error {
		table, err := columns(b)
		files[i].stamps = table["timestamp"]
		return err
	})
	return files
}

// TestNABScoreOfRecordedDetectors holds the scorer to what is published of two
// detectors, by their own scores.
func TestNABScoreOfRecordedDetectors(t *testing.T) {
	dir := filepath.Join(recorded.Dir(t, "nab"), "nab")
	files := nabCorpus(t, dir)
	for detector, want := range map[string]float64{"numenta": 70.1011, "ARTime": 74.8538} {
		var paths []string
		for _, f := range files {
			paths = append(paths, filepath.Join(dir, "recorded", detector, filepath.Dir(f.name), detector+"_"+filepath.Base(f.name)+".gz"))
		}
		scores := make([][]float64, len(files))
		each(t, paths, func(i int, b []byte) (err error) {
			table, err := columns(b)
			if err != nil {
				return err
			}
			scores[i], err = numbers(table["anomaly_score"])
			return err
		})
		got := nabAll(files, scores)
		if d := got[0].score - want; d > 1e-4 || d < -1e-4 {
			t.Errorf("%s is given %.4f, want %.4f", detector, got[0].score, want)
		}
		fmt.Printf("NAB, recorded %-8s standard %.4f\n", detector, got[0].score)
	}
}

func TestNAB(t *testing.T) {
	dir := filepath.Join(recorded.Dir(t, "nab"), "nab")
	files := nabCorpus(t, dir)
	var paths []string
	for _, f := range files {
		paths = append(paths, filepath.Join(dir, "data", f.name+".gz"))
	}
	all := make([]scored, len(files))
	each(t, paths, func(i int, b []byte) (err error) {
		all[i], err = score(b)
		return err
	})
	for channel, of := range map[string]func(scored) []float64{
		"score":  func(s scored) []float64 { return s.score },
		"spike":  func(s scored) []float64 { return s.spike },
		"regime": func(s scored) []float64 { return s.regime },
	} {
		scores := make([][]float64, len(files))
		for i, s := range all {
			scores[i] = of(s)
		}
		fmt.Printf("NAB, %-6s", channel)
		for i, r := range nabAll(files, scores) {
			fmt.Printf("  %s %.2f (%d of 116 found, %d rows mistaken, at %.4f)", nabProfiles[i].name, r.score, r.found, r.mistaken, r.threshold)
		}
		fmt.Println()
	}
}

var eventSets = []struct {
	name, glob string
	warm       int64 // seconds
}{{"mscloud", "mscloud/*/*.csv.gz", 3 * day}, {"aiops_kpi", "aiops_kpi/*.csv.gz", day}}

// labels are what is known of one series with events.
type labels struct {
	at     []int64
	events []event
	warm   int // rows
}

func labelsOf(table map[string][]string, warm int64) (l labels, err error) {
	stamps := table["timestamp"]
	l.at = make([]int64, len(stamps))
	label := make([]bool, len(stamps))
	for k, stamp := range stamps {
		when, err := series.ParseTime(stamp)
		if err != nil {
			return l, err
		}
		l.at[k], label[k] = when.Unix(), table["label"][k] != "0"
	}
	steps := make([]int64, 0, len(l.at))
	for k := 1; k < len(l.at); k++ {
		steps = append(steps, l.at[k]-l.at[k-1])
	}
	slices.Sort(steps)
	l.warm = min(int(warm/steps[len(steps)/2]), len(l.at)*15/100)
	l.events = eventsOf(l.at, label)
	return l, nil
}

func TestEvents(t *testing.T) {
	dir := recorded.Dir(t, "nab")
	var f1, best, ap float64
	for _, set := range eventSets {
		paths, err := filepath.Glob(filepath.Join(dir, set.glob))
		if err != nil || len(paths) == 0 {
			t.Fatalf("%s: no series: %v", set.name, err)
		}
		type result struct {
			hits         []hit
			events       int
			days         float64
			alerts, good int
		}
		results := make([]result, len(paths))
		each(t, paths, func(i int, b []byte) error {
			s, err := score(b)
			if err != nil {
				return err
			}
			table, err := columns(b)
			if err != nil {
				return err
			}
			l, err := labelsOf(table, set.warm)
			if err != nil {
				return err
			}
			at, events, warm := l.at, l.events, l.warm
			r := &results[i]
			r.hits, r.events = hitsOf(at, held(s.score, max(1, warm/20)), events, warm, 1000*i)
			r.days = float64(at[len(at)-1]-at[warm]) / day
			alerts, _ := hitsOf(at, s.alert, events, warm, 0)
			d := detectionAt(alerts, 1, 1)
			r.alerts, r.good = d.found+d.mistaken, d.found
			return nil
		})
		var hits []hit
		events, alerts, good, days := 0, 0, 0, 0.0
		for _, r := range results {
			hits = append(hits, r.hits...)
			events += r.events
			days += r.days
			alerts += r.alerts
			good += r.good
		}
		d := detectionAt(hits, events, alertScore)
		a, b, at := ranked(hits, events)
		f1, best, ap = f1+d.f1/2, best+b/2, ap+a/2
		var delays []int64
		seen := map[int]bool{}
		for _, h := range hits {
			if h.score >= alertScore && h.event >= 0 && !seen[h.event] {
				seen[h.event] = true
				delays = append(delays, h.delay)
			}
		}
		slices.Sort(delays)
		fmt.Printf("events, %-9s F1 %.3f at %.2f (%d of %d found, %d mistaken, %.3f a series-day), best %.3f at %.3f, AP %.3f; delay median %d s, p90 %d s; alert column F1 %.3f (%d good of %d)\n", set.name,
			d.f1, alertScore, d.found, events, d.mistaken, float64(d.mistaken)/days, b, at, a, delays[len(delays)/2], delays[len(delays)*9/10],
			2*float64(good)/float64(alerts+events), good, alerts)
	}
	fmt.Printf("events, mean      F1 %.3f at %.2f, best %.3f, AP %.3f\n", f1, alertScore, best, ap)
}

// TestVolumes prints VUS-PR, for comparison with what others print, of the
// channels before incidents are held: it asks about every row. Buffers are up to
// a hundred rows, about the usual period of the published tables.
func TestVolumes(t *testing.T) {
	dir := recorded.Dir(t, "nab")
	for _, set := range eventSets {
		paths, err := filepath.Glob(filepath.Join(dir, set.glob))
		if err != nil || len(paths) == 0 {
			t.Fatalf("%s: no series: %v", set.name, err)
		}
		volumes := make([]float64, len(paths))
		each(t, paths, func(i int, b []byte) error {
			table, err := columns(b)
			if err != nil {
				return err
			}
			l, err := labelsOf(table, set.warm)
			if err != nil {
				return err
			}
			c, err := channels(table["timestamp"], table["value"])
			if err != nil {
				return err
			}
			label, scores, any := make([]bool, len(l.at)), make([]float64, len(l.at)), false
			for k := range label {
				label[k], scores[k] = table["label"][k] != "0", max(c.spike[k], c.regime[k])
				any = any || k >= l.warm && label[k]
			}
			volumes[i] = math.NaN()
			if any {
				volumes[i] = vusPR(scores[l.warm:], label[l.warm:], 100)
			}
			return nil
		})
		volumes = slices.DeleteFunc(volumes, math.IsNaN)
		mean := 0.0
		for _, v := range volumes {
			mean += v / float64(len(volumes))
		}
		fmt.Printf("VUS-PR, %-9s mean %.3f of %d series with labels past the warm-up\n", set.name, mean, len(volumes))
	}
}

// TestQuiet counts the alerts, at the default rate, of series that nobody has
// found anything in: GPUs of a serving cluster, and NAB's five without anomalies.
func TestQuiet(t *testing.T) {
	dir := recorded.Dir(t, "nab")
	for _, name := range []string{"pod_gpu_duty_cycle", "pod_gpu_memory_used_bytes"} {
		b, err := recorded.Unpacked(filepath.Join(dir, "gpu", name+".csv.gz"))
		if err != nil {
			t.Fatal(err)
		}
		table, err := columns(b)
		if err != nil {
			t.Fatal(err)
		}
		at := table["t"]
		delete(table, "t")
		alerts, rows := 0.0, 0
		for _, values := range table {
			var in bytes.Buffer
			in.WriteString("time,value\n")
			for i, v := range values {
				if v != "" {
					rows++
				}
				fmt.Fprintf(&in, "%s,%s\n", at[i], v)
			}
			s, err := score(in.Bytes())
			if err != nil {
				t.Fatal(err)
			}
			for _, a := range s.alert {
				alerts += a
			}
		}
		days := float64(rows) * 57 / day
		fmt.Printf("quiet, %s: %.0f alerts in %.0f series-days, %.3f a series-day\n", name, alerts, days, alerts/days)
	}
	paths, err := filepath.Glob(filepath.Join(dir, "nab", "data", "artificialNoAnomaly", "*.gz"))
	if err != nil {
		t.Fatal(err)
	}
	alerts := make([]float64, len(paths))
	each(t, paths, func(i int, b []byte) error {
		s, err := score(b)
		for _, a := range s.alert {
			alerts[i] += a
		}
		return err
	})
	fmt.Printf("quiet, NAB without anomalies: %v alerts, 14 days each\n", alerts)
}

// BenchmarkMillion scores a million series in the order of a scrape. Beside it
// is a bare loop over the same states, which follows a mean in each: what the
// memory costs whatever is computed. The series are noise, and a day old: young
// ones are surprised more often, which costs.
func BenchmarkMillion(b *testing.B) {
	const n, aged, noises = 1 << 20, 5760, 1 << 14
	rnd := rand.New(rand.NewPCG(1, 1))
	var noise [noises]float64
	for i := range noise {
		noise[i] = rnd.NormFloat64()
	}
	slab := NewSlab[LevelState]("level")
	for id := range uint32(64) {
		for k := range int64(aged) {
			Level{}.Observe(slab.At(id), k*15_000, noise[(uint32(k)+251*id)%noises])
		}
	}
	for id := range uint32(n) {
		*slab.At(id) = *slab.At(id % 64)
	}
	var bare float64 // nanoseconds of a sample
	b.Run("bare", func(b *testing.B) {
		for i := range b.N {
			s := slab.At(uint32(i % n))
			s.mean += nearWeight * (float32(noise[i%noises]) - s.mean)
		}
		bare = float64(b.Elapsed()) / float64(b.N)
	})
	round := int64(aged)
	b.Run("observe", func(b *testing.B) {
		b.ReportAllocs()
		b.ReportMetric(float64(unsafe.Sizeof(LevelState{})+unsafe.Sizeof(alarm{})), "B/series")
		for i := range b.N {
			if i%n == 0 {
				round++
			}
			Level{}.Observe(slab.At(uint32(i%n)), round*15_000, noise[(i+int(round)*997)%noises])
		}
		b.ReportMetric(float64(b.Elapsed())/float64(b.N)/bare, "x-bare")
	})
}
