package detect

import "math"

// Threshold returns the score at which a series sampled every step seconds
// is as unusual as rate alerts per 1,000 series per day: two channels, each
// asked at every sample.
func Threshold(rate, step float64) float64 {
	return min(1, max(0, rarity10(rate, step)/12))
}

// rarity10 returns how rare a sample must be, in powers of ten, for that.
func rarity10(rate, step float64) float64 {
	const fallback = 60 // seconds: while the step is unknown nothing is scored
	if step <= 0 {
		step = fallback
	}
	return -math.Log10(rate / 1000 / max(1, day/step) / 2)
}

// quiet is how many samples of nothing unusual end an alert: the memory of "of
// late", so that one incident is one alert.
const quiet = 12

// An alarm says when an alert begins, once for each incident, and no oftener
// by chance than it is asked to. It goes by the series' own past and not by its
// score: the score's scale is one for all series, which ranks incidents well, but
// on it heavy tails rang two hundred times as often as was asked.
//
// A spike is far from just before, from the sample before and from the time of
// day, by the geometric mean of the three; a level is far from the time of day
// twice in a row and on the mean of six. By the least of these, not the mean alone:
// one wild sample moves that mean too, whose tail looks light until it does.
//
// It is blind where wild samples are usual: in a load that dips for each
// checkpoint, what is above all that ever was is as far as the dips and no alert,
// though its score is high. The bank knows which side hurts, and what explains the dips.
type alarm struct {
	spike, level chance
	on           bool
	calm         uint8   // samples of nothing unusual while on
	age          uint16  // samples since it began
	usual, away  float32 // what was usual when it began, and how far from that it was
}

const (
	// A value that stays away holds its alert for so many samples, which is
	// about when what is just before has got used to it; its return is no second
	// alert. With a day of five minutes one in twenty events of the KPIs falls
	// into the alert before it.
	holds = 100

	// What a series does for the first time, where it never did anything, is
	// farther than any spread; how long it never did is all that counts.
	never = 1e4
)

// rare returns how rare a sample is on each channel, in powers of ten, on the
// side that hurts, and takes it as usual. None is rarer than the history can vouch for.
func (a *alarm) rare(d *distances, side Direction) (spike, level float64) {
	if d.seen == 0 {
		return 0, 0
	}
	far, moved := float32(0), float32(0)
	if v := d.near * d.jump * d.time; v > 1 && side.hurts(d.above()) { // below, it is within any edge
		far = cbrt(min(v, never*never*never))
	}
	if d.novel && side.hurts(d.above()) {
		far = never
	}
	if side == Both || d.stays(side == High) {
		moved = min(d.time, d.before, d.time6)
	}
	spike, level = a.spike.rare(far), a.level.rare(moved)
	if spike > 0 || level > 0 {
		vouched := trusted * math.Log10(float64(d.seen))
		spike, level = min(max(0, spike), vouched), min(max(0, level), vouched)
	}
	return spike, level
}

// sounds reports whether an alert begins with this sample, at rate alerts per
// 1,000 series per day.
func (a *alarm) sounds(d *distances, rate, step float64) bool {
	spike, level := a.rare(d, Both)
	rare := max(spike, level)
	loud := rare > 0 && rare >= rarity10(rate, step)
	if !a.on {
		if loud {
			a.on, a.calm, a.age, a.usual, a.away = true, 0, 0, d.mean, abs(d.x-d.mean)/2
		}
		return loud
	}
	a.age = min(a.age, math.MaxUint16-1) + 1
	stays := a.age < holds && (abs(d.x-a.usual) > a.away || a.level.running())
	if a.calm++; loud || stays || a.spike.running() {
		a.calm = 0
	}
	a.on = a.calm < quiet
	return false
}

// An incident lets the score of one channel through once: after one, only a
// larger one passes for a while. A level that has moved is news when it moves,
// and not at every sample after.
type incident struct {
	most  int     // samples that it is told of no more
	share float64 // of the samples seen, for which it is told of no more at most
	worse float64 // what is larger by so much is news again
	again float64 // once these are over, what is larger than this of it is news,
	half  float64 // and than half of that after so many samples more
	at    int     // samples seen then
	peak  float64
}

const (
	// A quarter of an hour of minutes: spikes in a row are one.
	spikeMost, spikeShare, spikeWorse = 15, 0.0075, 1

	// A level stays moved for long. Without this a level that moved is told at
	// each wobble: nine points of NAB.
	regimeMost, regimeShare, regimeWorse = 150, 0.15, 1.35

	// What moves a little less after that is mostly more of the same: a level that
	// returns in steps, the next day's busy hour. It is forgotten by and by and not at once, and
	// therefore sooner begun with: with 200 samples and nothing after, NAB loses 0.3 of its standard
	// points and 1.3 of its low-FP ones, these in either half of the files.
	regimeAgain, regimeHalf = 0.9, 300
)

// incidents returns what no incident has happened to yet, for each channel.
func incidents() (spike, regime incident) {
	return incident{most: spikeMost, share: spikeShare, worse: spikeWorse},
		incident{most: regimeMost, share: regimeShare, worse: regimeWorse, again: regimeAgain, half: regimeHalf}
}

// tells returns score, or 0 where it is no news. seen counts the samples before.
func (c *incident) tells(score float64, seen int) float64 {
	if score == 0 {
		return 0
	}
	if c.peak > 0 && score <= c.peak*c.needed(seen-c.at, min(c.most, int(c.share*float64(seen)))) {
		return 0
	}
	c.at, c.peak = seen, score
	return score
}

// needed returns how many times the peak news must exceed after so many samples.
func (c *incident) needed(age, hold int) float64 {
	switch {
	case age < hold:
		return c.worse
	case c.again == 0:
		return 0
	}
	return c.again * math.Exp2(-float64(age-hold)/c.half)
}
