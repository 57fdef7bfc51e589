package nlq

import (
	"fmt"
	"strconv"
	"time"

	"vedette.dev/rules/catalog"
)

// An SLO asks to be told when the budget of errors of a service-level
// objective is being used up: a share Objective of all requests is good over
// Period. Good is said by a share that is bad, or by how long requests may
// take.
type SLO struct {
	Objective float64 // 0 < Objective < 1
	Period    time.Duration
	Bad       Measure    // a share of requests that fail; zero where Latency is set
	Latency   catalog.ID // a histogram of how long requests take
	Limit     float64    // in seconds; a bucket must end there
	Where     []Matcher  // of Latency
}

func (SLO) isIntent()        {}
func (s SLO) String() string { return readSLO(s, catalog.Builtin()) }

func readSLO(s SLO, c *catalog.Catalog) string {
	objective := strconv.FormatFloat(100*s.Objective, 'g', 8, 64) + " %"
	if s.Latency == "" {
		return fmt.Sprintf("alert when too much is used of the error budget of: %s good over %s, by %s", objective, Period(s.Period), s.Bad.readPlain(c))
	}
	b := fmt.Sprintf("alert when too much is used of the error budget of: %s within %s over %s, by the histogram %s", objective, Amount(s.Limit, "s"), Period(s.Period), s.Latency)
	for _, w := range s.Where {
		b += " with " + w.Label + " " + w.Op + " " + quoted(w.Value)
	}
	return b
}
