package detect

import (
	"math"

	"vedette.dev/analyzer"
)

// Level judges each sample of one series by where the series has been: on the
// spike channel against the moments just before and the time of day, on the
// regime channel the level of late against the level of long. It is a
// [analyzer.Detector]; the zero Level is ready.
//
// Adding a constant to a series, or multiplying it by a positive one, changes
// no score (beyond rounding): every statistic is in units of the series' own spread.
type Level struct{}

var _ analyzer.Detector[LevelState] = Level{}

const (
	// Nothing is scored before this many samples: a spread from fewer is noise,
	// and one absurd z-score at the start would blind the tail for days.
	warmup = 30

	// The memory of "just before", in samples. With .05 the mean chases what it
	// should notice; with .002 it lags every daily swing.
	nearWeight = 0.01

	// "Of late" is about a dozen samples: long enough that one spike is no
	// regime, short enough to speak within the hour at a step of five minutes.
	lateWeight = 2.0 / 13

	// The range of late is taken in blocks of twice "of late".
	block = 24

	// "Of long" is about a thousand samples.
	longWeight = 0.001

	// A sample moves a mean or a spread by at most this many spreads, so that
	// an outlier does not hide the next; a level that stays is still followed,
	// because the spread grows with every clipped sample.
	clip = 4

	// The spread is at least this share of the range seen: quantised and flat
	// series have a spread of zero, and without a floor every step of theirs is
	// infinitely surprising.
	floor = 0.01

	// The range forgets by this share a day, so that one extreme does not count
	// for ever; a fortnight keeps what happens weekly.
	rangeFade = 1.0 / 14

	bins      = 48 // of the day: half an hour holds six samples at five minutes, and few loads change faster by plan
	coarse    = 12 // bins of the seasonal spread: a spread needs more samples than a mean
	binWeight = 0.05 / 300
	day       = 24 * 3600

	// The profile takes part after two days: after one it is the same day again.
	profileAge = 2 * day
)

// LevelState is what [Level] remembers of one series.
type LevelState struct {
	origin float64 // the first value; everything below is relative to it, so that float32 suffices far from zero
	last   int64   // Unix milliseconds of the newest sample
	first  int64   // of the oldest
	seen   uint32  // samples
	step   float32 // seconds between samples, running mean

	mean, spread         float32 // just before
	prev, jump           float32 // the last sample, and how far samples usually move
	late, long           float32 // of late, of long
	drift                float32 // spread of late around long
	low, high            float32 // the range of samples
	lateLow, lateHigh    float32 // the range of late, until the last block of samples
	nextLow, nextHigh    float32 // and of the block that is not over
	rest, restSpread     float32 // of late, less the profile
	around               float32 // spread of samples around the profile
	spikeTail, shiftTail tail

	inBin    uint16 // samples in the current bin, this day
	bin      uint16 // the current bin
	_        uint32
	known    uint64          // which bins have been seen
	profile  [bins]float32   // by time of day, UTC
	seasonal [coarse]float32 // spread around the profile
}

// Observe implements [analyzer.Detector].
func (Level) Observe(s *LevelState, ms int64, value float64) analyzer.Score {
	if math.IsNaN(value) || math.IsInf(value, 0) || s.seen > 0 && ms <= s.last {
		return analyzer.Score{}
	}
	if s.seen == 0 {
		s.begin(ms, value)
		return analyzer.Score{}
	}
	x := value - s.origin
	gap := float64(ms-s.last) / 1000
	s.pace(gap)

	spike, spikeP := s.spike(ms, x)
	shift, regimeP := s.regime(ms, x)
	if s.seen > warmup {
		s.spikeTail.learn(spike)
		s.shiftTail.learn(shift)
	}
	s.learn(ms, x, gap)
	if s.seen <= warmup {
		return analyzer.Score{}
	}
	return analyzer.Score{Spike: s.score(spikeP), Regime: s.score(regimeP)}
}

// Usual returns what the value was before the latest samples: just before, and
// of long. They are what a finding compares with.
func (Level) Usual(s *LevelState) (near, long float64) {
	return s.origin + float64(s.mean), s.origin + float64(s.long)
}

// Step returns the usual number of seconds between samples, 0 while unknown.
func (Level) Step(s *LevelState) float64 { return float64(s.step) }

func (s *LevelState) begin(ms int64, value float64) {
	s.origin, s.first, s.last, s.seen = value, ms, ms, 1
	s.bin = binOf(ms)
	s.inBin = 1
	s.known |= 1 << s.bin
}

// score is p on the scale of [analyzer.Score]. A history of n samples vouches
// for one in n; the tail is trusted for as many powers of ten again and no
// further, so that a short history cannot shout. Half a power more doubles the
// false alarms on the development sets.
func (s *LevelState) score(p float64) float64 {
	if p >= 1 {
		return 0
	}
	n := float64(s.seen)
	return min(1, max(0, -math.Log10(max(p, 1/(n*n)))/12))
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

// least is the smallest spread a statistic may be measured in.
func (s *LevelState) least() float64 { return floor * float64(s.high-s.low) }

// novel is the chance that the next of n samples is unlike all before, which
// is all there is to say where they were all the same.
func novel(n uint32) float64 { return 1 / float64(n+1) }

// spike returns how far x is from what the moments before led one to expect,
// and how likely as much is. Where the time of day explains x it is expected:
// only what surprises both ways counts.
func (s *LevelState) spike(ms int64, x float64) (z, p float64) {
	least := s.least()
	if least == 0 {
		if x == float64(s.mean) {
			return 0, 1
		}
		return 0, novel(s.seen)
	}
	z = math.Abs(x-float64(s.mean)) / max(float64(s.spread), least)
	z = blend(z, math.Abs(x-float64(s.prev))/max(float64(s.jump), least))
	if b := binOf(ms); s.profiled(ms, b) {
		// Half the spread at this time of day, half that of all day: a quiet
		// hour must not make its first loud day infinitely surprising.
		spread := (float64(s.seasonal[b*coarse/bins]) + float64(s.around)) / 2
		z = min(z, math.Abs(x-float64(s.profile[b]))/max(spread, least))
	}
	return z, s.spikeTail.p(z)
}

// blend is large where both are, and larger than either half alone says.
func blend(a, b float64) float64 { return math.Sqrt((a*a + b*b) / 2) }

// regime returns how far the level of late is from the level of long in units
// of how far it usually is, and the smaller of two probabilities: of that, and
// of being as far outside the range of levels seen.
func (s *LevelState) regime(ms int64, x float64) (z, p float64) {
	least := s.least()
	if least == 0 {
		return 0, 1
	}
	late := float64(s.late) + lateWeight*(x-float64(s.late))
	z = math.Abs(late-float64(s.long)) / max(float64(s.drift), least)
	if b := binOf(ms); s.profiled(ms, b) {
		rest := float64(s.rest) + lateWeight*(x-float64(s.profile[b])-float64(s.rest))
		z = min(z, math.Abs(rest)/max(float64(s.restSpread), least))
	}
	p = s.shiftTail.p(z)

	// Levels whose tail falls off exponentially span about ln n of its scales
	// in n independent levels, so one beyond the range by a share r of it has
	// the chance n^-(1+2r): a new record, times the tail beyond it.
	if width := float64(s.lateHigh - s.lateLow); width > 0 {
		r := max(late-float64(s.lateHigh), float64(s.lateLow)-late) / width
		if n := float64(s.seen) * lateWeight / 2; r > 0 && n > 1 {
			p = min(p, math.Pow(n, -(1+2*r)))
		}
	}
	return z, min(1, 2*p)
}

// profiled reports whether the time of day is known well enough to compare with.
func (s *LevelState) profiled(ms int64, b uint16) bool {
	return ms-s.first > profileAge*1000 && s.known&(1<<b) != 0
}

func (s *LevelState) learn(ms int64, x, gap float64) {
	least := s.least()
	near := max(nearWeight, 1/float64(s.seen+1))
	s.mean, s.spread = follow(s.mean, s.spread, x, near, near, least)
	s.jump = spreadOf(s.jump, math.Abs(x-float64(s.prev)), near, least)
	s.prev = float32(x)

	s.late += float32(max(lateWeight, 1/float64(s.seen+1)) * (x - float64(s.late)))
	far := max(longWeight, 1/float64(s.seen+1))
	s.long, s.drift = follow(s.long, s.drift, float64(s.late), far, far, least)

	s.learnProfile(ms, x, least)
	fade := float32(rangeFade * min(gap, day) / day)
	s.low, s.high = widen(s.low, s.high, x, fade)
	s.learnLate(fade)
	s.last = ms
	s.seen++
}

// learnLate keeps the range of late up to the last whole block: a level that
// creeps up within a block must not drag the range along and never be new.
func (s *LevelState) learnLate(fade float32) {
	if s.seen <= warmup {
		s.lateLow, s.lateHigh = s.late, s.late
		s.nextLow, s.nextHigh = s.late, s.late
		return
	}
	s.lateLow, s.lateHigh = widen(s.lateLow, s.lateHigh, float64(s.lateLow), fade)
	s.nextLow, s.nextHigh = min(s.nextLow, s.late), max(s.nextHigh, s.late)
	if s.seen%block != 0 {
		return
	}
	s.lateLow, s.lateHigh = widen(s.lateLow, s.lateHigh, float64(s.nextLow), 0)
	s.lateLow, s.lateHigh = widen(s.lateLow, s.lateHigh, float64(s.nextHigh), 0)
	s.nextLow, s.nextHigh = s.late, s.late
}

// follow moves a mean and its spread towards x, neither by more than clip spreads.
func follow(mean, spread float32, x, weight, spreadWeight, least float64) (float32, float32) {
	d := x - float64(mean)
	limit := clip * max(float64(spread), least)
	if limit > 0 {
		d = min(max(d, -limit), limit)
	}
	return mean + float32(weight*d), spread + float32(spreadWeight*(math.Abs(d)-float64(spread)))
}

func spreadOf(spread float32, d, weight, least float64) float32 {
	if limit := clip * max(float64(spread), least); limit > 0 {
		d = min(d, limit)
	}
	return spread + float32(weight*(d-float64(spread)))
}

// widen lets the range fade towards its middle and take in x, by at most its
// own width again, so that one absurd value does not end all records.
func widen(low, high float32, x float64, fade float32) (float32, float32) {
	width := high - low
	low, high = low+fade*width/2, high-fade*width/2
	if width == 0 {
		return min(low, float32(x)), max(high, float32(x))
	}
	if v := float32(x); v > high {
		return low, min(v, high+width)
	} else if v < low {
		return max(v, low-width), high
	}
	return low, high
}

// learnProfile keeps the mean of each half hour of the day: the plain mean on
// the first day, then a slow follower whose weight is by time, not by sample.
func (s *LevelState) learnProfile(ms int64, x, least float64) {
	b := binOf(ms)
	if b != s.bin {
		s.bin, s.inBin = b, 0
	}
	if s.inBin < math.MaxUint16 {
		s.inBin++
	}
	weight := min(binWeight*float64(s.step), 0.3)
	switch {
	case s.known&(1<<b) == 0:
		s.known |= 1 << b
		s.profile[b] = float32(x)
		return
	case ms-s.first < day*1000:
		weight = max(weight, 1/float64(s.inBin))
	}
	if s.profiled(ms, b) {
		rest := x - float64(s.profile[b])
		c := b * coarse / bins
		s.seasonal[c] = spreadOf(s.seasonal[c], math.Abs(rest), max(weight/2, 0.005), max(least, float64(s.spread)))
		s.around = spreadOf(s.around, math.Abs(rest), 0.005, max(least, float64(s.spread)))
		s.rest += float32(lateWeight * (rest - float64(s.rest)))
		s.restSpread = spreadOf(s.restSpread, math.Abs(float64(s.rest)), 2*longWeight, max(least, float64(s.spread)/2))
	}
	d := x - float64(s.profile[b])
	if limit := clip * max(float64(s.seasonal[b*coarse/bins]), float64(s.spread), least); limit > 0 {
		d = min(max(d, -limit), limit)
	}
	s.profile[b] += float32(weight * d)
}

// binOf returns the half hour of the UTC day that ms is in.
func binOf(ms int64) uint16 {
	const width = day * 1000 / bins
	b := (ms / width) % bins
	if b < 0 {
		b += bins
	}
	return uint16(b)
}
