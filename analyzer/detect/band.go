package detect

import (
	"cmp"
	"slices"
	"time"
)

// A Band is between what a series is expected to be at its time of day.
type Band struct {
	Labels    map[string]string // of the series, with __name__; the caller must not change it
	Low, High float64           // by the second for a counter

	score float64
}

// mostBands is how many series have a band because they are unusual: two series
// each on top of two or three scores, and more unusual ones at once are one trouble
// of many, of which nobody looks at each.
const mostBands = 500

// band returns where 95 of 100 samples of the time of day have been, going by the
// series' own running quantile. It reports false where that is not known.
func (s *LevelState) band(ms int64) (low, high float64, ok bool) {
	if s.seen <= warmup {
		return 0, 0, false
	}
	hour := hourOf(ms)
	p := &s.day[hour/(bins/coarse)]
	usual := s.long + (p.usual[hour%(bins/coarse)]-s.long)*believed[s.often[hour]]
	half := s.half(s.around + (p.spread-s.around)*believed[s.all(hour)]/2)
	return s.origin + float64(usual) - half, s.origin + float64(usual) + half, true
}

// half is how far from its middle a band goes, around which the spread is as given.
func (s *LevelState) half(spread float32) float64 {
	return float64(s.timeTail.edge * max(spread, floor*(s.high-s.low)))
}

// Bands returns the bands of series that are unusual now by their own past, at most 500, the
// most unusual first, and of all series of the metrics that are chosen. All
// series would be twice as many again as there are scores.
func (b *Bank) Bands(now time.Time, chosen []string) []Band {
	b.mu.Lock()
	defer b.mu.Unlock()
	ms := now.UnixMilli()
	var out, odd []Band
	for id, m := range b.members {
		if m == nil || m.watch == none || m.left != nil { // what is left of a metric has no band on its graph
			continue
		}
		s := b.states.At(uint32(id))
		step := max(1, Level{}.Step(&s.of.Of))
		low, high, ok := s.of.Of.band(ms)
		if !ok || float64(ms-s.heard())/1000 > missed*step {
			continue
		}
		unusual := s.level.open && !s.level.over(ms, step)
		if unusual { // what is expected is what was before: an hour that is new learns only from the trouble
			half := s.of.Of.half(s.of.Of.around)
			low, high = s.level.usual-half, s.level.usual+half
		}
		band := Band{m.labels, low, high, s.level.score}
		switch {
		case slices.Contains(chosen, m.labels["__name__"]):
			out = append(out, band)
		case unusual:
			odd = append(odd, band)
		}
	}
	slices.SortStableFunc(odd, func(x, y Band) int { return cmp.Compare(y.score, x.score) })
	return append(out, odd[:min(len(odd), mostBands)]...)
}
