package scale

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"time"

	"vedette.dev/analyzer/action"
)

// Early is what became of the units that were there because of a forecast, over
// the last days.
type Early struct {
	Days    float64 `json:"days"`
	Units   int     `json:"units"`   // that were added, and whose time is over
	Needed  int     `json:"needed"`  // of them, that demand came to ask for while they were there
	Waiting int     `json:"waiting"` // added, not asked for yet, and still there
	Hours   float64 `json:"unitHours"`
	USD     float64 `json:"usd,omitempty"` // of those hours; 0 where what a unit costs is not known
	Now     int     `json:"now"`           // units that are there now
}

// String says it in a sentence, "" where nothing was ever added.
func (e Early) String() string {
	if e.Units+e.Waiting == 0 && e.Hours == 0 {
		return ""
	}
	s := fmt.Sprintf("%d of %d units that were added early in the last %.3g days were needed", e.Needed, e.Units, e.Days)
	switch {
	case e.Units == 0:
		s = fmt.Sprintf("%d units are there early and may yet be needed", e.Waiting)
	case e.Waiting > 0:
		s += fmt.Sprintf(", %d more may yet be", e.Waiting)
	}
	s += fmt.Sprintf("; early units were there for %.1f hours in all", e.Hours)
	if e.USD > 0 {
		s += fmt.Sprintf(", $%.2f by the price book", e.USD)
	}
	return s
}

// A change is how many units were set because of a forecast, from a minute of
// the demand on. One from before the first minute has a negative one.
type change struct{ at, units int }

// changes reads from the ledger what was set.
func changes(ctx context.Context, l *action.Ledger, t *Target, from time.Time) ([]change, error) {
	done, err := l.Since(ctx, t.bare(), from)
	if err != nil {
		return nil, err
	}
	var cs []change
	for _, e := range done {
		n, err := strconv.Atoi(e.Params[Units])
		if err != nil {
			return nil, fmt.Errorf("read how many units action %d set: %w", e.ID, err)
		}
		cs = append(cs, change{int(math.Floor(e.Finished.Sub(from).Minutes())), n})
	}
	return cs, nil
}

// early judges the units that changes added to what demand asked for. Each of
// them is one that demand did not ask for when it came: the next after those,
// and so on. It was needed where demand came to ask for it before it went, or in
// the minute in which it did: what demand takes up is no longer added.
func early(p Pool, demand []float64, whole bool, cs []change) Early {
	e := Early{Days: float64(len(demand)) / day}
	type unit struct{ number, nth int } // of the pool, and of what is set
	var there []unit
	judge := func(reactive int, gone func(unit) bool) {
		kept := there[:0]
		for _, u := range there {
			switch {
			case reactive >= u.number:
				e.Units++
				e.Needed++
			case gone(u):
				e.Units++
			default:
				kept = append(kept, u)
			}
		}
		there = kept
	}
	set := 0
	if whole {
		set = p.Min
	}
	for len(cs) > 0 && cs[0].at < 0 { // as it was before: whether that was needed is not judged here
		set, cs = cs[0].units, cs[1:]
	}
	reactive := p.Min
	for at, d := range demand {
		if !math.IsNaN(d) {
			reactive = p.units(d)
		}
		before := set
		for len(cs) > 0 && cs[0].at <= at {
			set, cs = cs[0].units, cs[1:]
		}
		judge(reactive, func(u unit) bool { return u.nth > set })
		for nth := before + 1; nth <= set; nth++ {
			number := nth
			if !whole {
				number += reactive
			}
			if number > reactive {
				there = append(there, unit{number, nth})
			}
		}
		e.Now = set
		if whole {
			e.Now = max(0, set-max(p.Min, reactive))
		}
		e.Hours += float64(e.Now) / 60
	}
	e.Waiting = len(there)
	return e
}
