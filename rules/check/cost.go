package check

import (
	"bytes"
	_ "embed"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"vedette.dev/rules/catalog"
	"vedette.dev/rules/strictcsv"
	"vedette.dev/rules/syntax"
)

// A Cost is what one evaluation of an expression reads.
type Cost struct {
	Series  int  `json:"series"`
	Samples int  `json:"samples"`
	Counted bool `json:"counted"` // by a server; else it is an estimate for a cluster of 100 nodes
}

// heavy is a tenth of what Prometheus lets a query hold in memory unless told
// otherwise (--query.max-samples, 50 million): a rule is not alone.
const heavy = 5_000_000

//go:embed fleet.csv
var fleetCSV []byte

// fleet is how many series one metric has, by what one is about.
var fleet = sync.OnceValue(func() map[string]int {
	out := map[string]int{}
	err := strictcsv.Each("fleet.csv", bytes.NewReader(fleetCSV), "entity,series,why", func(f []string) error {
		n, err := strconv.Atoi(f[1])
		out[f[0]] = n
		return err
	})
	if err != nil {
		panic(err) // embedded data: a test reads it too
	}
	return out
})

const (
	unlisted = 10 // series of a metric that nothing is known of
	buckets  = 12 // of a histogram: the default of Prometheus' own libraries
)

// Cost says what an evaluation of expr reads. It reports false where expr does
// not parse.
func (c Checker) Cost(expr string) (Cost, bool) {
	e, err := syntax.Parse(expr)
	if err != nil {
		return Cost{}, false
	}
	cost := Cost{Counted: true}
	parser.Inspect(e, func(n parser.Node, path []parser.Node) error {
		if v, ok := n.(*parser.VectorSelector); ok {
			series, counted := c.series(v)
			cost.Series += series
			cost.Samples += series * c.samples(path)
			cost.Counted = cost.Counted && counted
		}
		return nil
	})
	return cost, true
}

// series returns how many series v selects, and whether a server counted them.
func (c Checker) series(v *parser.VectorSelector) (int, bool) {
	if c.Server != nil && c.Server.Count != nil {
		plain := *v
		plain.OriginalOffset, plain.Timestamp = 0, nil
		if n, ok := c.Server.Count(plain.String()); ok {
			return n, true
		}
	}
	m, ok := c.Catalog.Metric(catalog.ID(v.Name))
	n := fleet()[m.Entity]
	if !ok || n == 0 {
		n = unlisted
	}
	if strings.HasSuffix(v.Name, "_bucket") {
		n *= buckets
	}
	for _, lm := range v.LabelMatchers {
		if lm.Type == labels.MatchEqual && (lm.Name == "instance" || lm.Name == "node" || lm.Name == "Hostname") {
			n = max(1, n/fleet()["node"])
		}
	}
	return n, false
}

// samples is how many samples of each series are read for what stands above it.
func (c Checker) samples(path []parser.Node) int {
	scrape := c.Scrape
	if scrape == 0 {
		scrape = usualScrape
	}
	n := 1
	for _, p := range path {
		switch p := p.(type) {
		case *parser.MatrixSelector:
			n *= max(1, int(p.Range/scrape))
		case *parser.SubqueryExpr:
			step := p.Step
			if step == 0 {
				step = usualEvery
			}
			n *= max(1, int(p.Range/max(step, time.Second)))
		}
	}
	return n
}

// costly finds rules that read a lot.
func (c Checker) costly(expr string) []Finding {
	cost, ok := c.Cost(expr)
	if !ok || cost.Samples < heavy {
		return nil
	}
	how := "in a cluster of 100 nodes "
	if cost.Counted {
		how = ""
	}
	return []Finding{{Check: "cost", Severity: Warning, To: len(expr),
		Text: fmt.Sprintf("%seach evaluation reads %d samples of %d series: record parts of it, or look back less far", how, cost.Samples, cost.Series)}}
}
