package forecast

import (
	"bytes"
	"encoding/json"
	"flag"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"vedette.dev/analyzer/series"
)

var start = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)

func makeSeries(n int, step time.Duration, value func(i int) float64) series.Series {
	s := series.Series{Start: start, Step: step, Values: make([]float64, n)}
	for i := range s.Values {
		s.Values[i] = value(i)
	}
	return s
}

func must(t *testing.T, s series.Series, horizon int, o Options) Forecast {
	t.Helper()
	f, err := Make(s, horizon, o)
	if err != nil {
		t.Fatal(err)
	}
	checkShape(t, s, f, horizon)
	return f
}

// checkShape holds what is true of every forecast.
func checkShape(t *testing.T, s series.Series, f Forecast, horizon int) {
	t.Helper()
	last, _, _ := s.Last()
	if f.Start != last.Add(s.Step) || f.Step != s.Step || len(f.Mean) != horizon || f.Method == "" {
		t.Errorf("forecast by %q of %d from %s by %s", f.Method, len(f.Mean), f.Start, f.Step)
	}
	for h := range f.Mean {
		for i := range Levels {
			v := f.Quantiles[i][h]
			if math.IsNaN(v) || math.IsInf(v, 0) {
				t.Fatalf("step %d: the %g quantile is %g", h, Levels[i], v)
			}
			if i > 0 && v < f.Quantiles[i-1][h] {
				t.Fatalf("step %d: quantile %g is below %g", h, Levels[i], Levels[i-1])
			}
		}
		if f.Mean[h] < f.Quantiles[0][h] || f.Mean[h] > f.Quantiles[len(Levels)-1][h] {
			t.Fatalf("step %d: mean %g is outside its quantiles", h, f.Mean[h])
		}
	}
}

func TestALineGoesOn(t *testing.T) {
	for _, slope := range []float64{2, -0.5, 1e-6} {
		s := makeSeries(300, time.Minute, func(i int) float64 { return 1e9 + slope*float64(i) })
		f := must(t, s, 60, Options{})
		want := 1e9 + slope*359
		if !f.Usable || math.Abs(f.Mean[59]-want) > 0.02*math.Abs(slope)*60+1e-6 {
			t.Errorf("slope %g: usable %v by %s, reaches %f, want %f", slope, f.Usable, f.Method, f.Mean[59], want)
		}
	}
}

func TestASeasonComesBack(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 1))
	for _, tt := range []struct {
		name   string
		step   time.Duration
		period int
		n      int
		o      Options
	}{
		{"daily, found", 15 * time.Minute, 96, 96 * 5, Options{}},
		{"daily, given", 15 * time.Minute, 96, 96 * 5, Options{Season: 24 * time.Hour}},
		{"50 samples, found", time.Minute, 50, 400, Options{}},
	} {
		wave := func(i int) float64 { return 100 + 40*math.Sin(2*math.Pi*float64(i)/float64(tt.period)) }
		s := makeSeries(tt.n, tt.step, func(i int) float64 { return wave(i) + 3*rnd.NormFloat64() })
		for i := 40; i < 55; i++ {
			s.Values[i] = math.NaN()
		}
		f := must(t, s, tt.period, tt.o)
		sum := 0.0
		for h, v := range f.Mean {
			sum += math.Abs(v - wave(tt.n+h))
		}
		if mae := sum / float64(tt.period); !f.Usable || mae > 5 || !strings.Contains(f.Method, "of "+short(time.Duration(tt.period)*tt.step)) && !strings.Contains(f.Method, "before") {
			t.Errorf("%s: usable %v by %q, off by %.1f in the mean, want less than 5", tt.name, f.Usable, f.Method, mae)
		}
	}
}

func TestAConstantStays(t *testing.T) {
	f := must(t, makeSeries(100, time.Minute, func(int) float64 { return 7 }), 20, Options{})
	if f.Usable || f.Mean[19] != 7 || f.Quantiles[0][19] != 7 || f.Quantiles[10][19] != 7 {
		t.Errorf("usable %v, ends at %g within %g and %g, want 7 and not usable", f.Usable, f.Mean[19], f.Quantiles[0][19], f.Quantiles[10][19])
	}
}

func TestWhiteNoiseIsNotForecast(t *testing.T) {
	unusable := 0
	for seed := range uint64(20) {
		rnd := rand.New(rand.NewPCG(seed, 2))
		f := must(t, makeSeries(400, time.Minute, func(int) float64 { return rnd.NormFloat64() }), 30, Options{})
		if !f.Usable {
			unusable++
			if f.Method != "last value" || len(f.Caveats) == 0 {
				t.Errorf("not usable by %q with caveats %q", f.Method, f.Caveats)
			}
		}
	}
	if unusable < 19 {
		t.Errorf("white noise was called usable %d times of 20", 20-unusable)
	}
}

// Nine in ten values must lie between the 5 % and the 95 % quantile.
func TestCoverage(t *testing.T) {
	for _, tt := range []struct {
		name  string
		value func(rnd *rand.Rand) func(i int) float64
	}{
		{"daily", func(rnd *rand.Rand) func(int) float64 {
			return func(i int) float64 { return 100 + 40*math.Sin(2*math.Pi*float64(i)/96) + 5*rnd.NormFloat64() }
		}},
		{"walk", func(rnd *rand.Rand) func(int) float64 {
			v := 0.0
			return func(int) float64 { v += rnd.NormFloat64(); return v }
		}},
	} {
		in, of := 0, 0
		for seed := range uint64(30) {
			rnd := rand.New(rand.NewPCG(seed, 3))
			whole := makeSeries(96*6, 15*time.Minute, tt.value(rnd))
			known := whole
			known.Values = whole.Values[:96*6-24]
			f := must(t, known, 24, Options{})
			for h := range 24 {
				v := whole.Values[len(known.Values)+h]
				of++
				if v >= f.Quantiles[0][h] && v <= f.Quantiles[len(Levels)-1][h] {
					in++
				}
			}
		}
		if got := float64(in) / float64(of); got < 0.80 || got > 0.97 {
			t.Errorf("%s: %.3f of the values lie within nine tenths", tt.name, got)
		}
	}
}

func TestShiftAndScaleCarryOver(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 5))
	s := makeSeries(500, time.Minute, func(i int) float64 { return 20*math.Sin(float64(i)/8) + float64(i)/10 + rnd.NormFloat64() })
	moved := makeSeries(500, time.Minute, func(i int) float64 { return 4*s.Values[i] - 1000 })
	f, g := must(t, s, 20, Options{}), must(t, moved, 20, Options{})
	if f.Method != g.Method {
		t.Fatalf("methods are %q and %q", f.Method, g.Method)
	}
	for h := range f.Mean {
		if math.Abs(4*f.Mean[h]-1000-g.Mean[h]) > 1e-6 || math.Abs(4*f.Quantiles[2][h]-1000-g.Quantiles[2][h]) > 1e-6 {
			t.Errorf("step %d: %g, want %g", h, g.Mean[h], 4*f.Mean[h]-1000)
		}
	}
}

func TestShortAndGappySeries(t *testing.T) {
	nan := math.NaN()
	for _, tt := range []struct {
		name   string
		values []float64
		err    string
		mean   float64
	}{
		{"nothing", nil, "two samples", 0},
		{"one", []float64{5}, "two samples", 0},
		{"one and gaps", []float64{nan, 5, nan}, "two samples", 0},
		{"two", []float64{5, 7}, "", 7},
		{"two and gaps", []float64{5, nan, nan, 7, nan}, "", 7},
	} {
		s := series.Series{Start: start, Step: time.Minute, Values: tt.values}
		f, err := Make(s, 3, Options{})
		if tt.err != "" {
			if err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%s: error %v, want %q", tt.name, err, tt.err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		checkShape(t, s, f, 3)
		if f.Usable || f.Mean[2] != tt.mean || len(f.Caveats) == 0 || f.Quantiles[10][2] <= tt.mean {
			t.Errorf("%s: %+v", tt.name, f)
		}
	}
	if _, err := Make(makeSeries(5, time.Minute, func(int) float64 { return 1 }), 0, Options{}); err == nil {
		t.Error("a horizon of nothing is no error")
	}
}

// However large the numbers are, there is a forecast or a reason.
func TestNumbersAtTheirLimits(t *testing.T) {
	rnd := rand.New(rand.NewPCG(6, 6))
	for name, value := range map[string]func(i int) float64{
		"both ends":   func(i int) float64 { return []float64{2, 1e308, -1e308, 1e308}[i%4] },
		"noise":       func(i int) float64 { return 1.7e308 * (2*rnd.Float64() - 1) },
		"a climb":     func(i int) float64 { return 1.7e308 * (float64(i) / 300) },
		"the least":   func(i int) float64 { return 5e-324 * float64(i%7) },
		"one of them": func(i int) float64 { return float64(i%7) + 1e308*float64(i/299) },
	} {
		for _, n := range []int{4, 300} {
			f := must(t, makeSeries(n, time.Minute, value), 60, Options{})
			if !f.Usable && len(f.Caveats) == 0 {
				t.Errorf("%s, %d values: not usable without a reason", name, n)
			}
			if _, err := json.Marshal(f); err != nil {
				t.Errorf("%s, %d values: %v", name, n, err)
			}
		}
	}
	infinite := must(t, makeSeries(50, time.Minute, func(i int) float64 { return []float64{1, 2, 3, math.Inf(1), 5}[i%5] }), 5, Options{})
	if len(infinite.Caveats) == 0 || !strings.Contains(infinite.Caveats[0], "only 40 of 50") {
		t.Errorf("a fifth is infinite: caveats are %q", infinite.Caveats)
	}
}

func TestCrossing(t *testing.T) {
	f := Forecast{Start: start, Step: time.Hour}
	for i := range f.Quantiles {
		for h := range 10 {
			f.Quantiles[i] = append(f.Quantiles[i], float64(10*h)+float64(4*i)-20)
		}
	}
	at := func(h int) time.Time { return start.Add(time.Duration(h) * time.Hour) }
	for _, tt := range []struct {
		name                     string
		limit                    float64
		rising                   bool
		median, earliest, latest time.Time
		reached                  bool
	}{
		{"within", 50, true, at(5), at(4), at(7), true},
		{"latest is beyond", 80, true, at(8), at(7), time.Time{}, true},
		{"only perhaps", 95, true, time.Time{}, at(8), time.Time{}, false},
		{"never", 500, true, time.Time{}, time.Time{}, time.Time{}, false},
		{"falling, at once", 5, false, at(0), at(0), time.Time{}, true},
	} {
		median, earliest, latest, reached := Crossing(f, tt.limit, tt.rising)
		if median != tt.median || earliest != tt.earliest || latest != tt.latest || reached != tt.reached {
			t.Errorf("%s: %s, %s to %s, %v; want %s, %s to %s, %v", tt.name, median, earliest, latest, reached, tt.median, tt.earliest, tt.latest, tt.reached)
		}
	}
}

func TestHeld(t *testing.T) {
	rnd := rand.New(rand.NewPCG(8, 8))
	steady := makeSeries(600, time.Minute, func(i int) float64 { return float64(i) + 3*rnd.NormFloat64() })
	if got := Held(steady, 30, Options{}); got.Of != 9 || got.Held < 7 {
		t.Errorf("a steady climb held %s", got)
	}
	// Far ahead few forecasts of the past have come to their end; nearer ones speak for them.
	exact := makeSeries(673, 15*time.Minute, func(i int) float64 { return 100 - float64(i)/9 })
	if got := Held(exact, 96, Options{}); got != (Record{5, 5}) {
		t.Errorf("an exact line held %s", got)
	}
	// Each half hour the climb turns, which nobody could have known.
	turning := makeSeries(600, time.Minute, func(i int) float64 { return math.Exp(float64(i)/60) + rnd.NormFloat64()/10 })
	if got := Held(turning, 30, Options{None: true}); got.Of != 9 || got.Held > 4 {
		t.Errorf("an explosion held %s", got)
	}
	if got := Held(makeSeries(10, time.Minute, func(i int) float64 { return 1 }), 30, Options{}); got.String() != "never tried: too little history" {
		t.Errorf("a short series held %q", got)
	}
}

var update = flag.Bool("update", false, "rewrite the wanted files")

func TestCSV(t *testing.T) {
	files, err := filepath.Glob("testdata/*.csv")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d cases: %v", len(files), err)
	}
	for _, file := range files {
		in, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if err := CSV(bytes.NewReader(in), 4, "auto", &out); err != nil {
			out.Reset()
			out.WriteString("error: " + err.Error() + "\n")
		} else {
			checkJSON(t, file, out.Bytes())
		}
		path := strings.TrimSuffix(file, ".csv") + ".want"
		if *update {
			if err := os.WriteFile(path, out.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), out.String()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", file, diff)
		}
	}
}

// checkJSON holds the keys that others read.
func checkJSON(t *testing.T, file string, b []byte) {
	t.Helper()
	var got map[string]json.RawMessage
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	var quantiles map[string][]float64
	if err := json.Unmarshal(got["quantiles"], &quantiles); err != nil {
		t.Fatalf("%s: quantiles: %v", file, err)
	}
	for _, key := range []string{"step", "start", "mean", "usable", "method", "caveats"} {
		if v := string(got[key]); v == "" || v == "null" {
			t.Errorf("%s: %s is %q", file, key, v)
		}
	}
	for _, level := range []string{"0.05", "0.1", "0.2", "0.3", "0.4", "0.5", "0.6", "0.7", "0.8", "0.9", "0.95"} {
		if len(quantiles[level]) != 4 {
			t.Errorf("%s: quantile %s has %d values, want 4", file, level, len(quantiles[level]))
		}
	}
}

func TestSeasonIsParsed(t *testing.T) {
	for season, want := range map[string]Options{"": {}, "auto": {}, "none": {None: true}, "7d": {Season: 168 * time.Hour}, "90m": {Season: 90 * time.Minute}} {
		if got, err := ParseSeason(season); err != nil || got != want {
			t.Errorf("%q: %v, %v", season, got, err)
		}
	}
	for _, season := range []string{"weekly", "-1h", "0d", "d"} {
		if _, err := ParseSeason(season); err == nil {
			t.Errorf("%q is no error", season)
		}
	}
}

func TestSmallPeriodsAreFound(t *testing.T) {
	s := makeSeries(120, time.Minute, func(i int) float64 { return []float64{1, 5, 2, 9, 4, 0, 3}[i%7] })
	if got := seasons(s.Values, s.Step, Options{}); !slices.Equal(got, []int{7}) {
		t.Errorf("cycles are %v, want 7", got)
	}
}

func BenchmarkMake(b *testing.B) {
	rnd := rand.New(rand.NewPCG(9, 9))
	s := makeSeries(4032, 5*time.Minute, func(i int) float64 { return 100 + 40*math.Sin(2*math.Pi*float64(i)/288) + 5*rnd.NormFloat64() })
	for b.Loop() {
		if _, err := Make(s, 288, Options{}); err != nil {
			b.Fatal(err)
		}
	}
}
