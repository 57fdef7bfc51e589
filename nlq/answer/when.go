package answer

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"vedette.dev/analyzer/forecast"
	"vedette.dev/analyzer/series"
	"vedette.dev/nlq"
	"vedette.dev/nlq/compile"
	"vedette.dev/rules/catalog"
)

// A scale is how far a forecast looks back and ahead. A disk fills over days, a
// queue in minutes: no single spacing of samples shows both.
type scale struct {
	past    time.Duration
	step    time.Duration
	horizon int // steps
}

// tried is how many steps ahead the record on the past looks: far enough to
// mean something, and often enough to be counted.
func (s scale) tried() int { return s.horizon / 3 }

// ahead returns how far n steps reach.
func (s scale) ahead(n int) time.Duration { return time.Duration(n) * s.step }

// scales, the longest first.
var scales = []scale{
	{past, 15 * time.Minute, 288},            // a week, for three days
	{6 * time.Hour, 2 * time.Minute, 60},     // six hours, for two
	{30 * time.Minute, 15 * time.Second, 60}, // half an hour, for a quarter
}

// maxForecasts bounds how many series are forecast: those nearest to the limit.
const maxForecasts = 12

func (d *Desk) when(ctx context.Context, a *Answer, w nlq.When, now time.Time) error {
	f, err := compile.When(w, d.Catalog)
	if err != nil {
		return err
	}
	a.Kind, a.Expr = KindWhen, f.Expr
	unit := w.Measure.Unit(d.Catalog)
	a.When = &WhenResult{Unit: string(unit), Limit: f.Limit, Horizon: now.Add(scales[0].ahead(scales[0].horizon)).UTC(), Series: []ChartSeries{}}
	ends, err := d.limits(ctx, f, now)
	if err != nil {
		return err
	}
	if len(ends) == 0 {
		a.When.Text = fmt.Sprintf("Not known: nothing sends %s now.", w.Measure.Metric)
		return nil
	}
	if first := ends[0]; first.past() {
		a.When.already(first, unit)
		return d.showPast(ctx, a, f.Expr, first, now)
	}
	best, err := d.soonest(ctx, f.Expr, ends[:min(len(ends), maxForecasts)], now)
	if err != nil {
		return err
	}
	a.When.tell(best, unit, now)
	a.Caveats = append(a.Caveats, best.forecast.Caveats...)
	if len(ends) > 1 {
		a.Caveats = append(a.Caveats, fmt.Sprintf("of %d series, this is the first to get there: %s", len(ends), best.labels))
	}
	return nil
}

// An end is one series with where it is and where it must not get.
type end struct {
	labels     string
	now, limit float64
	rising     bool
}

func (e end) past() bool { return e.rising && e.now >= e.limit || !e.rising && e.now <= e.limit }

// left is the share of the limit, or of the value, that is still between them.
func (e end) left() float64 {
	return math.Abs(e.limit-e.now) / max(math.Abs(e.limit), math.Abs(e.now), math.SmallestNonzeroFloat64)
}

// limits returns the series that are there now, the nearest to its limit first.
func (d *Desk) limits(ctx context.Context, f compile.Forecast, now time.Time) ([]end, error) {
	ss, err := d.Querier.Query(ctx, f.Expr, series.Instant(now))
	if err != nil {
		return nil, fmt.Errorf("query %q: %w", f.Expr, err)
	}
	limits := map[string]float64{}
	if f.Capacity != "" {
		cs, err := d.Querier.Query(ctx, f.Capacity, series.Instant(now))
		if err != nil {
			return nil, fmt.Errorf("query %q: %w", f.Capacity, err)
		}
		for _, c := range cs {
			if _, v, ok := c.Last(); ok {
				limits[place(c)] = v
			}
		}
	}
	var ends []end
	for _, s := range ss {
		_, v, ok := s.Last()
		e := end{labels: place(s), now: v, limit: f.Limit, rising: f.Rising}
		if f.Capacity != "" && ok {
			e.limit, ok = limits[e.labels]
		}
		if ok {
			ends = append(ends, e)
		}
	}
	slices.SortStableFunc(ends, func(x, y end) int {
		if x.past() != y.past() {
			if x.past() {
				return -1
			}
			return 1
		}
		return cmp.Compare(x.left(), y.left())
	})
	return ends, nil
}

// place is a series without its metric's name, so that a usage and its
// capacity can be put side by side.
func place(s series.Series) string {
	l := maps.Clone(s.Labels)
	delete(l, "__name__")
	return series.Selector(l)
}

// A crossing is a forecast of one series at one scale.
type crossing struct {
	end
	scale                    scale
	history                  series.Series
	forecast                 forecast.Forecast
	median, earliest, latest time.Time
	reached                  bool
}

// soonest forecasts the ends at every scale and returns the usable forecast
// that gets to its limit first; where none gets there, the usable one that
// looks furthest; where none is usable, the longest of the first end.
func (d *Desk) soonest(ctx context.Context, expr string, ends []end, now time.Time) (crossing, error) {
	var best *crossing
	for _, sc := range scales {
		to := now.Truncate(sc.step)
		ss, err := d.Querier.Query(ctx, expr, series.Range{From: to.Add(-sc.past), To: to, Step: sc.step})
		if err != nil {
			return crossing{}, fmt.Errorf("query %q: %w", expr, err)
		}
		for _, e := range ends {
			i := slices.IndexFunc(ss, func(s series.Series) bool { return place(s) == e.labels })
			if i < 0 {
				continue
			}
			c := crossing{end: e, scale: sc, history: ss[i]}
			if c.forecast, err = forecast.Make(ss[i], sc.horizon, forecast.Options{}); err != nil {
				continue // one sample: another scale may have more
			}
			c.median, c.earliest, c.latest, c.reached = forecast.Crossing(c.forecast, e.limit, e.rising)
			if best == nil || c.better(*best) {
				best = &c
			}
		}
	}
	if best == nil {
		return crossing{end: ends[0], forecast: forecast.Forecast{Caveats: []string{"there are fewer than two samples"}}}, nil
	}
	return *best, nil
}

func (c crossing) better(than crossing) bool {
	switch {
	case c.forecast.Usable != than.forecast.Usable:
		return c.forecast.Usable
	case !c.forecast.Usable:
		return false
	case c.reached != than.reached:
		return c.reached
	case !c.reached:
		return false // the scales come longest first
	}
	return c.median.Before(than.median)
}

// already says that the limit is behind.
func (w *WhenResult) already(e end, unit catalog.Unit) {
	w.Already, w.Now, w.Limit = true, e.now, e.limit
	w.Text = fmt.Sprintf("It is there now: %s, and the limit is %s%s.", amount(e.now, unit), amount(e.limit, unit), of(e.labels))
}

// tell fills in what a forecast comes to.
func (w *WhenResult) tell(c crossing, unit catalog.Unit, now time.Time) {
	w.Now, w.Limit = c.now, c.limit
	if len(c.forecast.Mean) == 0 {
		w.Text = "Not known: there is too little history to forecast from."
		return
	}
	w.Horizon = c.forecast.At(len(c.forecast.Mean) - 1).UTC()
	w.Series = []ChartSeries{line("past", c.history.Start, c.history.Step, c.history.Values)}
	tried := c.scale.tried()
	if record := forecast.Held(c.history, tried, forecast.Options{}); record.Of > 0 {
		w.Held = fmt.Sprintf("%s such forecasts of its past held: the value %s later lay within the 90 %% band.", record, nlq.Period(c.scale.ahead(tried)))
	} else {
		w.Held = "Such a forecast was never tried on its past: there is too little."
	}
	if !c.forecast.Usable {
		w.Text = fmt.Sprintf("No usable forecast: nothing foretells it better than that it stays at %s%s.", amount(c.now, unit), of(c.labels))
		return
	}
	for _, q := range []struct {
		name  string
		level float64
	}{{"median", 0.5}, {"low", 0.1}, {"high", 0.9}} {
		vs, _ := c.forecast.Quantile(q.level)
		w.Series = append(w.Series, line(q.name, c.forecast.Start, c.forecast.Step, vs))
	}
	w.Reached, w.At, w.Earliest, w.Latest = c.reached, c.median.UTC(), c.earliest.UTC(), c.latest.UTC()
	if !c.reached {
		w.Text = fmt.Sprintf("Not within %s, by the median of the forecast%s.", nlq.Period(c.scale.ahead(c.scale.horizon)), of(c.labels))
		if !c.earliest.IsZero() {
			w.Text += fmt.Sprintf(" One time in ten it is there by %s.", clock(c.earliest, now))
		}
		return
	}
	latest := "later than " + clock(w.Horizon, now)
	if !c.latest.IsZero() {
		latest = clock(c.latest, now)
	}
	w.Text = fmt.Sprintf("In about %s, at %s%s. Eight times in ten it is between %s and %s.",
		about(c.median.Sub(now)), clock(c.median, now), of(c.labels), clock(c.earliest, now), latest)
}

// showPast draws how a limit that is behind was reached.
func (d *Desk) showPast(ctx context.Context, a *Answer, expr string, e end, now time.Time) error {
	sc := scales[1]
	ss, err := d.Querier.Query(ctx, expr, series.Range{From: now.Add(-sc.past), To: now, Step: sc.step})
	if err != nil {
		return fmt.Errorf("query %q: %w", expr, err)
	}
	if i := slices.IndexFunc(ss, func(s series.Series) bool { return place(s) == e.labels }); i >= 0 {
		a.When.Series = chart(ss[i : i+1])
	}
	return nil
}

// of names a series; one without labels is the whole.
func of(labels string) string {
	if labels == "{}" {
		return ""
	}
	return ", for " + labels
}

func amount(v float64, u catalog.Unit) string { return nlq.Amount(math.Round(v*100)/100, u) }

// clock writes a time of the near future.
func clock(t, now time.Time) string {
	t, now = t.UTC(), now.UTC()
	if t.Format(time.DateOnly) == now.Format(time.DateOnly) {
		return t.Format("15:04 UTC")
	}
	return t.Format("2 January 15:04 UTC")
}

// about rounds a duration to what a forecast can mean.
func about(d time.Duration) string {
	switch {
	case d < time.Minute:
		return "a minute"
	case d < 2*time.Hour:
		return nlq.Period(d.Round(time.Minute))
	case d < 48*time.Hour:
		return nlq.Period(d.Round(time.Hour))
	}
	return nlq.Period(d.Round(24 * time.Hour))
}
