package scale

import (
	"fmt"
	"math"
	"slices"
	"time"

	"vedette.dev/analyzer/series"
)

// A Study is a pool's demand and, for every minute of it, what was to be
// expected then of the time until a unit ordered in that minute would work.
//
// What is forecast is one number: the highest demand of that time. Its
// quantiles are those of the errors that were made with just that number, so
// what happens between the minutes needs no model.
type Study struct {
	pool   Pool
	slo    float64
	start  time.Time
	demand []float64

	peaks  []float64   // the highest of the last five minutes
	median []float64   // the forecast
	need   [][]float64 // its quantiles, by levels
	record record
}

const (
	// wide is how many minutes a peak is taken over. A minute or ten cost 1 % more
	// unit-minutes (make bench-scale, boots of 10 minutes, as all figures here).
	wide = 5 * minute

	// The usual demand of a minute of the day is the mean of the last so many
	// days, each worth this share of the next. Two days cost 4 % more; the share
	// matters little, from 0.7 to 1.
	cycles, recency = 5, 0.8

	// A week repeats itself where its days differ, at weekends above all: from its
	// second one on its course is forecast too, and counts where its errors of the
	// last seven days were less than those of the day's course. Two working days
	// say nothing yet of how weekends go.
	// Where it was hardly nearer (by less than a tenth) it is left alone: with any
	// at all, one pool of ten fewer keeps its objective with a boot of 5 minutes.
	weekly, fewestWeekly, better = 7 * day, 3 * day, 0.9

	// The newest peak's share in how far demand is from its usual course. With a
	// half, or all of it, one pool of ten fewer keeps its objective.
	newest = 0.7

	// within is how far back that is followed: older peaks have no weight left.
	within = 6 * wide

	// remembered is how long errors count. A week of them lags behind a service
	// that grows: the 90 % quantile of ingress-02 then covers 77 %, and pools are
	// overloaded twice as often.
	remembered = 2 * day

	// fewestErrors is from when on they have quantiles: 97 % of 100 leaves three above.
	fewestErrors = 100
)

// levels are the quantiles there are to choose from. A higher one than the last
// is made of the worst quarter of an hour of two days, which is nothing to learn from.
var levels = [...]float64{0.7, 0.8, 0.85, 0.9, 0.925, 0.95, 0.96, 0.97, 0.98, 0.985, 0.99, 0.995}

// usualLevel is what counts while there is too little past to choose by.
const usualLevel = 5

// Look studies the demand of a pool, a value a minute, NaN where it is not
// known. slo is the share of minutes in which the pool may be overloaded.
func Look(demand series.Series, p Pool, slo float64) (*Study, error) {
	values, err := minutely(demand)
	if err != nil {
		return nil, err
	}
	if !(p.Capacity > 0) || p.Boot < 0 || p.Min < 0 || p.Max != 0 && p.Max < p.Min {
		return nil, fmt.Errorf("study a pool of %+v: a capacity above 0 and limits from 0 up are wanted", p)
	}
	if !(slo > 0 && slo < 1) {
		return nil, fmt.Errorf("study a pool: objective %g is not a share between 0 and 1", slo)
	}
	s := &Study{pool: p, slo: slo, start: demand.Start, demand: values, peaks: make([]float64, len(values))}
	for i := range values {
		s.peaks[i] = highest(values[max(0, i+1-wide) : i+1])
	}
	s.expect()
	return s, nil
}

// reach is how many minutes ahead a decision counts: until a unit ordered by
// the next one would work.
func (s *Study) reach() int { return s.pool.Boot + 1 }

// expect forecasts from every minute, as it would have been known then.
func (s *Study) expect() {
	n, reach := len(s.demand), s.reach()
	forecast := s.forecasts()
	s.median = unknown(n)
	s.need = make([][]float64, len(levels))
	for l := range s.need {
		s.need[l] = unknown(n)
	}
	s.record = newRecord(n)
	var errs sorted
	miss := func(i int) float64 { // by how much the demand after minute i passed its forecast
		if i < 0 {
			return math.NaN()
		}
		return highest(s.demand[i+1:i+1+reach]) - forecast[i]
	}
	for i := range n {
		known := i - reach
		errs.add(miss(known))
		errs.drop(miss(known - remembered))
		if known >= 0 {
			s.record.judge(i, highest(s.demand[known+1:i+1]), s.median[known], s.need[p90][known], s.yesterday(known))
		} else {
			s.record.judge(i, math.NaN(), math.NaN(), math.NaN(), math.NaN())
		}
		if len(errs) < fewestErrors {
			continue
		}
		s.median[i] = forecast[i] + errs.quantile(0.5)
		for l, q := range levels {
			s.need[l][i] = forecast[i] + errs.quantile(q)
		}
	}
}

// forecasts are those from every minute: by the usual course of the day, or by
// that of the week where it was the nearer one for as long as it could be judged.
func (s *Study) forecasts() []float64 {
	n, reach := len(s.demand), s.reach()
	out := make([]float64, n)
	byWeek := unknown(n)
	day, week := make([]float64, n+1), make([]float64, n+1) // running sums of what each erred by, where both are known
	tries := make([]int, n+1)
	byDay := make([]float64, n)
	for i := range n {
		byDay[i] = s.ahead(i, s.usual)
		if i >= weekly {
			byWeek[i] = s.ahead(i, s.usualInWeek)
		}
		day[i+1], week[i+1], tries[i+1] = day[i], week[i], tries[i]
		if from := i - reach; from >= 0 {
			came := highest(s.demand[from+1 : i+1])
			if d, w := math.Abs(came-byDay[from]), math.Abs(came-byWeek[from]); !math.IsNaN(d + w) {
				day[i+1], week[i+1], tries[i+1] = day[i]+d, week[i]+w, tries[i]+1
			}
		}
		out[i] = byDay[i]
		from := max(0, i+1-weekly)
		if tries[i+1]-tries[from] >= fewestWeekly && week[i+1]-week[from] < better*(day[i+1]-day[from]) && !math.IsNaN(byWeek[i]) {
			out[i] = byWeek[i]
		}
	}
	return out
}

// ahead forecasts the highest demand of the minutes after i that count: a usual
// course, moved to where demand is now.
func (s *Study) ahead(i int, usual func(i, now int) float64) float64 {
	off, known := 0.0, false
	for at := max(0, i-within); at <= i; at += wide {
		d := s.peaks[at] - usual(at, i)
		if math.IsNaN(d) {
			continue
		}
		if !known {
			off, known = d, true
		}
		off += newest * (d - off)
	}
	if !known {
		return math.NaN()
	}
	top := math.NaN()
	for h := min(wide, s.reach()); ; h = min(h+wide, s.reach()) {
		if u := usual(i+h, i); !math.IsNaN(u) && !(u <= top) {
			top = u
		}
		if h == s.reach() {
			return top + off
		}
	}
}

// usual returns the mean of the peaks whole days before minute i, of those
// that were known by minute now.
func (s *Study) usual(i, now int) float64 {
	sum, weights, w := 0.0, 0.0, 1.0
	for range cycles {
		i -= day
		if i > now {
			i -= day * ((i - now + day - 1) / day)
		}
		if i < 0 {
			break
		}
		if v := s.peaks[i]; !math.IsNaN(v) {
			sum += w * v
			weights += w
		}
		w *= recency
	}
	return sum / weights
}

// usualInWeek returns the mean of the peaks whole weeks before minute i.
func (s *Study) usualInWeek(i, now int) float64 {
	sum, weights, w := 0.0, 0.0, 1.0
	for i -= weekly; i >= 0; i -= weekly {
		if v := s.peaks[i]; i <= now && !math.IsNaN(v) {
			sum += w * v
			weights += w
		}
		w *= recency
	}
	return sum / weights
}

// yesterday is the seasonal naive forecast from minute i, which the other is
// held against: the highest demand of the same minutes a day before.
func (s *Study) yesterday(i int) float64 {
	if i+1 < day {
		return math.NaN()
	}
	return highest(s.demand[i+1-day : min(i+1, i+1-day+s.reach())])
}

// sorted are numbers in order.
type sorted []float64

func (s *sorted) add(v float64) {
	if !math.IsNaN(v) {
		at, _ := slices.BinarySearch(*s, v)
		*s = slices.Insert(*s, at, v)
	}
}

// drop takes away a number that was added.
func (s *sorted) drop(v float64) {
	if at, found := slices.BinarySearch(*s, v); found && !math.IsNaN(v) {
		*s = slices.Delete(*s, at, at+1)
	}
}

// quantile returns the conformal one: what a further number stays below with
// the chance of q.
func (s sorted) quantile(q float64) float64 {
	return s[min(max(int(math.Ceil(q*float64(len(s)+1)))-1, 0), len(s)-1)]
}

func unknown(n int) []float64 {
	vs := make([]float64, n)
	for i := range vs {
		vs[i] = math.NaN()
	}
	return vs
}

// highest returns the greatest value that is there, NaN where none is.
func highest(vs []float64) float64 {
	top := math.NaN()
	for _, v := range vs {
		if !math.IsNaN(v) && !(v <= top) {
			top = v
		}
	}
	return top
}
