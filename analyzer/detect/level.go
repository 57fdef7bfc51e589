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

	// The weight of a sample in its hour's mean, and of that in its two hours' spread.
	binWeight, coarseWeight = 0.05, 0.0125

	// After two days a time of day is known: after one it is the same day again.
	profileAge = 2 * day

	// An hour is believed by halves once it has this many samples.
	binPrior = 6
)

// How much each statistic has to say, in cubes of powers of ten. The weights are
// coarse: finer ones move NAB by less than its own noise of two points. What is
// lost without a group, of NAB's standard and low-FP points and of the event
// sets' best F1: the jump's tail 2, none and 0.03; what is outside the ranges
// 6, 10 and none; the peaks of the regime 4, 3 and none.
const (
	spikeNear, spikeJump, spikeTime                = 0.5, 0.5, 0.5
	spikeTimeTail, spikeJumpTail                   = 0.5, 2
	spikeTimePeak, spikeTime3Peak                  = 0.5, 0.5
	spikeOutside                                   = 2
	regimeNear, regimeTime6                        = 1, 1
	regimeTime3Peak, regimeTime6Peak               = 0.5, 1
	regimeTime24Peak                               = 2
	regimeOutside, regimeOutside6, regimeOutside24 = 5, 2, 1
)

const (
	// Past so many powers of ten a spike counts for less: what is outside all
	// that was ever seen says more on the regime channel, and without this
	// every short spike outranks a level that moved. Two points of NAB, eight of
	// its low-FP profile.
	spikeKnee, spikeBend = 4.6, 0.3

	// The statistics are not independent, and their sum is rarer on paper than
	// on noise. With this factor Gaussian noise raises one alert in a hundred
	// series-days, most in its first days, and a spike of 15 sigma is always
	// found; what the rate asks for would take 0.78, which misses two thirds of
	// the levels that move by 4 sigma. Heavy tails still ring too often: see testdata/quality.csv.
	together = 0.85

	// A history of n samples vouches for one in n; it is trusted for this power
	// of that and no further, so that a short history cannot shout. The square
	// costs the hourly services a tenth of their precision; with 2.5, noise
	// that wanders alerts six times as often.
	trusted = 2.2
)

// LevelState is what [Level] remembers of one series.
type LevelState struct {
	origin float64 // the first value; everything below is relative to it, so that float32 suffices far from zero
	last   int64   // Unix milliseconds of the newest sample
	first  int64   // of the oldest
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

	profile  [bins]float32   // by time of day, UTC
	seasonal [coarse]float32 // spread around the profile
	often    [bins]uint16    // samples in that time of day
	coarsely [coarse]uint16
}

// distances are how far one sample is from what was usual, in spreads.
type distances struct {
	x, mean      float32 // the sample and what was just before, from the series' first value
	near, jump   float32 // from just before, from the sample before
	time, before float32 // from the time of day; the same of the sample before
	time6        float32 // of the mean of six
	novel        bool    // it is the first that differs
}

// Observe implements [analyzer.Detector].
func (Level) Observe(s *LevelState, ms int64, value float64) analyzer.Score {
	score, _ := s.observe(ms, value)
	return score
}

// observe is Observe, and says how far the sample is from what was usual. A
// sample that is not taken is nowhere.
func (s *LevelState) observe(ms int64, value float64) (score analyzer.Score, d distances) {
	if math.IsNaN(value) || math.IsInf(value, 0) || s.seen > 0 && ms <= s.last {
		return score, d
	}
	if s.seen == 0 {
		s.origin, s.first = value, ms
	} else {
		s.pace(float64(ms-s.last) / 1000)
	}
	x := float32(value - s.origin)
	least := floor * (s.high - s.low)
	hour, usual, spread := s.usual(ms)
	rest := x - usual
	believed := s.credible(x)
	s.late6 += late6 * (believed - s.late6)
	s.late24 += late24 * (believed - s.late24)
	s.rest3 += late3 * (believed - usual - s.rest3)
	s.rest6 += late6 * (believed - usual - s.rest6)
	s.rest24 += late24 * (believed - usual - s.rest24)

	if s.seen >= warmup {
		d = s.distances(x, rest, max(spread, least), least)
		score = s.judge(&d, max(spread, least))
	}
	s.learn(believed, believed-usual)
	s.learnHour(hour, believed)
	s.last = ms
	s.seen++
	return score, d
}

// Usual returns what the value was before the latest samples: just before, and
// of long. They are what a finding compares with.
func (Level) Usual(s *LevelState) (near, long float64) {
	return s.origin + float64(s.mean), s.origin + float64(s.long)
}

// Step returns the usual number of seconds between samples, 0 while unknown.
func (Level) Step(s *LevelState) float64 { return float64(s.step) }

// score is p on the scale of [analyzer.Score].
func (s *LevelState) score(p float64) float64 {
	if p >= 1 {
		return 0
	}
	return s.scoreOf(-math.Log10(p))
}

// scoreOf is the score of so many powers of ten.
func (s *LevelState) scoreOf(rare float64) float64 {
	return min(1, min(rare, trusted*math.Log10(float64(s.seen)))/12)
}

// pace follows the step, by gaps that are no outage.
func (s *LevelState) pace(gap float64) {
	switch {
	case s.step == 0:
		s.step = float32(gap)
	case gap < 3*float64(s.step):
		s.step += float32(0.05 * (gap - float64(s.step)))
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
	if s.seen < warmup || reach == 0 {
		return x
	}
	return min(max(x, s.low-reach), s.high+reach)
}

// usual returns the hour of the UTC day that ms is in, what the value usually
// is then and how far around that. An hour not seen often is taken for all day.
func (s *LevelState) usual(ms int64) (hour int, value, spread float32) {
	second := (ms/1000%day + day) % day
	hour = int(second) * bins / day
	n := float32(s.often[hour])
	value = s.long + (s.profile[hour]-s.long)*n/(n+binPrior)

	// Half the spread at this time of day, half that of all day: a quiet hour
	// must not make its first loud day infinitely surprising.
	c := hour * coarse / bins
	n = float32(s.coarsely[c])
	at := s.around + (s.seasonal[c]-s.around)*n/(n+binPrior)
	return hour, value, (at + s.around) / 2
}

// spreads returns how many spreads d is.
func spreads(d, spread float32) float32 {
	switch {
	case d < 0:
		d = -d
	case d == 0:
		return 0
	}
	if spread == 0 {
		return unheard
	}
	return d / spread
}

// outsideOf returns how far x is outside a range, as a share of it.
func outsideOf(x, low, high float32) float32 {
	d := max(x-high, low-x)
	switch {
	case d <= 0:
		return 0
	case high == low:
		return 1
	}
	return d / (high - low)
}

// distances returns how far x is from what was usual. It is rest from what is
// at its time of day, where the spread is as given.
func (s *LevelState) distances(x, rest, spread, least float32) distances {
	return distances{
		x: x, mean: s.mean,
		near: spreads(x-s.mean, max(s.spread, least)), jump: spreads(x-s.prev, max(s.jump, least)),
		time: spreads(rest, spread), before: spreads(rest-(x-s.prev), spread), time6: spreads(s.rest6, spread),
		novel: s.spread == 0 && x != s.mean,
	}
}

// judge scores a sample so far from what was usual, where the spread around
// the time of day is as given.
func (s *LevelState) judge(d *distances, spread float32) analyzer.Score {
	near, jump, time, time6 := distance.of(d.near), d.jump, d.time, d.time6
	time3Peak := record.of(s.time3Peak.past(spreads(s.rest3, spread), s.seen))
	out := outside.of(outsideOf(d.x, s.low, s.high))

	timeTail := tailed.of(s.timeTail.rare(time))
	jumpTail := tailed.of(s.jumpTail.rare(jump))
	spike := spikeNear*near + spikeJump*distance.of(jump) + spikeTime*distance.of(time) +
		spikeTimeTail*timeTail + spikeJumpTail*jumpTail +
		spikeTimePeak*record.of(s.timePeak.past(time, s.seen)) + spikeTime3Peak*time3Peak + spikeOutside*out
	regime := regimeNear*near + regimeTime6*distance6.of(time6) +
		regimeTime3Peak*time3Peak + regimeTime6Peak*record.of(s.time6Peak.past(time6, s.seen)) +
		regimeTime24Peak*record24.of(s.time24Peak.past(spreads(s.rest24, spread), s.seen)) +
		regimeOutside*out + regimeOutside6*outside.of(outsideOf(s.late6, s.low6, s.high6)) +
		regimeOutside24*outside24.of(outsideOf(s.late24, s.low24, s.high24))
	spike, regime = math.Cbrt(spike), math.Cbrt(regime)
	if spike > spikeKnee {
		spike = spikeKnee + spikeBend*(spike-spikeKnee)
	}
	return analyzer.Score{Spike: s.scoreOf(together * spike), Regime: s.scoreOf(together * regime)}
}

// learn takes x as usual.
func (s *LevelState) learn(x, rest float32) {
	n := 1 / float32(s.seen+1)
	near, far := max(nearWeight, n), max(longWeight, n)
	s.mean += near * (x - s.mean)
	s.spread += near * (abs(x-s.mean) - s.spread)
	s.jump += near * (abs(x-s.prev) - s.jump)
	s.prev = x
	s.long += far * (x - s.long)
	if s.seen > 0 {
		s.around += max(aroundWeight, n) * (abs(rest) - s.around)
	}
	s.low, s.high = min(s.low, x), max(s.high, x)
	switch {
	case s.seen < 6:
		s.low6, s.high6 = s.late6, s.late6
	default:
		s.low6, s.high6 = min(s.low6, s.late6), max(s.high6, s.late6)
	}
	switch {
	case s.seen < 24:
		s.low24, s.high24 = s.late24, s.late24
	default:
		s.low24, s.high24 = min(s.low24, s.late24), max(s.high24, s.late24)
	}
}

// learnHour takes x as usual at its time of day.
func (s *LevelState) learnHour(hour int, x float32) {
	c := hour * coarse / bins
	again := s.often[hour] > 0
	s.often[hour] = min(s.often[hour], math.MaxUint16-1) + 1
	s.coarsely[c] = min(s.coarsely[c], math.MaxUint16-1) + 1
	if again {
		s.seasonal[c] += max(coarseWeight, 1/float32(s.coarsely[c])) * (abs(x-s.profile[hour]) - s.seasonal[c])
	}
	s.profile[hour] += max(binWeight, 1/float32(s.often[hour])) * (x - s.profile[hour])
}

func abs(x float32) float32 { return max(x, -x) }
