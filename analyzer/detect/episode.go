package detect

import (
	"math"
	"time"
)

// An episode is a stretch of time in which one series is unusual. The zero
// episode is none. It is part of a state: no pointers.
type episode struct {
	onset, hot  int64 // Unix milliseconds: when it began, when it was last so
	usual, peak float64
	score       float64 // the largest
	run         int32   // unusual samples in a row before it opened
	open        bool
}

const (
	// So many samples in a row above the threshold open an episode: one may be
	// a glitch of the exporter.
	opensAfter = 3

	// One sample this far above the threshold, near two powers of ten less
	// likely, opens it at once.
	strong = 0.15

	// It ends after this long, and so many steps, of nothing unusual: alerts
	// that come back within minutes are one trouble.
	quietTime  = 10 * time.Minute
	quietSteps = 10

	// A value that stays half-way to the peak is unusual although the detector
	// has got used to it, but no longer than this: then it is the new usual.
	stays = 6 * time.Hour
)

// observe takes the score of one sample. score is 0 where the deviation is too
// small or on the harmless side.
func (e *episode) observe(ms int64, score, threshold, value, usual, step float64, d Direction) {
	if e.over(ms, step) {
		*e = episode{}
	}
	if score > 0 && score >= threshold {
		e.take(ms, score, threshold, value, usual, d)
		return
	}
	if e.run == 0 {
		return
	}
	stayed := d.off(value, e.usual) >= d.off(e.peak, e.usual)/2
	switch {
	case !e.open && stayed:
		e.take(ms, 0, threshold, value, usual, d)
	case !e.open:
		*e = episode{}
	case stayed && time.Duration(ms-e.onset)*time.Millisecond < stays:
		e.hot = ms
	}
}

func (e *episode) take(ms int64, score, threshold, value, usual float64, d Direction) {
	if e.run == 0 {
		e.onset, e.usual, e.peak = ms, usual, value
	}
	e.run = min(e.run+1, math.MaxInt32-1)
	e.hot = ms
	e.score = max(e.score, score)
	if d.off(value, e.usual) > d.off(e.peak, e.usual) {
		e.peak = value
	}
	e.open = e.open || e.run >= opensAfter || score >= threshold+strong
}

// over reports whether an episode has ended by ms.
func (e *episode) over(ms int64, step float64) bool {
	quiet := max(quietTime, time.Duration(quietSteps*step*float64(time.Second)))
	return e.open && time.Duration(ms-e.hot)*time.Millisecond > quiet
}
