package cost

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"vedette.dev/analyzer/series"
)

// An Outage is what the GPUs of a node cost that could not be used: lost ones,
// and free ones of a node that took no pods.
type Outage struct {
	Node     string  `json:"node"`
	Lost     float64 `json:"lostGPUHours"`
	Away     float64 `json:"awayGPUHours"`
	USD      float64 `json:"usd"`
	Times    int     `json:"times"`              // a GPU lost, or the node away, began or went on
	Mean     float64 `json:"meanHours"`          // of those that ended in the window; 0 where none did
	Standing int     `json:"standing,omitempty"` // those that have not ended
}

// outages says what faults cost, the dearest first.
func outages(f *Facts, b *Book, us []Use) []Outage {
	by := map[string]*Outage{}
	on := func(node string) *Outage {
		if by[node] == nil {
			by[node] = &Outage{Node: node}
		}
		return by[node]
	}
	for _, u := range us {
		if u.Class != Quarantined {
			continue
		}
		o := on(u.Node)
		o.USD += u.USD
		if u.Lost {
			o.Lost += u.GPUHours
		} else {
			o.Away += u.GPUHours
		}
	}
	ended := map[string]int{}
	count := func(node string, there []float64) {
		o := by[node]
		if o == nil {
			return // away, and all of its GPUs were had: nothing was lost by it
		}
		run := 0
		for i := f.Lead; i < len(there); i++ {
			if there[i] > 0 {
				run++
				continue
			}
			if run > 0 {
				o.Times++
				ended[node]++
				o.Mean += float64(run) * f.Step.Hours()
			}
			run = 0
		}
		if run > 0 {
			o.Times++
			o.Standing++
		}
	}
	for i := range f.GPUs {
		count(f.GPUs[i].Node, f.GPUs[i].Lost)
	}
	for name, n := range f.Nodes {
		count(name, n.Away)
	}
	out := []Outage{}
	for _, node := range slices.Sorted(maps.Keys(by)) {
		o := by[node]
		if n := ended[node]; n > 0 {
			o.Mean /= float64(n)
		}
		out = append(out, *o)
	}
	slices.SortStableFunc(out, func(a, b Outage) int { return cmp.Compare(b.USD, a.USD) })
	return out
}

// Early is what the units of a pool cost that were there before they were asked
// for, as the forecasts of [vedette.dev/analyzer/scale] had them. Units that
// are pods with a GPU are in the rows too, as idle-held.
type Early struct {
	Pool      string  `json:"pool"`
	UnitHours float64 `json:"unitHours"`
	USD       float64 `json:"usd"`    // 0 where what a unit costs is not known
	Judged    int     `json:"judged"` // units whose time was over, of seven days
	Needed    int     `json:"needed"` // of them
}

// early reads what was there ahead of need.
func (r *reader) early(ctx context.Context) error {
	window := span(r.To.Sub(r.From))
	by := map[string]*Early{}
	for _, q := range []struct {
		expr string
		put  func(of *Early, v float64)
	}{
		{fmt.Sprintf("sum_over_time(max by (pool) (vedette_early_units)[%s:1m] @ %d) / 60", window, r.To.Unix()), func(of *Early, v float64) { of.UnitHours = v }},
		{fmt.Sprintf("sum_over_time((max by (pool) (vedette_early_units) * max by (pool) (vedette_pool_unit_usd))[%s:1m] @ %d) / 60", window, r.To.Unix()), func(of *Early, v float64) { of.USD = v }},
		{`max by (pool) (vedette_early_units_judged{outcome="needed"})`, func(of *Early, v float64) { of.Needed, of.Judged = int(v), of.Judged+int(v) }},
		{`max by (pool) (vedette_early_units_judged{outcome="not needed"})`, func(of *Early, v float64) { of.Judged += int(v) }},
	} {
		ss, err := r.q.Query(ctx, q.expr, series.Instant(r.To))
		if err != nil {
			return err
		}
		for _, s := range ss {
			pool := s.Labels["pool"]
			if by[pool] == nil {
				by[pool] = &Early{Pool: pool}
			}
			q.put(by[pool], s.Values[0])
		}
	}
	for _, pool := range slices.Sorted(maps.Keys(by)) {
		r.Early = append(r.Early, *by[pool])
	}
	return nil
}

// hoursLong writes hours as people do.
func hoursLong(h float64) string {
	return (time.Duration(h * float64(time.Hour))).Round(time.Minute).String()
}
