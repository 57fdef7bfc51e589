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
	run         int32   // unusual samples
	open        bool
	told        bool // it was counted as told,
	hushed      bool // or as what a mark keeps from being told
}

const (
	// So many unusual samples open an episode: one may be a glitch of the exporter.
	opensAfter = 2

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
		e.take(ms, score, value, usual, d)
		return
	}
	if e.run == 0 || d.off(value, e.usual) < d.off(e.peak, e.usual)/2 {
		return
	}
	switch {
	case !e.open:
		e.take(ms, 0, value, usual, d)
	case time.Duration(ms-e.onset)*time.Millisecond < stays:
		e.hot = ms
	}
}

func (e *episode) take(ms int64, score, value, usual float64, d Direction) {
	if e.run == 0 {
		e.onset, e.usual, e.peak = ms, usual, value
	}
	e.run = min(e.run+1, math.MaxInt32-1)
	e.hot = ms
	e.score = max(e.score, score)
	if d.off(value, e.usual) > d.off(e.peak, e.usual) {
		e.peak = value
	}
	e.open = e.open || e.run >= opensAfter
}

// over reports whether an episode, or what might have become one, has ended by ms.
func (e *episode) over(ms int64, step float64) bool {
	quiet := max(quietTime, time.Duration(quietSteps*step*float64(time.Second)))
	return e.run > 0 && time.Duration(ms-e.hot)*time.Millisecond > quiet
}
