package scale

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"vedette.dev/analyzer/series"
)

var start = time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC)

// daily is a service that people use: a curve of the day that rises by a unit
// of 20 in some ten minutes, higher on some days than on others, with noise.
func daily(days int) series.Series {
	r := rand.New(rand.NewPCG(1, 2))
	s := series.Series{Start: start, Step: time.Minute}
	for i := range days * day {
		s.Values = append(s.Values, max(0, 500+100*math.Sin(2*math.Pi*float64(i)/(3.3*day))-400*math.Cos(2*math.Pi*float64(i)/day)+10*r.NormFloat64()))
	}
	return s
}

// wandering is a demand that no day repeats.
func wandering(days int) series.Series {
	r := rand.New(rand.NewPCG(3, 4))
	s := series.Series{Start: start, Step: time.Minute}
	at := 500.0
	for range days * day {
		at = max(0, at+5*r.NormFloat64())
		s.Values = append(s.Values, at)
	}
	return s
}

var pool = Pool{Capacity: 20, Boot: 10, Min: 1, Max: 80}

const objective = 0.005

func study(t *testing.T, s series.Series, p Pool) *Study {
	t.Helper()
	st, err := Look(s, p, objective)
	if err != nil {
		t.Fatal(err)
	}
	return st
}

func advise(t *testing.T, s series.Series, p Pool) Advice {
	t.Helper()
	a, err := study(t, s, p).Advise()
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func until(s series.Series, minute int) series.Series {
	s.Values = s.Values[:minute]
	return s
}

func TestSimulate(t *testing.T) {
	p := Pool{Capacity: 10, Boot: 2}
	jump := []float64{10, 10, 30, 30, 30, 30}
	for _, tt := range []struct {
		name   string
		demand []float64
		wanted []int
		want   Run
	}{
		{"enough", []float64{10, 10, 10}, []int{1, 1, 1}, Run{3, 0, 3}},
		{"a jump is met after the boot, and the boot is paid for", jump, []int{1, 1, 3, 3, 3, 3}, Run{6, 2, 1 + 1 + 1 + 3 + 3 + 3}},
		{"ordered before it nobody waits", jump, []int{3, 3, 3, 3, 3, 3}, Run{6, 0, 1 + 3 + 3 + 3 + 3 + 3}},
		{"what is not known is not judged", []float64{10, math.NaN(), 10}, []int{1, 1, 1}, Run{2, 0, 3}},
		{"fewer go after ten minutes", make([]float64, 13), []int{2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, Run{13, 0, 0 + 2*10 + 0 + 0}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := p.Simulate(tt.demand, func(at int) int { return tt.wanted[at] })
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("run (-want +got):\n%s", diff)
			}
		})
	}
}

// In the morning demand will be higher when a unit ordered now works.
func TestAdviseAddsBeforeARise(t *testing.T) {
	a := advise(t, until(daily(9), 8*day+7*hour), pool)
	if !a.Trust.OK || a.Added() < 1 || a.Need < a.Demand || a.Predicted <= a.Reactive {
		t.Errorf("advice is %+v, want units added", a)
	}
	if got := a.Reason(); !strings.Contains(got, "within 11m, when a unit ordered now would work, it stays below") {
		t.Errorf("reason is %q", got)
	}
}

func TestPredictionOnlyAdds(t *testing.T) {
	for name, s := range map[string]series.Series{"daily": daily(9), "wandering": wandering(9)} {
		for at := 8 * day; at < 9*day; at += 197 {
			a := advise(t, until(s, at), pool)
			if a.Units < a.Reactive || a.Units > pool.Max {
				t.Errorf("%s, minute %d: %d units with %d for the demand and at most %d", name, at, a.Units, a.Reactive, pool.Max)
			}
			if !a.Trust.OK && a.Added() != 0 {
				t.Errorf("%s, minute %d: %d units added without trust", name, at, a.Added())
			}
		}
	}
}

func TestLimits(t *testing.T) {
	morning := until(daily(9), 8*day+7*hour)
	free := advise(t, morning, pool)
	for _, tt := range []struct {
		name      string
		set       func(*Pool)
		want      int
		because   string
		predicted bool
	}{
		{"step", func(p *Pool) { p.Step, p.Boot = 1, 60 }, free.Reactive + 1, "a forecast adds no more than 1 units", false},
		{"max", func(p *Pool) { p.Max = free.Reactive }, free.Reactive, "are the most that the pool may have", true},
		{"max below demand", func(p *Pool) { p.Max = 2 }, 2, "2 units are the most", true},
		{"min", func(p *Pool) { p.Min = 60 }, 60, "", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := pool
			tt.set(&p)
			a := advise(t, morning, p)
			if a.Units != tt.want {
				t.Errorf("%d units, want %d: %+v", a.Units, tt.want, a)
			}
			if got := strings.Join(a.Limits, "; "); !strings.Contains(got, tt.because) {
				t.Errorf("limits say %q, want %q in them", got, tt.because)
			}
		})
	}
}

// Units that were wanted stay, and the reason says so.
func TestUnitsStay(t *testing.T) {
	s := until(daily(9), 8*day+7*hour)
	s.Values[len(s.Values)-5] *= 3 // a spike, long enough ago for no forecast to come of it
	a := advise(t, s, pool)
	if a.Units <= a.Predicted || !strings.Contains(a.Reason(), "were wanted within the last 10 minutes and stay that long") {
		t.Errorf("advice is %+v: %s", a, a.Reason())
	}
	later := s
	later.Values = daily(9).Values[:8*day+7*hour+40]
	later.Values[8*day+7*hour-5] = s.Values[8*day+7*hour-5]
	if b := advise(t, later, pool); b.Units >= a.Units {
		t.Errorf("once the spike is forgotten the advice is %+v", b)
	}
}

func TestTrust(t *testing.T) {
	growing := daily(10)
	for i := range growing.Values { // each quarter of an hour is unlike all before
		growing.Values[i] = math.Pow(1.001, float64(i))
	}
	for _, tt := range []struct {
		name   string
		demand series.Series
		want   string // in why, "" is trusted
	}{
		{"a day that repeats", daily(9), ""},
		{"too little past", until(daily(2), day+6*hour), "hours could be judged, 24 are wanted"},
		{"higher each time", growing, "demand stayed below the forecast's 90 % quantile in only"},
		{"yesterday is as good", constant(10), "err by"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := advise(t, tt.demand, pool)
			if a.Trust.OK != (tt.want == "") || !strings.Contains(a.Trust.Why, tt.want) {
				t.Errorf("trust is %+v, want why %q", a.Trust, tt.want)
			}
			if tt.want != "" && !strings.Contains(a.Reason(), "nothing is added: "+a.Trust.Why) {
				t.Errorf("reason is %q", a.Reason())
			}
		})
	}
}

// constant repeats its days to the digit, so that yesterday's demand is never
// wrong, save for one minute.
func constant(days int) series.Series {
	s := series.Series{Start: start, Step: time.Minute}
	for i := range days * day {
		v := 100.0
		if i%97 < 30 {
			v = 300
		}
		s.Values = append(s.Values, v)
	}
	for i := day; i < len(s.Values); i++ {
		s.Values[i] = s.Values[i-day]
	}
	s.Values[len(s.Values)-30] = 301
	return s
}

// What is advised in a minute may rest only on what was known in it.
func TestNothingIsKnownBeforehand(t *testing.T) {
	s := daily(9)
	other := s
	other.Values = append([]float64(nil), s.Values...)
	at := 8*day + 7*hour
	for i := at; i < len(other.Values); i++ {
		other.Values[i] = 7 * s.Values[i]
	}
	a, b := study(t, s, pool), study(t, other, pool)
	for i := range at {
		for l := range levels {
			if x, y := a.need[l][i], b.need[l][i]; x != y && !(math.IsNaN(x) && math.IsNaN(y)) {
				t.Fatalf("minute %d needs %v, and %v with another future", i, x, y)
			}
		}
		if x, y := a.trust(i), b.trust(i); x != y {
			t.Fatalf("minute %d: %+v, and %+v with another future", i, x, y)
		}
	}
}

// Requests or thousands of them: the units are the same.
func TestUnitsDoNotMatter(t *testing.T) {
	s := until(daily(9), 8*day+7*hour)
	k := s
	k.Values = nil
	for _, v := range s.Values {
		k.Values = append(k.Values, 1024*v)
	}
	big := pool
	big.Capacity *= 1024
	if got, want := advise(t, k, big).Units, advise(t, s, pool).Units; got != want {
		t.Errorf("%d units, want %d", got, want)
	}
}

func TestGaps(t *testing.T) {
	s := until(daily(9), 8*day+7*hour)
	for i := range s.Values {
		switch i % 14 {
		case 0:
			s.Values[i] = math.NaN()
		case 7:
			s.Values[i] = math.Inf(1) // a division by nothing
		}
	}
	if a := advise(t, s, pool); !a.Trust.OK || a.Added() < 1 {
		t.Errorf("with gaps the advice is %+v", a)
	}
	for i := range stale + 1 {
		s.Values[len(s.Values)-1-i] = math.NaN()
	}
	if _, err := study(t, s, pool).Advise(); err == nil || !strings.Contains(err.Error(), "not known for 6 minutes") {
		t.Errorf("error is %v", err)
	}
	if _, err := study(t, series.Series{Step: time.Minute}, pool).Advise(); err == nil {
		t.Error("no demand, and no error")
	}
}

func TestReplay(t *testing.T) {
	r := study(t, daily(10), pool).Replay(7)
	if r.Days != 7 || r.Least == 0 {
		t.Fatalf("replay is %+v", r)
	}
	for _, run := range []Run{r.Reactive, r.Headroom, r.Predictive, r.Clairvoyant} {
		if run.Minutes != 7*day || run.UnitMinutes < r.Least {
			t.Errorf("run %+v of %d minutes costs less than the least, %d", run, 7*day, r.Least)
		}
	}
	if r.Predictive.Overload() > objective || r.Headroom.Overload() > objective {
		t.Errorf("overloaded: predictive %.4f, reactive with headroom %.4f, want at most %v", r.Predictive.Overload(), r.Headroom.Overload(), objective)
	}
	if r.Reactive.Overload() < 10*objective {
		t.Errorf("reactive is overloaded in %.4f of the minutes: the test says nothing", r.Reactive.Overload())
	}
	if r.Predictive.UnitMinutes >= r.Headroom.UnitMinutes {
		t.Errorf("prediction costs %d unit-minutes, headroom %d", r.Predictive.UnitMinutes, r.Headroom.UnitMinutes)
	}
}

func TestLookRefuses(t *testing.T) {
	for name, look := range map[string]func() (*Study, error){
		"step":     func() (*Study, error) { return Look(series.Series{Step: time.Second}, pool, objective) },
		"capacity": func() (*Study, error) { return Look(series.Series{Step: time.Minute}, Pool{}, objective) },
		"limits": func() (*Study, error) {
			return Look(series.Series{Step: time.Minute}, Pool{Capacity: 1, Min: 3, Max: 2}, objective)
		},
		"objective": func() (*Study, error) { return Look(series.Series{Step: time.Minute}, pool, 1) },
	} {
		if _, err := look(); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func BenchmarkStudy(b *testing.B) {
	s := daily(14)
	for b.Loop() {
		st, err := Look(s, pool, objective)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := st.Advise(); err != nil {
			b.Fatal(err)
		}
	}
}
