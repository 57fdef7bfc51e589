package scale

import (
	"fmt"
	"math"
)

// Trust is whether forecasts may add units, from how they did on this pool.
type Trust struct {
	OK       bool    `json:"ok"`
	Why      string  `json:"why,omitempty"` // not
	Error    float64 `json:"error"`         // mean error as a share of what yesterday's demand as a forecast errs by; 0 where it is not known
	Coverage float64 `json:"coverage"`      // share of times in which demand stayed below the 90 % quantile; 0 where it is not known
}

const (
	// judged is how far back forecasts are held to account, a whole week where
	// there is one.
	judged = 7 * day

	// fewestJudged is from when on that says something: every hour of the day was
	// tried once.
	fewestJudged = day

	// Not as good as yesterday's demand at the same time, and the pool has no
	// need of a forecast; a quantile that is passed twice as often as it says
	// is none.
	worstError, worstCoverage = 1, 0.8

	// p90 is the 90 % quantile among the levels.
	p90 = 3
)

// record holds how the forecasts did, up to every minute, as running sums.
type record struct{ tries, covered, errors, naive []float64 }

func newRecord(n int) record {
	return record{make([]float64, n+1), make([]float64, n+1), make([]float64, n+1), make([]float64, n+1)}
}

// judge enters what is known of forecasts by minute i: what came, and what was said of it.
func (r record) judge(i int, came, median, quantile, naive float64) {
	r.tries[i+1], r.covered[i+1], r.errors[i+1], r.naive[i+1] = r.tries[i], r.covered[i], r.errors[i], r.naive[i]
	if math.IsNaN(came + median + quantile + naive) {
		return
	}
	r.tries[i+1]++
	if came <= quantile {
		r.covered[i+1]++
	}
	r.errors[i+1] += math.Abs(came - median)
	r.naive[i+1] += math.Abs(came - naive)
}

// trust says whether forecasts may add units in minute i.
func (s *Study) trust(i int) Trust {
	to, from := i+1, max(0, i+1-judged)
	over := func(sums []float64) float64 { return sums[to] - sums[from] }
	tries := over(s.record.tries)
	if tries < fewestJudged {
		return Trust{Why: fmt.Sprintf("forecasts of %.1f hours could be judged, 24 are wanted", tries/hour)}
	}
	t := Trust{Coverage: over(s.record.covered) / tries}
	if naive := over(s.record.naive); naive > 0 {
		t.Error = over(s.record.errors) / naive
	}
	switch {
	case t.Error >= worstError:
		t.Why = fmt.Sprintf("the forecasts of the last 7 days err by %.2f times what yesterday's demand as a forecast does", t.Error)
	case t.Coverage < worstCoverage:
		t.Why = fmt.Sprintf("demand stayed below the forecast's 90 %% quantile in only %.0f %% of the last 7 days", 100*t.Coverage)
	case math.IsNaN(s.median[i]):
		t.Why = "there is no forecast: no demand was seen at this time on the days before"
	default:
		t.OK = true
	}
	return t
}
