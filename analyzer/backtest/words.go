package backtest

import (
	"fmt"
	"strconv"
	"time"
)

// Summary says the result in a sentence that follows "it", without a full stop.
func (res Result) Summary() string {
	span := res.Range.To.Sub(res.Range.From)
	last := "in the last " + words(span)
	n := len(res.Episodes)
	switch {
	case n == 0 && res.Gaps >= span:
		return "cannot be tried: there is no data " + last
	case n == 0:
		return "would not have fired " + last
	case n == 1:
		return fmt.Sprintf("would have fired once %s, for %s%s", last, words(res.Firing), res.standing())
	}
	return fmt.Sprintf("would have fired %d times %s, %s in all, longest %s%s", n, last, words(res.Firing), words(res.Longest), res.standing())
}

func (res Result) standing() string {
	for _, e := range res.Episodes {
		if e.Standing {
			return ", and would still be firing"
		}
	}
	return ""
}

// words writes a duration as people say it: 7 days, 90 min, 45 s.
func words(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d >= 2*day:
		return tenths(d.Hours()/24) + " days"
	case d >= 2*time.Hour:
		return tenths(d.Hours()) + " h"
	case d >= 2*time.Minute:
		return strconv.Itoa(int(d.Round(time.Minute)/time.Minute)) + " min"
	}
	return strconv.Itoa(int(d.Round(time.Second)/time.Second)) + " s"
}

func tenths(v float64) string {
	return strconv.FormatFloat(float64(int(v*10+0.5))/10, 'f', -1, 64)
}

// format writes a number as PromQL reads it.
func format(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
