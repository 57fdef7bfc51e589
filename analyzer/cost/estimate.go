package cost

import (
	"fmt"
	"sync"
)

// A Spec is what somebody means to run for a month.
type Spec struct {
	Region string
	Lines  []Line
	WhatIf []WhatIf
}

// A Line is so much of an item of the price book. Hours is how long a month is
// taken to be, for an item that is paid by the hour.
type Line struct {
	Item, Called string
	Quantity     float64
	Hours        float64
}

// A WhatIf is a share of an item's price that something is said to save.
type WhatIf struct {
	Called, Item string
	Off          float64 // 0..1
}

// An Estimate is the money for a [Spec] by one book.
type Estimate struct {
	Lines []Priced
	Total float64 // USD a month, of the lines that have a price
}

// Priced is a line with its money.
type Priced struct {
	Line
	Rate   Rate
	Known  bool // false: the book has no price, and Amount is 0
	Amount float64
}

// Price estimates a month of s. A line's amount is rounded to the cent, and the
// total is the sum of those, as on a bill.
func (b *Book) Price(s Spec) Estimate {
	var e Estimate
	for _, l := range s.Lines {
		p := Priced{Line: l}
		if p.Rate, p.Known = b.Rate(s.Region, l.Item); p.Known {
			units := l.Quantity
			if p.Rate.Unit == "hour" {
				units *= l.Hours
			}
			p.Amount = Cents(units * p.Rate.USD)
		}
		e.Total = Cents(e.Total + p.Amount)
		e.Lines = append(e.Lines, p)
	}
	return e
}

// With returns the total of e where w holds.
func (e Estimate) With(w WhatIf) float64 {
	total := e.Total
	for _, l := range e.Lines {
		if l.Item == w.Item {
			total -= Cents(l.Amount * w.Off)
		}
	}
	return Cents(total)
}

// Explain says, line by line and then of the whole, why a quoted estimate is
// not what list prices come to.
func Explain(quoted, listed Estimate) []string {
	var why []string
	for i, q := range quoted.Lines {
		l := listed.Lines[i]
		switch {
		case !q.Known || !l.Known:
			why = append(why, fmt.Sprintf("%s: there is no price for %s", q.Called, q.Item))
		case q.Amount == l.Amount:
		case l.Rate.USD == 0:
			why = append(why, fmt.Sprintf("%s: %s", q.Called, l.Rate.Note))
		default:
			said := fmt.Sprintf("%s: $%s quoted is $%.4f an hour each, the list says $%.4f: the quote is %.0f %% of it",
				q.Called, Dollars(q.Amount), q.hourly(), l.hourly(), 100*q.Amount/l.Amount)
			if l.Rate.Note != "" {
				said += " (" + l.Rate.Note + ")"
			}
			why = append(why, said)
		}
	}
	if a, b := monthsOf(quoted.Lines); a != b {
		why = append(why, fmt.Sprintf("the quote takes a month for %.0f hours in one row and for %.0f in another", a, b))
	}
	return why
}

func (p Priced) hourly() float64 {
	if p.Quantity == 0 || p.Hours == 0 {
		return 0
	}
	return p.Amount / p.Quantity / p.Hours
}

// monthsOf returns the shortest and the longest month in lines.
func monthsOf(lines []Priced) (shortest, longest float64) {
	for _, l := range lines {
		if l.Hours == 0 {
			continue
		}
		if shortest == 0 || l.Hours < shortest {
			shortest = l.Hours
		}
		longest = max(longest, l.Hours)
	}
	return shortest, longest
}

// Sample returns the sample cost table: what it is about, and the book it was
// made with.
func Sample() (Spec, *Book) { return sample().spec, sample().book }

var sample = sync.OnceValue(func() (s struct {
	spec Spec
	book *Book
}) {
	s.spec.Region = "us-east-1"
	s.book = must(readBook(files, "", "sample/prices.csv"))
	must(0, each(files, "sample/cluster.csv", "item,quantity,hours,called", func(f []string) error {
		l := Line{Item: f[0], Called: f[3]}
		hours := f[2]
		if hours == "" {
			hours = "0"
		}
		err := numbers([]string{f[1], hours}, &l.Quantity, &l.Hours)
		s.spec.Lines = append(s.spec.Lines, l)
		return err
	}))
	must(0, each(files, "sample/whatif.csv", "called,item,off", func(f []string) error {
		w := WhatIf{Called: f[0], Item: f[1]}
		err := numbers(f[2:], &w.Off)
		s.spec.WhatIf = append(s.spec.WhatIf, w)
		return err
	}))
	return s
})

// A Comparison is one spec by two books.
type Comparison struct {
	Lines  []Both   `json:"lines"`
	Quoted float64  `json:"quotedUSD"`
	Listed float64  `json:"listedUSD"`
	WhatIf []IfBoth `json:"whatIf"`
	Why    []string `json:"why"`
}

// Both is a line by two books.
type Both struct {
	Called   string  `json:"called"`
	Item     string  `json:"item"`
	Quantity float64 `json:"quantity"`
	Quoted   float64 `json:"quotedUSD"`
	Listed   float64 `json:"listedUSD"`
}

// IfBoth is what the total is by two books where a what-if holds.
type IfBoth struct {
	Called string  `json:"called"`
	Item   string  `json:"item"`
	Off    float64 `json:"off"`
	Quoted float64 `json:"quotedUSD"`
	Listed float64 `json:"listedUSD"`
}

// Compare estimates s by the book it was quoted with and by list prices.
func Compare(s Spec, quoted, listed *Book) Comparison {
	q, l := quoted.Price(s), listed.Price(s)
	c := Comparison{Quoted: q.Total, Listed: l.Total, Why: Explain(q, l)}
	for i, line := range q.Lines {
		c.Lines = append(c.Lines, Both{line.Called, line.Item, line.Quantity, line.Amount, l.Lines[i].Amount})
	}
	for _, w := range s.WhatIf {
		c.WhatIf = append(c.WhatIf, IfBoth{w.Called, w.Item, w.Off, q.With(w), l.With(w)})
	}
	return c
}
