package detect

import (
	"math"

	"vedette.dev/analyzer"
)

// Level judges each sample of one series by where the series has been: on the
// spike channel against the moments just before and the time of day, on the
// regime channel the level of late against the range of levels and the time of
// day. It is a [analyzer.Detector]; the zero Level is ready.
//
// Adding a constant to a series, or multiplying it by a positive one, changes
// no score (beyond rounding): every statistic is in units of the series' own spread.
//
// It is a committee: several simple statistics, each put on one scale of
// rarity. None of them is much good alone, nor on all kinds of series, and
// together they outvote one another's mistakes.
type Level struct{}

var _ analyzer.Detector[LevelState] = Level{}

const (
	// Nothing is scored before this many samples: a spread from fewer is noise.
	warmup = 25

	// The memory of "just before", in samples. With .05 the mean chases what it
	// should notice; with .002 it lags every daily swing.
	nearWeight = 0.01

	// "Of long" is about a thousand samples, spreads of it half of that.
	longWeight, aroundWeight = 0.001, 0.002

	// Means of late, over about 3, 6 and 24 samples.
	late3, late6, late24 = 2.0 / 4, 2.0 / 7, 2.0 / 25

	// The spread is at least this share of the range seen: quantised and flat
	// series have a spread of zero, and without a floor every step of theirs is
	// infinitely surprising.
	floor = 0.01

	// So many times its width the range may grow at once.
	belief = 5

	// What a change is worth, in spreads, where there has never been one.
	unheard = 5

	day    = 24 * 3600
	bins   = 24 // of the day: few loads change faster by plan, and half as many would be a quarter of a load's morning
	coarse = 12 // bins of the seasonal spread: a spread needs more samples than a mean

	// The weight of a sample in its hour's mean, and of that in its two hours'
	// spread, at binStep seconds or more. Samples that come oftener weigh less: by
	// their number a quarter of an hour of samples would be all that is known of
	// the hour, and a memory that leaks for two hours its own usual.
	binWeight, coarseWeight, binStep = 0.05, 0.0125, 300

	// After two days a time of day is known: after one it is the same day again.
	profileAge = 2 * day

	// An hour is believed by halves once it has this many samples.
	binPrior = 6
)

// believed is how much an hour of so many samples is believed.
var believed = func() (share [math.MaxUint8 + 1]float32) {
	for n := range share {
		share[n] = float32(n) / float32(n+binPrior)
	}
	return share
}()

// LevelState is what [Level] remembers of one series.
type LevelState struct {
	origin float64 // the first value; everything below is relative to it, so that float32 suffices far from zero
	last   int64   // Unix milliseconds of the newest sample
	first  int32   // Unix minutes of the oldest
	seen   uint32  // samples
	step   float32 // seconds between samples, running mean

	mean, spread          float32 // just before
	prev, jump            float32 // the last sample, and how far samples usually move
	low, high             float32 // the range of samples
	late6, low6, high6    float32 // of late, and its range
	late24, low24, high24 float32
	long                  float32 // of long
	around                float32 // spread of samples around the profile
	rest3, rest6, rest24  float32 // of late, less the profile
	timeTail, jumpTail    tail
	timePeak, time3Peak   peak
	time6Peak, time24Peak peak
	recent                [4]uint8 // of each peak, in that order: samples until what is past it is another event
	heard                 [2]uint8 // of each tail: see there

	often [bins]uint8 // samples of each hour of the day, UTC; they end at 255, where they no longer matter
	day   [coarse]part
}

// A part of the day, and what is usual in it: the two in one piece, as what
// costs is to fetch them.
type part struct {
	usual  [bins / coarse]float32 // by the hour
	spread float32                // around that
}

// Observe implements [analyzer.Detector].
func (Level) Observe(s *LevelState, ms int64, value float64) analyzer.Score {
	var d distances
	return s.observe(ms, value, &d)
}

// observe is Observe, and says in d how far the sample is from what was usual,
// where it is scored.
func (s *LevelState) observe(ms int64, value float64, d *distances) (score analyzer.Score) {
	if missing := value-value != 0; missing || s.seen > 0 && ms <= s.last { // NaN, and infinity less itself
		return score
	}
	if s.seen == 0 {
		s.origin, s.first = value, int32(ms/60_000)
	} else {
		s.pace(float32(ms-s.last) * 1e-3)
	}
	x := float32(value - s.origin)
	hour := hourOf(ms)
	p := &s.day[hour/(bins/coarse)]
	usual := p.usual[hour%(bins/coarse)] // an hour not seen often is taken for all day
	usual = s.long + (usual-s.long)*believed[s.often[hour]]
	taken := x
	if x < s.low || x > s.high {
		taken = s.credible(x)
	}
	s.late6 += late6 * (taken - s.late6)
	s.late24 += late24 * (taken - s.late24)
	around := taken - usual
	s.rest3 += late3 * (around - s.rest3)
	s.rest6 += late6 * (around - s.rest6)
	s.rest24 += late24 * (around - s.rest24)

	outer := !s.within(x)
	if s.seen >= warmup {
		// Half the spread at this time of day, half that of all day: a quiet hour
		// must not make its first loud day infinitely surprising.
		score = s.judge(d, x, x-usual, s.around+(p.spread-s.around)*believed[s.all(hour)]/2, outer)
	}
	if outer || s.seen < warmup {
		s.widen(taken)
	}
	s.learn(taken, around, p, hour)
	s.last = ms
	s.seen++
	return score
}

// Usual returns what the value was before the latest samples: just before, and
// of long. They are what a finding compares with.
func (Level) Usual(s *LevelState) (near, long float64) {
	return s.origin + float64(s.mean), s.origin + float64(s.long)
}

// Step returns the usual number of seconds between samples, 0 while unknown.
func (Level) Step(s *LevelState) float64 { return float64(s.step) }

// pace follows the step, by gaps that are no outage.
func (s *LevelState) pace(gap float32) {
	switch {
	case s.step == 0:
		s.step = gap
	case gap < 3*s.step:
		s.step += 0.05 * (gap - s.step)
	default:
		s.step *= 1.05 // a first pair that was too close must not hold for ever
	}
}

// novel is the chance that the next of n samples is unlike all before, which
// is all there is to say where they were all the same.
func novel(n uint32) float64 { return 1 / float64(n+1) }

// credible returns what is learnt from x: not all of what is many times
// farther out than anything before. One absurd reading must not blind for
// days; a level that is really there is believed within a few samples.
func (s *LevelState) credible(x float32) float32 {
	reach := belief * (s.high - s.low)
	switch {
	case s.seen < warmup || reach == 0:
		return x
	case x < s.low-reach:
		return s.low - reach
	case x > s.high+reach:
		return s.high + reach
	}
	return x
}

// hourOf returns the hour of the day, UTC, that ms is in.
func hourOf(ms int64) uint {
	const hour, era = 3_600_000, 1 << 20 * bins // era: what is before 1970 is counted as after
	return uint((uint64(ms) + era*hour) / hour % bins)
}

// all returns how many samples the part of the day has that an hour is in.
func (s *LevelState) all(hour uint) uint8 {
	return uint8(min(math.MaxUint8, uint(s.often[hour])+uint(s.often[hour^1])))
}

// learn takes x as usual, in an hour which is in part p of the day.
func (s *LevelState) learn(x, rest float32, p *part, hour uint) {
	near, far, around := float32(nearWeight), float32(longWeight), float32(aroundWeight)
	if s.seen < 1/longWeight {
		n := 1 / float32(s.seen+1)
		near, far, around = max(near, n), max(far, n), max(around, n)
	}
	s.mean += near * (x - s.mean)
	s.spread += near * (abs(x-s.mean) - s.spread)
	s.jump += near * (abs(x-s.prev) - s.jump)
	s.prev = x
	s.long += far * (x - s.long)
	if s.seen > 0 {
		s.around += around * (abs(rest) - s.around)
	}

	pace := s.step * (1.0 / binStep)
	if pace > 1 {
		pace = 1
	}
	mean, spread := binWeight*pace, coarseWeight*pace
	if n := s.often[hour]; n < math.MaxUint8 {
		n++
		s.often[hour] = n
		mean, spread = weigh(mean, n), weigh(spread, s.all(hour))
		if n == 1 {
			spread = 0 // around what is not known yet
		}
	}
	usual := &p.usual[hour%(bins/coarse)]
	p.spread += spread * (abs(x-*usual) - p.spread)
	*usual += mean * (x - *usual)
}

// within reports whether x and what is of late are in their ranges.
func (s *LevelState) within(x float32) bool {
	return x >= s.low && x <= s.high && s.late6 >= s.low6 && s.late6 <= s.high6 && s.late24 >= s.low24 && s.late24 <= s.high24
}

// widen takes x, and what is of late, into their ranges.
func (s *LevelState) widen(x float32) {
	widen(&s.low, &s.high, x, false)
	widen(&s.low6, &s.high6, s.late6, s.seen < 6)
	widen(&s.low24, &s.high24, s.late24, s.seen < 24)
}

// widen takes x into a range, or makes it the range: means of the first few
// samples are no means yet.
func widen(low, high *float32, x float32, young bool) {
	if x < *low || young {
		*low = x
	}
	if x > *high || young {
		*high = x
	}
}

// weigh is the weight of the newest of n samples, at least least.
func weigh(least float32, n uint8) float32 {
	if float32(n)*least >= 1 || n == math.MaxUint8 {
		return least
	}
	return 1 / float32(n)
}
