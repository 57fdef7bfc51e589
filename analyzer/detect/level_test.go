package detect

import (
	"bytes"
	"math"
	"math/rand/v2"
	"testing"
	"unsafe"

	"github.com/google/go-cmp/cmp"

	"vedette.dev/analyzer"
)

const minute = 60_000

// noisy is a made-up day-night load at a step of five minutes, with a spike
// and a change of level. Values are multiples of 1/64, so that shifting and
// doubling them is exact.
func noisy(seed uint64, n int) []float64 {
	rnd := rand.New(rand.NewPCG(seed, 1))
	vs := make([]float64, n)
	for i := range vs {
		v := 50 + 10*math.Sin(2*math.Pi*float64(i)/288) + 2*rnd.NormFloat64()
		if i == n/2 {
			v += 60
		}
		if i > n*3/4 {
			v += 40
		}
		vs[i] = math.Round(v*64) / 64
	}
	return vs
}

func scores(vs []float64) []analyzer.Score {
	var s LevelState
	out := make([]analyzer.Score, len(vs))
	for i, v := range vs {
		out[i] = Level{}.Observe(&s, int64(i)*5*minute, v)
	}
	return out
}

func TestScoresDoNotDependOnUnitOrOrigin(t *testing.T) {
	vs := noisy(1, 4000)
	want := scores(vs)
	if top := maxOf(want); top < 0.4 {
		t.Fatalf("largest score is %.2f: the test sees nothing", top)
	}
	for _, tt := range []struct {
		name         string
		scale, shift float64
	}{{"shifted", 1, 4096}, {"doubled", 2, 0}, {"eighth, far from zero", 0.125, 1 << 30}} {
		moved := make([]float64, len(vs))
		for i, v := range vs {
			moved[i] = v*tt.scale + tt.shift
		}
		for i, got := range scores(moved) {
			if math.Abs(got.Spike-want[i].Spike) > 1e-9 || math.Abs(got.Regime-want[i].Regime) > 1e-9 {
				t.Fatalf("%s: sample %d scores %v, want %v", tt.name, i, got, want[i])
			}
		}
	}
}

func maxOf(ss []analyzer.Score) float64 {
	top := 0.0
	for _, s := range ss {
		top = max(top, s.Max())
	}
	return top
}

func TestScoresDoNotLookAhead(t *testing.T) {
	vs := noisy(2, 3000)
	whole := scores(vs)
	for _, n := range []int{1, 31, 700, 1501} {
		if diff := cmp.Diff(whole[:n], scores(vs[:n])); diff != "" {
			t.Errorf("the first %d scores depend on what comes after (-whole +prefix):\n%s", n, diff)
		}
	}
}

func TestARestartChangesNoBit(t *testing.T) {
	vs := noisy(3, 3000)
	want := scores(vs)
	slab := NewSlab[LevelState]("level")
	for i, v := range vs {
		if i%997 == 0 {
			var saved bytes.Buffer
			if err := slab.Save(&saved); err != nil {
				t.Fatal(err)
			}
			slab = NewSlab[LevelState]("level")
			if err := slab.Restore(&saved); err != nil {
				t.Fatal(err)
			}
		}
		if got := (Level{}).Observe(slab.At(1500), int64(i)*5*minute, v); got != want[i] {
			t.Fatalf("sample %d scores %v after a restart, want %v", i, got, want[i])
		}
	}
}

func TestRowsThatAreNoNews(t *testing.T) {
	var s LevelState
	vs := noisy(4, 200)
	for i, v := range vs {
		Level{}.Observe(&s, int64(i)*minute, v)
	}
	before := s
	last := int64(len(vs)-1) * minute
	for _, tt := range []struct {
		name string
		ms   int64
		v    float64
	}{
		{"late", last - 1, 1e9},
		{"repeated", last, 1e9},
		{"missing", last + minute, math.NaN()},
		{"infinite", last + minute, math.Inf(-1)},
	} {
		if got := (Level{}).Observe(&s, tt.ms, tt.v); got != (analyzer.Score{}) {
			t.Errorf("%s: score %v, want 0", tt.name, got)
		}
		if s != before {
			t.Errorf("%s: the state changed", tt.name)
		}
	}
}

func TestWhatIsUsualScoresNothing(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 5))
	for _, tt := range []struct {
		name string
		v    func(i int) float64
	}{
		{"constant", func(int) float64 { return 42 }},
		{"constant after a gap of a day", func(i int) float64 { return 42 }},
		{"two levels", func(i int) float64 { return float64(i / 3 % 2) }},
		{"line", func(i int) float64 { return float64(i) }},
		{"noise", func(int) float64 { return rnd.NormFloat64() }},
	} {
		var s LevelState
		var top float64
		for i := range 20_000 {
			ms := int64(i) * minute
			if i > 10_000 && tt.name == "constant after a gap of a day" {
				ms += 24 * 60 * minute
			}
			top = max(top, Level{}.Observe(&s, ms, tt.v(i)).Max())
		}
		if limit := Threshold(DefaultRate, 60); top >= limit {
			t.Errorf("%s: largest score %.3f, want less than %.3f", tt.name, top, limit)
		}
	}
}

func TestWarmUpIsSilent(t *testing.T) {
	var s LevelState
	for i := range int64(warmup) {
		v := float64(i % 3)
		if i == 5 {
			v = 1e12
		}
		if got := (Level{}).Observe(&s, i*minute, v); got != (analyzer.Score{}) {
			t.Errorf("sample %d scores %v in the warm-up", i, got)
		}
	}
}

func TestCounterIsWatchedAsItsRate(t *testing.T) {
	var s RateState[LevelState]
	r := Rate[LevelState]{Of: Level{}}
	count := 1e6
	top := 0.0
	for i := range int64(2000) {
		count += 100 + float64(i%7)
		if i == 1000 {
			count = 50 // restarted
		}
		top = max(top, r.Observe(&s, i*minute, count).Max())
	}
	if top >= Threshold(DefaultRate, 60) {
		t.Errorf("a steady counter that is reset scores %.2f", top)
	}
	if got := r.Last(&s); math.Abs(got-105.0/60) > 0.05 {
		t.Errorf("rate is %.3f per second, want about 1.7", got)
	}
	if got := r.Observe(&s, 2000*minute, count+50_000).Spike; got < 0.4 {
		t.Errorf("a burst of 500 times the rate scores %.2f on spike", got)
	}
}

// One statistic is as rare as its quantiles say, and more so beyond them.
func TestRarity(t *testing.T) {
	for _, tt := range []struct{ z, want float64 }{
		{0, 0}, {1.84, 0}, {59.0 / 32, 1}, {4.6, 2}, {60, 4}, {273, 5}, {273 * 273 / 15.5, 7},
	} {
		if got := math.Cbrt(float64(distance.of(float32(tt.z)))); math.Abs(got-tt.want) > 2e-3 {
			t.Errorf("a distance of %g spreads is rare by %.3f powers of ten, want %.3f", tt.z, got, tt.want)
		}
	}
}

func TestAPeakBlindsOnlyForAWhile(t *testing.T) {
	var p peak
	var recent uint8
	if p.past(2, keeps(1000), &recent) != 0 {
		t.Error("two spreads are a peak")
	}
	if got := p.past(30, keeps(1000), &recent); math.Abs(float64(got)-math.Log(10)) > 1e-6 {
		t.Errorf("thirty spreads are past three by %.3f, want ln 10", got)
	}
	// The first raised the peak by 1.3, not to 30.
	if got := p.past(30, keeps(1000), &recent); math.Abs(float64(got)-math.Log(10/1.3)) > 1e-6 {
		t.Errorf("thirty again are past by %.3f, want ln 10/1.3", got)
	}
	p.most = 12
	for range peakHalf {
		p.past(0, keeps(1e6), &recent)
	}
	if math.Abs(float64(p.most)-6) > 0.05 {
		t.Errorf("after %d samples a peak of 12 is %.2f, want 6", peakHalf, p.most)
	}
}

func TestAnIncidentIsToldOnce(t *testing.T) {
	c := incident{most: 10, share: 0.5, worse: 1.5}
	for i, tt := range []struct {
		seen        int
		score, want float64
	}{
		{100, 0.4, 0.4}, {101, 0.5, 0}, {102, 0, 0}, {103, 0.7, 0.7}, {112, 0.9, 0}, {113, 0.2, 0.2},
	} {
		if got := c.tells(tt.score, tt.seen); got != tt.want {
			t.Errorf("%d: %g, want %g", i, got, tt.want)
		}
	}
}

// A level that moved is forgotten by and by.
func TestAnIncidentFades(t *testing.T) {
	for _, tt := range []struct {
		after int
		score float64
		news  bool
	}{
		{149, 0.4 * 1.35, false}, {149, 0.55, true}, // a third worse
		{150, 0.4 * 0.9, false}, {150, 0.37, true},
		{450, 0.4 * 0.45, false}, {450, 0.19, true},
	} {
		_, c := incidents()
		c.tells(0.4, 5000)
		if got := c.tells(tt.score, 5000+tt.after) > 0; got != tt.news {
			t.Errorf("%g, %d samples after 0.4, is news: %t", tt.score, tt.after, got)
		}
	}
}

// What one absurd reading does to a series passes.
func TestOneAbsurdValueDoesNotBlind(t *testing.T) {
	vs := noisy(6, 4000)
	vs[500] = 1e9
	var s LevelState
	top := 0.0
	for i, v := range vs {
		score := Level{}.Observe(&s, int64(i)*5*minute, v).Max()
		if i > 3000 && i < 3012 {
			top = max(top, score)
		}
	}
	if top < 0.32 {
		t.Errorf("a level up by 20 sigma nine days after scores %.2f", top)
	}
}

func TestStateIsSmall(t *testing.T) {
	if got := unsafe.Sizeof(LevelState{}) + unsafe.Sizeof(alarm{}); got > 400 {
		t.Errorf("the state of a series and its alarm is %d bytes, want at most 400", got)
	}
	// A state that begins in the middle of a line is one more line to fetch.
	const line = 64
	if got := unsafe.Sizeof(LevelState{}); got%line != 0 {
		t.Errorf("the state of a series is %d bytes, want whole lines of %d", got, line)
	}
}

func TestObserveAllocatesNothing(t *testing.T) {
	var s LevelState
	i := int64(0)
	if n := testing.AllocsPerRun(5000, func() {
		Level{}.Observe(&s, i*5*minute, float64(i%17))
		i++
	}); n != 0 {
		t.Errorf("%g allocations per sample", n)
	}
}

// The loop that any detector must beat or explain: read, move a mean, write.
func BenchmarkBareLoop(b *testing.B) {
	means := make([]float32, 1<<16)
	for i := range b.N {
		m := &means[i&(1<<16-1)]
		*m += 0.01 * (float32(i%17) - *m)
	}
}

func BenchmarkObserve(b *testing.B) {
	b.ReportAllocs()
	slab := NewSlab[LevelState]("level")
	const series = 1 << 12
	slab.At(series - 1)
	for i := range b.N {
		Level{}.Observe(slab.At(uint32(i%series)), int64(i/series)*15_000, float64(i%17))
	}
}

// An hour is known by the days before, however many samples it has: what moves
// within it for half an hour is not its usual yet.
func TestAnHourIsLearntByTheClock(t *testing.T) {
	for _, step := range []int64{15, 60, 300} {
		var s LevelState
		for i := int64(0); i < 3*day; i += step {
			Level{}.Observe(&s, i*1000, float64(i/step%3))
		}
		for i := int64(3 * day); i < 3*day+1800; i += step {
			Level{}.Observe(&s, i*1000, 100)
		}
		hour := hourOf(3 * day * 1000)
		if got := s.day[hour/(bins/coarse)].usual[hour%(bins/coarse)]; got < 5 || got > 30 {
			t.Errorf("steps of %d s: half an hour at 100 makes %.0f usual where 1 was, want about 20", step, got)
		}
	}
}
