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
	spikeKnee, spikeBend = 4.4, 0.3

	// The statistics are not independent, and their sum is rarer on paper than
	// on noise. What the rate would take for Gaussian noise is 0.78, which misses
	// two thirds of the levels that move by 4 sigma; for heavy tails no one factor
	// will do, and an alert goes by the series' own tail instead: see alarm.
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

	_   [4]uint32 // so that a state, and its hours, begin with a line of the processor's cache
	day [coarse]hours
}

// hours are what is usual at one part of the day, UTC, in one piece: a sample
// touches one part, and what costs is to fetch it.
type hours struct {
	usual  [bins / coarse]float32
	spread float32 // around them
	often  [bins / coarse]uint8
	all    uint8 // samples; counts end at 255, where they no longer matter
	_      uint8
}

// distances are how far one sample is from what was usual, in spreads.
type distances struct {
	x, mean      float32 // the sample and what was just before, from the series' first value
	near, jump   float32 // from just before, from the sample before
	time, before float32 // from the time of day; the same of the sample before
	time6        float32 // of the mean of six
	novel        bool    // it is the first that differs
	rest, was    float32 // from the time of day by sign; the same of the sample before
	rest6        float32 // and of the mean of six
}

// Observe implements [analyzer.Detector].
func (Level) Observe(s *LevelState, ms int64, value float64) analyzer.Score {
	var d distances
	return s.observe(ms, value, &d)
}

// observe is Observe, and says in d how far the sample is from what was usual,
// where it is scored.
func (s *LevelState) observe(ms int64, value float64, d *distances) (score analyzer.Score) {
	if math.IsNaN(value) || math.IsInf(value, 0) || s.seen > 0 && ms <= s.last {
		return score
	}
	if s.seen == 0 {
		s.origin, s.first = value, ms
	} else {
		s.pace(float32(ms-s.last) * 1e-3)
	}
	x := float32(value - s.origin)
	least := floor * (s.high - s.low)
	half, hour := s.hour(ms)
	usual, spread := s.usual(half, hour)
	rest := x - usual
	taken := s.credible(x)
	s.late6 += late6 * (taken - s.late6)
	s.late24 += late24 * (taken - s.late24)
	s.rest3 += late3 * (taken - usual - s.rest3)
	s.rest6 += late6 * (taken - usual - s.rest6)
	s.rest24 += late24 * (taken - usual - s.rest24)

	if s.seen >= warmup {
		inv := inverse(spread, least)
		s.measure(d, x, rest, inv, least)
		score = s.judge(d, inv)
	}
	s.learn(taken, taken-usual)
	half.learn(hour, taken, s.step)
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

// score is p on the scale of [analyzer.Score].
func (s *LevelState) score(p float64) float64 {
	if p >= 1 {
		return 0
	}
	return s.scoreOf(-math.Log10(p))
}

// scoreOf is the score of so many powers of ten.
func (s *LevelState) scoreOf(rare float64) float64 {
	const known = 3 // what the shortest history that is scored is trusted for, about
	if rare > known {
		rare = min(rare, trusted*math.Ln2/math.Ln10*float64(log2(float32(s.seen))))
	}
	return min(1, rare/12)
}

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

// hour returns the part of the UTC day that ms is in, and which hour of it.
func (s *LevelState) hour(ms int64) (*hours, int) {
	second := ms / 1000 % day
	if second < 0 {
		second += day
	}
	hour := uint(second) * bins / day
	return &s.day[hour*coarse/bins%coarse], int(hour % (bins / coarse))
}

// usual returns what the value usually is in an hour and how far around that.
// An hour not seen often is taken for all day.
func (s *LevelState) usual(h *hours, hour int) (value, spread float32) {
	value = s.long + (h.usual[hour]-s.long)*believed[h.often[hour]]

	// Half the spread at this time of day, half that of all day: a quiet hour
	// must not make its first loud day infinitely surprising.
	at := s.around + (h.spread-s.around)*believed[h.all]
	return value, (at + s.around) / 2
}

// inverse returns one by a spread that is at least as given, 0 where there is
// neither a spread nor a range.
func inverse(spread, least float32) float32 {
	if spread < least {
		spread = least
	}
	if spread == 0 {
		return 0
	}
	return 1 / spread
}

// spreads returns how many spreads d is, where one is 1/inv.
func spreads(d, inv float32) float32 {
	if inv == 0 && d != 0 {
		return unheard
	}
	return abs(d) * inv
}

// outsideOf returns how far x is outside a range, as a share of it.
func outsideOf(x, low, high float32) float32 {
	switch {
	case x > high:
		x -= high
	case x < low:
		x = low - x
	default:
		return 0
	}
	if high == low {
		return 1
	}
	return x / (high - low)
}

// above reports whether the sample is above just before.
func (d *distances) above() bool { return d.x > d.mean }

// stays reports whether the sample, the one before and the mean of six are all
// above the time of day, or all below.
func (d *distances) stays(above bool) bool {
	if above {
		return d.rest > 0 && d.was > 0 && d.rest6 > 0
	}
	return d.rest < 0 && d.was < 0 && d.rest6 < 0
}

// measure says in d how far x is from what was usual. It is rest from what is
// at its time of day, of which a spread is 1/inv.
func (s *LevelState) measure(d *distances, x, rest, inv, least float32) {
	d.x, d.mean = x, s.mean
	d.near = spreads(x-s.mean, inverse(s.spread, least))
	d.jump = spreads(x-s.prev, inverse(s.jump, least))
	d.rest, d.was, d.rest6 = rest, rest-(x-s.prev), s.rest6
	d.time, d.before, d.time6 = spreads(d.rest, inv), spreads(d.was, inv), spreads(d.rest6, inv)
	d.novel = s.spread == 0 && x != s.mean
}

// judge scores a sample so far from what was usual.
func (s *LevelState) judge(d *distances, inv float32) analyzer.Score {
	near := distance.of(d.near)
	spike := spikeNear*near + spikeJump*distance.of(d.jump) + spikeTime*distance.of(d.time) +
		spikeTimeTail*tailed.of(s.timeTail.rare(d.time)) + spikeJumpTail*tailed.of(s.jumpTail.rare(d.jump))
	regime := regimeNear*near + regimeTime6*distance6.of(d.time6)

	// What follows is nothing for most samples: one question for each of the two.
	keep, rest3, rest24 := keeps(s.seen), spreads(s.rest3, inv), spreads(s.rest24, inv)
	if d.time < s.timePeak.most && rest3 < s.time3Peak.most && d.time6 < s.time6Peak.most && rest24 < s.time24Peak.most {
		s.timePeak.fade(keep)
		s.time3Peak.fade(keep)
		s.time6Peak.fade(keep)
		s.time24Peak.fade(keep)
	} else {
		time3Peak := record.of(s.time3Peak.past(rest3, keep))
		spike += spikeTimePeak*record.of(s.timePeak.past(d.time, keep)) + spikeTime3Peak*time3Peak
		regime += regimeTime3Peak*time3Peak + regimeTime6Peak*record.of(s.time6Peak.past(d.time6, keep)) +
			regimeTime24Peak*record24.of(s.time24Peak.past(rest24, keep))
	}
	if d.x > s.high || d.x < s.low || s.late6 > s.high6 || s.late6 < s.low6 || s.late24 > s.high24 || s.late24 < s.low24 {
		out := outside.of(outsideOf(d.x, s.low, s.high))
		spike += spikeOutside * out
		regime += regimeOutside*out + regimeOutside6*outside.of(outsideOf(s.late6, s.low6, s.high6)) +
			regimeOutside24*outside24.of(outsideOf(s.late24, s.low24, s.high24))
	}
	var score analyzer.Score
	if spike > 0 {
		rare := cbrt(spike)
		if rare > spikeKnee {
			rare = spikeKnee + spikeBend*(rare-spikeKnee)
		}
		score.Spike = s.scoreOf(together * float64(rare))
	}
	if regime > 0 {
		score.Regime = s.scoreOf(together * float64(cbrt(regime)))
	}
	return score
}

// learn takes x as usual.
func (s *LevelState) learn(x, rest float32) {
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

// learn takes x as usual in an hour, where samples are step seconds apart.
func (h *hours) learn(hour int, x, step float32) {
	pace := step * (1.0 / binStep)
	if pace > 1 {
		pace = 1
	}
	if n := &h.often[hour]; *n < math.MaxUint8 {
		*n++
	}
	if h.all < math.MaxUint8 {
		h.all++
	}
	if h.often[hour] > 1 {
		h.spread += weigh(coarseWeight*pace, h.all) * (abs(x-h.usual[hour]) - h.spread)
	}
	h.usual[hour] += weigh(binWeight*pace, h.often[hour]) * (x - h.usual[hour])
}

// weigh is the weight of the newest of n samples, at least least.
func weigh(least float32, n uint8) float32 {
	if float32(n)*least >= 1 || n == math.MaxUint8 {
		return least
	}
	return 1 / float32(n)
}
