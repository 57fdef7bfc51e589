package answer

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"vedette.dev/analyzer/cost"
	"vedette.dev/nlq"
)

// cost answers from a report of the window that was asked for.
func (d *Desk) cost(ctx context.Context, a *Answer, c nlq.Cost, now time.Time) error {
	window := c.Window
	if c.Of == nlq.Fragmentation {
		window = past // of whose pods it is asked whether they would find room
	}
	r, err := d.Costs.Report(ctx, window, now)
	if err != nil {
		return err
	}
	a.Kind, a.Cost = KindCost, &CostResult{From: r.From, To: r.To, By: c.By, Rows: []CostRow{}}
	if c.Of == nlq.Fragmentation {
		a.Cost.Text, a.Expr = r.Fragmentation.String(), r.Fragmentation.Query
		return nil
	}
	a.Caveats = append(append(a.Caveats, r.Warnings...), r.Gaps...)
	whole, found := r.Total, true
	if c.Name != "" {
		c.Kind, whole, found = named(&r, c)
	}
	if !found {
		a.Cost.Text = fmt.Sprintf("Nothing called %s had a GPU in the last %s.", c.Name, nlq.Period(c.Window))
		return nil
	}
	a.Expr = whole.Query
	if c.Idle {
		a.Expr = r.ClassQuery(cost.Idle)
		if c.Name != "" {
			a.Expr = "" // it would be of everybody's
		}
	}
	a.Cost.Text = costSentence(c, whole, r.Effective)
	if c.By != "" {
		a.Cost.Rows = costRows(c, r.By(c.By, c.Kind, whole.Name))
	}
	return nil
}

// named finds the row that c names, in the tables that its kind allows.
func named(r *cost.Report, c nlq.Cost) (kind string, whole cost.Row, found bool) {
	for _, kind := range []string{"namespace", "team", "workload", "pod", "pool"} {
		if c.Kind != "" && c.Kind != kind && !(c.Kind == "namespace" && kind == "team") { // team-a may be called either
			continue
		}
		for _, row := range r.By(kind, "", "") {
			_, name, inNamespace := strings.Cut(row.Name, "/")
			if row.Name == c.Name || inNamespace && name == c.Name {
				return kind, row, true
			}
		}
	}
	return c.Kind, whole, false
}

func costSentence(c nlq.Cost, row cost.Row, effective float64) string {
	who := "All GPUs"
	if c.Name != "" {
		who = strings.ToUpper(c.Kind[:1]) + c.Kind[1:] + " " + row.Name
	}
	in := "in the last " + nlq.Period(c.Window)
	idle := row.Wasted()
	price := ""
	if row.Unpriced > 0 {
		price = fmt.Sprintf(", besides %.1f GPU hours without a price", row.Unpriced)
	}
	if c.Idle {
		held := row.GPUHours - row.Classes[cost.Unallocated].GPUHours - row.Classes[cost.Quarantined].GPUHours
		share := ""
		if held > 0 {
			share = fmt.Sprintf(", %.1f %% of those that somebody had", 100*idle.GPUHours/held)
		}
		each := ""
		if idle.GPUHours > 0 && idle.USD > 0 {
			each = fmt.Sprintf(": $%.2f an hour each", idle.USD/idle.GPUHours)
		}
		s := fmt.Sprintf("%s: %.1f GPU hours were held idle %s%s. They cost $%s%s%s.", who, idle.GPUHours, in, share, cost.Dollars(idle.USD), each, price)
		if free := row.Classes[cost.Unallocated]; c.Name == "" && free.GPUHours > 0 {
			s += fmt.Sprintf(" Another %.1f that nobody had cost $%s.", free.GPUHours, cost.Dollars(free.USD))
		}
		return s
	}
	s := fmt.Sprintf("%s: $%s for %.1f GPU hours %s%s, %.1f of them held idle.", who, cost.Dollars(row.USD), row.GPUHours, in, price, idle.GPUHours)
	if c.Name == "" && effective > 0 {
		s += fmt.Sprintf(" With CPU and memory of their machines an hour of use cost $%.2f.", effective)
	}
	return s
}

// costRows lists what was asked for, the most first, and leaves out what nobody had
// where it is asked who, and who had no GPU.
func costRows(c nlq.Cost, rows []cost.Row) []CostRow {
	out := []CostRow{}
	for _, r := range rows {
		if r.GPUHours > 0 && (r.Name != cost.Nobody || !c.Idle && c.Top == 0) {
			out = append(out, CostRow{r.Name, r.GPUHours, cost.Cents(r.USD), r.Wasted().GPUHours, r.Unpriced, r.Query})
		}
	}
	slices.SortStableFunc(out, func(a, b CostRow) int {
		switch {
		case c.Idle:
			return cmp.Compare(b.Idle, a.Idle)
		case c.Of == nlq.Money:
			return cmp.Compare(b.USD, a.USD)
		}
		return cmp.Compare(b.GPUHours, a.GPUHours)
	})
	if c.Top > 0 {
		out = out[:min(c.Top, len(out))]
	}
	return out
}
