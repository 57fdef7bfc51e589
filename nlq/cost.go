package nlq

import (
	"fmt"
	"time"

	"vedette.dev/rules/catalog"
)

// A Cost asks what GPUs cost, or who has the use of them: money or GPU-hours,
// of something, by something, over a window that ends now.
type Cost struct {
	Of     Figure
	Idle   bool   // only hours that somebody had and did not use
	Kind   string // of Name: namespace, team, workload, pod or pool, "" where the asker did not say
	Name   string // "" is the whole cluster
	By     string // namespace, team, workload, pod or pool; "" is put together
	Top    int    // only so many rows; 0 is all
	Window time.Duration
}

// A Figure is what is told of GPUs.
type Figure string

// The figures.
const (
	Money         Figure = "money"
	Hours         Figure = "hours"
	Fragmentation Figure = "fragmentation" // how broken up the free GPUs are
)

func (Cost) isIntent()        {}
func (c Cost) String() string { return Read(c, catalog.Builtin()) }

func readCost(c Cost) string {
	b := map[Figure]string{Money: "cost of GPUs", Hours: "GPU hours", Fragmentation: "fragmentation of GPUs"}[c.Of]
	if c.Of == Fragmentation {
		return b
	}
	if c.Idle {
		b = map[Figure]string{Money: "cost of idle GPUs", Hours: "idle GPU hours"}[c.Of]
	}
	switch {
	case c.Name != "" && c.Kind != "":
		b += " of " + c.Kind + " " + quoted(c.Name)
	case c.Name != "":
		b += " of " + quoted(c.Name)
	}
	if c.By != "" {
		b += " by " + c.By
	}
	b += " in the last " + Period(c.Window)
	if c.Top > 0 {
		b += fmt.Sprintf(", top %d", c.Top)
	}
	return b
}
