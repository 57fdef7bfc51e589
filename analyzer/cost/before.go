package cost

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// Before is the same report of the window before, as far as it tells what changed.
type Before struct {
	From    time.Time `json:"from"`
	To      time.Time `json:"to"`
	Total   Measure   `json:"total"` // GPUs; USD with CPUs and memory
	Changes []Change  `json:"changes"`
}

// A Change is what one namespace or workload cost more, or less, than before.
type Change struct {
	Of     string  `json:"of"` // namespace or workload
	Name   string  `json:"name"`
	Before float64 `json:"beforeUSD"`
	Now    float64 `json:"usd"`
	Why    string  `json:"why"` // in which hours, or at which price
}

const (
	// mostChanges is how many of a kind are worth a reader's time.
	mostChanges = 5
	// telling is the share of all money from which a change is told: below it
	// weeks differ by themselves.
	telling = 0.01
	// wholly is how much of a window must have been seen to compare with it: a
	// service that is nine days old knows two days of the week before.
	wholly = 0.9
)

// seen returns which share of its window a report knows of the GPUs it knows.
func (r *Report) seen() float64 {
	return (r.Total.GPUHours + r.Unseen) / (r.facts.To.Sub(r.facts.From).Hours() * float64(len(r.facts.GPUs)))
}

// Compared makes the report of the window that ends at now beside the one before it.
func (d *Desk) Compared(ctx context.Context, window time.Duration, now time.Time) (Report, error) {
	r, err := d.Report(ctx, window, now)
	if err != nil {
		return r, err
	}
	before, err := d.Report(ctx, window, r.From)
	switch {
	case err != nil && ctx.Err() != nil:
		return r, err
	case err != nil:
		r.Gaps = append(r.Gaps, fmt.Sprintf("the %s before could not be read, so that nothing is compared: %v", span(window), err))
	case before.Total.GPUHours == 0:
		r.Gaps = append(r.Gaps, fmt.Sprintf("nothing was seen of the %s before, so that nothing is compared", span(window)))
	case before.seen() < wholly:
		r.Gaps = append(r.Gaps, fmt.Sprintf("of the %s before only %.0f %% was seen, so that nothing is compared", span(window), 100*before.seen()))
	default:
		r.compare(&before)
	}
	return r, nil
}

// compare says what r costs more or less than before.
func (r *Report) compare(before *Report) {
	b := &Before{From: before.From, To: before.To, Total: Measure{before.Total.GPUHours, before.Total.All()}, Changes: []Change{}}
	least := telling * max(r.Total.All(), before.Total.All())
	for _, t := range []struct {
		of       string
		now, was []Row
	}{{"namespace", r.Namespace, before.Namespace}, {"workload", r.Workload, before.Workload}} {
		was := map[string]Row{}
		for _, row := range t.was {
			was[row.Name] = row
		}
		var cs []Change
		add := func(name string, now, was Row) {
			if math.Abs(now.All()-was.All()) >= least && now.All() != was.All() {
				cs = append(cs, Change{Of: t.of, Name: name, Before: Cents(was.All()), Now: Cents(now.All()), Why: why(now, was)})
			}
		}
		for _, row := range t.now {
			add(row.Name, row, was[row.Name])
			delete(was, row.Name)
		}
		for name, row := range was { // gone; the order is set below
			add(name, Row{}, row)
		}
		slices.SortFunc(cs, func(a, b Change) int {
			return cmp.Or(cmp.Compare(math.Abs(b.Now-b.Before), math.Abs(a.Now-a.Before)), cmp.Compare(a.Name, b.Name))
		})
		b.Changes = append(b.Changes, cs[:min(mostChanges, len(cs))]...)
	}
	if r.Unseen+before.Unseen > 0 || math.Abs(r.Total.GPUHours-before.Total.GPUHours) > telling*before.Total.GPUHours {
		r.Gaps = append(r.Gaps, fmt.Sprintf("%.1f GPU-hours were seen, and %.1f in the %s before: what was not seen of either looks like a change", r.Total.GPUHours, before.Total.GPUHours, span(r.To.Sub(r.From))))
	}
	r.Before = b
}

// why says which hours a row has more or less of, the most first, and what an
// hour costs where that changed.
func why(now, was Row) string {
	type part struct {
		class Class
		hours float64
	}
	var parts []part
	for _, c := range Classes {
		if d := now.Classes[c].GPUHours - was.Classes[c].GPUHours; math.Abs(d) >= 0.05 {
			parts = append(parts, part{c, d})
		}
	}
	slices.SortStableFunc(parts, func(a, b part) int { return cmp.Compare(math.Abs(b.hours), math.Abs(a.hours)) })
	var says []string
	for _, p := range parts {
		says = append(says, fmt.Sprintf("%+.1f GPU-hours %s", p.hours, p.class))
	}
	if now.GPUHours > 0 && was.GPUHours > 0 {
		if a, b := was.USD/was.GPUHours, now.USD/now.GPUHours; math.Abs(a-b) >= 0.005 {
			says = append(says, fmt.Sprintf("a GPU-hour costs $%s instead of $%s", Dollars(b), Dollars(a)))
		}
	}
	if d := now.CPU + now.Memory - was.CPU - was.Memory; len(says) == 0 || math.Abs(d) > math.Abs(now.USD-was.USD) {
		says = append(says, fmt.Sprintf("%+.2f USD of CPU and memory", d))
	}
	return strings.Join(says, ", ")
}
