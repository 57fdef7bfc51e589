package series

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// layouts are the written times that [ParseTime] reads, besides Unix seconds.
// A fraction of a second is read in all of them; a time without a zone is UTC.
var layouts = [...]string{time.RFC3339, time.DateTime, "2006-01-02T15:04:05"}

// ParseTime reads a time as people keep it in CSV files: Unix seconds (or
// milliseconds, from 1e11 on, which as seconds is past the year 5000), RFC 3339,
// or YYYY-MM-DD HH:MM:SS in UTC.
func ParseTime(s string) (time.Time, error) {
	s = strings.TrimSpace(s)
	if n, err := strconv.ParseFloat(s, 64); err == nil {
		return unix(s, n)
	}
	for _, layout := range layouts {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("time %q is neither Unix seconds, RFC 3339 nor YYYY-MM-DD HH:MM:SS", s)
}

func unix(s string, n float64) (time.Time, error) {
	if math.Abs(n) >= 1e11 {
		n /= 1000
	}
	if math.IsNaN(n) || math.Abs(n) >= 1e11 {
		return time.Time{}, fmt.Errorf("time %q is out of range", s)
	}
	return time.UnixMilli(int64(math.Round(n * 1000))).UTC(), nil
}

// A Sample is one value at one time.
type Sample struct {
	At    time.Time
	Value float64
}

// maxRegular bounds the grid that Regular makes: one stray time stamp must not
// ask for a grid of years.
const maxRegular = 10_000_000

// Regular lays samples, in any order, on a grid of their median distance that
// ends at the newest. A grid point without a sample is NaN; of several samples
// that fall on one point the newest counts. It fails where fewer than two
// samples have different times.
func Regular(samples []Sample) (Series, error) {
	sorted := slices.Clone(samples)
	slices.SortStableFunc(sorted, func(a, b Sample) int { return a.At.Compare(b.At) })
	sorted = slices.DeleteFunc(sorted, func(s Sample) bool { return math.IsNaN(s.Value) || math.IsInf(s.Value, 0) })

	var steps []time.Duration
	for i := 1; i < len(sorted); i++ {
		if d := sorted[i].At.Sub(sorted[i-1].At); d > 0 {
			steps = append(steps, d)
		}
	}
	if len(steps) == 0 {
		return Series{}, fmt.Errorf("a series needs two samples of different times, have %d samples", len(sorted))
	}
	slices.Sort(steps)
	step := steps[len(steps)/2]

	first, last := sorted[0].At, sorted[len(sorted)-1].At
	n := int64(last.Sub(first)+step/2)/int64(step) + 1
	if n > maxRegular {
		return Series{}, fmt.Errorf("%s to %s by %s is %d samples, the most is %d", first.Format(time.RFC3339), last.Format(time.RFC3339), step, n, maxRegular)
	}
	s := Series{Start: last.Add(-time.Duration(n-1) * step), Step: step, Values: make([]float64, n)}
	for i := range s.Values {
		s.Values[i] = math.NaN()
	}
	for _, p := range sorted {
		i := int64(p.At.Sub(s.Start)+step/2) / int64(step)
		s.Values[min(max(i, 0), n-1)] = p.Value
	}
	return s, nil
}
