package detect

import (
	"compress/gzip"
	"encoding/csv"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"testing"
	"unsafe"

	"vedette.dev/analyzer/series"
)

func TestZZNab(t *testing.T) {
	base := "/work/shared/data/nab/data"
	files, _ := filepath.Glob(base + "/*/*.csv*")
	for _, f := range files {
		in, _ := os.Open(f)
		rel, _ := filepath.Rel(base, f)
		out := filepath.Join("/tmp/nabres/v", strings.TrimSuffix(rel, ".gz"))
		os.MkdirAll(filepath.Dir(out), 0o755)
		w, _ := os.Create(out)
		if err := CSV(in, w, 1); err != nil {
			t.Fatal(f, err)
		}
		w.Close()
		in.Close()
	}
}

type ev struct {
	score []float64
	alert []bool
	label []bool
	n0    int
	days  float64
	name  string
}

func load(f string, warmDays float64) ev {
	in, _ := os.Open(f)
	defer in.Close()
	z, err := gzip.NewReader(in)
	if err != nil {
		panic(err)
	}
	rows, _ := csv.NewReader(z).ReadAll()
	var s LevelState
	var a alarm
	e := ev{name: filepath.Base(f)}
	var t0, t1 int64
	for _, r := range rows[1:] {
		at, err := series.ParseTime(r[0])
		if err != nil {
			panic(err)
		}
		v, err := strconv.ParseFloat(r[1], 64)
		if err != nil {
			v = math.NaN()
		}
		sc := Level{}.Observe(&s, at.UnixMilli(), v)
		if t0 == 0 {
			t0 = at.UnixMilli()
		}
		t1 = at.UnixMilli()
		e.score = append(e.score, sc.Max())
		e.alert = append(e.alert, a.sounds(sc.Max(), Threshold(1, Level{}.Step(&s))))
		e.label = append(e.label, len(r) > 2 && (r[2] == "1" || r[2] == "1.0"))
		if float64(t1-t0) < warmDays*86400e3 {
			e.n0 = len(e.score)
		}
	}
	e.n0 = min(e.n0, len(e.score)*15/100)
	e.days = float64(t1-t0) / 86400e3
	return e
}

func f1(es []ev) {
	var all []float64
	for _, e := range es {
		all = append(all, e.score[e.n0:]...)
	}
	sort.Float64s(all)
	best, bt := 0.0, 0.0
	var ap float64
	lastR := 0.0
	for q := 1; q < 400; q++ {
		fr := math.Pow(10, -float64(q)/400*5)
		fr = math.Pow(10, -5+float64(q)/400*4.3)
		th := all[int(float64(len(all)-1)*(1-fr))]
		tp, fn, fp := 0, 0, 0
		for _, e := range es {
			hold := max(5, e.n0/20)
			until := -1
			i := e.n0
			inEv, found := false, false
			grace := -1
			for ; i < len(e.score); i++ {
				if e.label[i] && !inEv {
					inEv, found = true, false
				}
				hit := e.score[i] >= th && th > 0
				if inEv && hit && !found {
					found = true
				}
				if !e.label[i] && inEv {
					inEv = false
					if found {
						tp++
					} else {
						fn++
					}
					grace = i + 10
				}
				if hit && !e.label[i] && i > grace && i > until {
					fp++
				}
				if hit {
					until = i + hold
				}
			}
			if inEv {
				if found {
					tp++
				} else {
					fn++
				}
			}
		}
		if tp == 0 {
			continue
		}
		p, r := float64(tp)/float64(tp+fp), float64(tp)/float64(tp+fn)
		if f := 2 * p * r / (p + r); f > best {
			best, bt = f, th
		}
		if r > lastR {
			ap += p * (r - lastR)
			lastR = r
		}
	}
	hits, evs := 0, 0
	for _, e := range es {
		in, f := false, false
		for i := e.n0; i <= len(e.score); i++ {
			l := i < len(e.score) && e.label[i]
			if l && !in {
				in, f = true, false
				evs++
			}
			if l && e.alert[i] {
				f = true
			}
			if !l && in {
				in = false
				if f {
					hits++
				}
			}
		}
	}
	fmt.Printf("recall at default rate %d/%d ", hits, evs)
	alerts, days := 0, 0.0
	for _, e := range es {
		for i, a := range e.alert {
			if a && i >= e.n0 && !e.label[i] {
				alerts++
			}
		}
		days += e.days
	}
	fmt.Printf("F1 %.3f AP %.3f at %.3f; false alerts at default rate: %d in %.0f series-days\n", best, ap, bt, alerts, days)
}

func TestZZMs(t *testing.T) {
	files, _ := filepath.Glob("/work/shared/data/mscloud/*/*.gz")
	var es []ev
	for _, f := range files {
		es = append(es, load(f, 3))
	}
	fmt.Print("mscloud ")
	f1(es)
	files, _ = filepath.Glob("/work/shared/data/aiops_kpi/*.gz")
	es = nil
	for _, f := range files {
		es = append(es, load(f, 1))
	}
	fmt.Print("aiops ")
	f1(es)
}

func TestZZGpu(t *testing.T) {
	for _, f := range []string{"pod_gpu_duty_cycle", "pod_gpu_memory_used_bytes"} {
		in, _ := os.Open("/work/shared/data/gpu/" + f + ".csv.gz")
		z, _ := gzip.NewReader(in)
		rows, _ := csv.NewReader(z).ReadAll()
		alerts, ser := 0, 0
		for c := 1; c < len(rows[0]); c++ {
			var s LevelState
			var a alarm
			k := 0
			for _, r := range rows[1:] {
				at, _ := series.ParseTime(r[0])
				v, err := strconv.ParseFloat(r[c], 64)
				if err != nil {
					v = math.NaN()
				}
				if a.sounds(Level{}.Observe(&s, at.UnixMilli(), v).Max(), Threshold(1, float64(s.step))) {
					alerts++
					k++
				}
			}
			if k > 0 {
				ser++
			}
		}
		fmt.Println(f, "alerts", alerts, "of series", ser, "/", len(rows[0])-1)
	}
}
func TestZZSize(t *testing.T) { fmt.Println("size", unsafe.Sizeof(LevelState{}), unsafe.Sizeof(memory{})) }
