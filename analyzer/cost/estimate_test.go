package cost

import (
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

// The sample cost table, every cent of it, and what list prices come to.
func TestSampleTable(t *testing.T) {
	spec, book := Sample()
	amounts := func(e Estimate) (out []float64) {
		for _, l := range e.Lines {
			out = append(out, l.Amount)
		}
		return append(out, e.Total)
	}
	quoted, listed := book.Price(spec), Listed().Price(spec)
	if diff := cmp.Diff([]float64{72, 1821.60, 40, 18, 21.90, 1973.50}, amounts(quoted)); diff != "" {
		t.Errorf("by its own book (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]float64{72, 3507.84, 40, 16.20, 0, 3636.04}, amounts(listed)); diff != "" {
		t.Errorf("by list prices (-want +got):\n%s", diff)
	}
	want := []string{
		"GPU nodes: $1,821.60 quoted is $0.8433 an hour each, the list says $1.6240: the quote is 52 % of it",
		"Application Load Balancer: $18.00 quoted is $0.0250 an hour each, the list says $0.0225: the quote is 111 % of it (and 0.008 an hour for each capacity unit that is used)",
		"GPU Cluster Autoscaler: managed add-ons and the cluster autoscaler are not billed: only what they run on",
		"the quote takes a month for 720 hours in one row and for 730 in another",
	}
	if diff := cmp.Diff(want, Explain(quoted, listed)); diff != "" {
		t.Errorf("why (-want +got):\n%s", diff)
	}
	var with []float64
	for _, w := range spec.WhatIf {
		with = append(with, quoted.With(w), listed.With(w))
	}
	if diff := cmp.Diff([]float64{1663.83, 3039.71, 1335.94, 2408.30}, with); diff != "" {
		t.Errorf("with what is said to save (-want +got):\n%s", diff)
	}
}

// With months of 730 hours the machines alone are what the dossier of list prices says.
func TestMonthOf730(t *testing.T) {
	e := Listed().Price(Spec{Region: "us-east-1", Lines: []Line{{Item: "g5.4xlarge", Quantity: 3, Hours: monthHours}}})
	if e.Total != 3556.56 {
		t.Errorf("three g5.4xlarge for a month are %v, want 3556.56", e.Total)
	}
}

// What has no price has none: it is not a free one.
func TestNoPrice(t *testing.T) {
	spec := Spec{Region: "eu-west-1", Lines: []Line{{Item: "g5.4xlarge", Called: "GPU nodes", Quantity: 3, Hours: monthHours}}}
	e := Listed().Price(spec)
	if e.Lines[0].Known || e.Total != 0 {
		t.Errorf("a price that is not in the book is %+v", e)
	}
	if got := Explain(e, e); len(got) != 1 || got[0] != "GPU nodes: there is no price for g5.4xlarge" {
		t.Errorf("why: %q", got)
	}
}

func TestBadBooks(t *testing.T) {
	const header = "region,item,unit,usd,note,as_of,source\n"
	for name, tt := range map[string]struct{ row, want string }{
		"no source": {"r,x,hour,1,,2026-01-01,\n", "b.csv:2: has no source"},
		"no date":   {"r,x,hour,1,,soon,s\n", `b.csv:2: parsing time "soon" as "2006-01-02": cannot parse "soon" as "2006"`},
		"no unit":   {"r,x,day,1,,2026-01-01,s\n", `b.csv:2: unit "day" is not hour, month or GB-month`},
		"below 0":   {"r,x,hour,-1,,2026-01-01,s\n", `b.csv:2: "-1" is not a number from 0 up`},
		"twice":     {"r,x,hour,1,,2026-01-01,s\nr,x,hour,2,,2026-01-01,s\n", "b.csv:3: x in r has two prices"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := readBook(fstest.MapFS{"b.csv": {Data: []byte(header + tt.row)}}, "", "b.csv")
			if err == nil || err.Error() != tt.want {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}
