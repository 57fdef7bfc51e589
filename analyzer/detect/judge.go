package detect

import (
	"math"

	"vedette.dev/analyzer"
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
	// its low-FP profile. With a bend of 0.3 that profile loses 0.3, in either half of
	// the files; with 0.25 the events lose 0.003 of their precision.
	spikeKnee, spikeBend = 4.4, 0.27

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

// A sum of cubes as a score, of a spike and of a regime. The least that there is to
// add is half of one.
var (
	spikes = curveOf(0.5, func(sum float32) float32 {
		rare := cbrt(sum)
		if rare > spikeKnee {
			rare = spikeKnee + spikeBend*(rare-spikeKnee)
		}
		return min(1, together/12*rare)
	})
	regimes = curveOf(0.5, func(sum float32) float32 { return min(1, together/12*cbrt(sum)) })
)

// distances are how far one sample is from what was usual, in spreads.
type distances struct {
	x, mean      float32 // the sample and what was just before, from the series' first value
	near, jump   float32 // from just before, from the sample before
	time, before float32 // from the time of day; the same of the sample before
	time6        float32 // of the mean of six
	novel        bool    // it is the first that differs
	rest, was    float32 // from the time of day by sign; the same of the sample before
	rest6        float32 // and of the mean of six
	seen         uint32  // samples up to this one; 0: it is not scored
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

// judge says in d how far x is from what was usual, and scores that. It is rest
// from what is at its time of day, around which the spread is as given; outer
// says that something is outside its range.
func (s *LevelState) judge(d *distances, x, rest, spread float32, outer bool) analyzer.Score {
	mean, was := s.mean, rest-(x-s.prev)
	var near, jump, time, before, time6, rest3, rest24 float32
	if least := floor * (s.high - s.low); least > 0 {
		inv := inverse(spread, least)
		near = abs(x-mean) * inverse(s.spread, least)
		jump = abs(x-s.prev) * inverse(s.jump, least)
		time, before, time6 = abs(rest)*inv, abs(was)*inv, abs(s.rest6)*inv
		rest3, rest24 = abs(s.rest3)*inv, abs(s.rest24)*inv
	} else { // all were equal
		near, jump = unheardOf(x-mean), unheardOf(x-s.prev)
		time, before, time6 = unheardOf(rest), unheardOf(was), unheardOf(s.rest6)
		rest3, rest24 = unheardOf(s.rest3), unheardOf(s.rest24)
	}
	d.seen, d.x, d.mean = s.seen+1, x, mean
	d.rest, d.was, d.rest6 = rest, was, s.rest6
	d.near, d.jump, d.time, d.before, d.time6 = near, jump, time, before, time6
	d.novel = s.spread == 0 && x != mean

	nearness := distance.of(near)
	spike := spikeNear*nearness + spikeJump*distance.of(jump) + spikeTime*distance.of(time)
	regime := regimeNear*nearness + regimeTime6*distance6.of(time6)
	if s.timeTail.within(time) {
		s.timeTail.fade()
	} else {
		spike += spikeTimeTail * tailed.of(s.timeTail.past(time, &s.heard[0]))
	}
	if s.jumpTail.within(jump) {
		s.jumpTail.fade()
	} else {
		spike += spikeJumpTail * tailed.of(s.jumpTail.past(jump, &s.heard[1]))
	}

	// What follows is nothing for most samples: one question for each of the two.
	if keep := keeps(s.seen); time < s.timePeak.most && rest3 < s.time3Peak.most && time6 < s.time6Peak.most && rest24 < s.time24Peak.most {
		s.timePeak.fade(keep)
		s.time3Peak.fade(keep)
		s.time6Peak.fade(keep)
		s.time24Peak.fade(keep)
		if s.recent != [4]uint8{} {
			s.calm()
		}
	} else {
		time, time3 := record.of(s.timePeak.past(time, keep, &s.recent[0])), record.of(s.time3Peak.past(rest3, keep, &s.recent[1]))
		time6, time24 := record.of(s.time6Peak.past(time6, keep, &s.recent[2])), record24.of(s.time24Peak.past(rest24, keep, &s.recent[3]))
		spike += spikeTimePeak*time + spikeTime3Peak*time3
		regime += regimeTime3Peak*time3 + regimeTime6Peak*time6 + regimeTime24Peak*time24
	}
	if outer {
		out := outside.of(outsideOf(d.x, s.low, s.high))
		spike += spikeOutside * out
		regime += regimeOutside*out + regimeOutside6*outside.of(outsideOf(s.late6, s.low6, s.high6)) +
			regimeOutside24*outside24.of(outsideOf(s.late24, s.low24, s.high24))
	}
	spike, regime = spikes.of(spike), regimes.of(regime)
	if !(spike <= known && regime <= known) { // what is past all reckoning included
		vouched := s.vouched()
		spike, regime = capped(spike, vouched), capped(regime, vouched)
	}
	return analyzer.Score{Spike: float64(spike), Regime: float64(regime)}
}

// capped returns the lesser of score and vouched, this where score is no number.
func capped(score, vouched float32) float32 {
	if score < vouched {
		return score
	}
	return vouched
}

// calm takes a sample that is past no peak.
func (s *LevelState) calm() {
	for i, n := range s.recent {
		s.recent[i] = n - min(n, 1)
	}
}

// known is what the shortest history that is scored is trusted for.
var known = (&LevelState{seen: warmup}).vouched()

// score is p on the scale of [analyzer.Score].
func (s *LevelState) score(p float64) float64 {
	if p >= 1 {
		return 0
	}
	return min(-math.Log10(p)/12, float64(s.vouched()))
}

// vouched returns the score that a history is trusted for.
func (s *LevelState) vouched() float32 {
	return min(1, trusted*math.Ln2/math.Ln10/12*log2(float32(s.seen)))
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

// unheardOf returns how many spreads a change is where there never was one.
func unheardOf(change float32) float32 {
	if change == 0 {
		return 0
	}
	return unheard
}

// inverse returns one by a spread that is at least as given.
func inverse(spread, least float32) float32 {
	if spread < least {
		spread = least
	}
	return 1 / spread
}
