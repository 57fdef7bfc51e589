package check_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"vedette.dev/rules/catalog"
	"vedette.dev/rules/check"
)

// TestLabels runs the archive: a file "expr" holds an expression, the file
// behind it what is known of the labels of its results, and by which part of it.
func TestLabels(t *testing.T) {
	const name = "testdata/provenance/labels.txtar"
	ar, err := txtar.ParseFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(ar.Files); i += 2 {
		expr := strings.TrimSpace(string(ar.Files[i].Data))
		var b strings.Builder
		for _, l := range check.Labels(expr, catalog.Builtin()) {
			if l.Scraped {
				continue // ten of them
			}
			fmt.Fprintf(&b, "%s is %s [%s]: %s\n", or(l.Name, "any other"), l.Is, expr[l.From:l.To], l.Why)
		}
		if *update {
			ar.Files[i+1].Data = []byte(b.String())
			continue
		}
		if diff := cmp.Diff(string(ar.Files[i+1].Data), b.String()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", expr, diff)
		}
	}
	if *update {
		if err := os.WriteFile(name, txtar.Format(ar), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func or(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// TestServer: what a server has is asked of it, and believed.
func TestServer(t *testing.T) {
	c := check.Checker{Catalog: catalog.Builtin(), Scrape: 15 * time.Second, Retention: 24 * time.Hour, Server: &check.Server{
		Has:    func(metric string) bool { return metric == "mine" || metric == "up" },
		Values: func(_, label string) []string { return map[string][]string{"job": {"a", "b"}}[label] },
		Count:  func(string) (int, bool) { return 1_000_000, true },
	}}
	for expr, want := range map[string]string{
		`mine > 1`:                             "",
		`up{job="a"} == 0`:                     "",
		`up{job="c"} == 0`:                     "series: no series of up has job=\"c\": it has a, b",
		`DCGM_FI_DEV_GPU_TEMP > 85`:            "series: the server has no series of DCGM_FI_DEV_GPU_TEMP now: either nothing exposes it, or not yet",
		`rate(mine[30s]) > 1`:                  "",
		`rate(mine[20s]) > 1`:                  "rate: rate needs two samples, which are 15s apart: [20s] is less than twice that",
		`mine offset 2d > 1`:                   "offset: this reads what was 2d ago, and only 1d are kept: it is always empty",
		`sum(increase(mine[36h])) > 1`:         "range_query: this reads the last 1d12h, and only 1d are kept: it sees less than it says",
		`avg_over_time(up{job="a"}[1h]) < 0.5`: "cost: each evaluation reads 240000000 samples of 1000000 series: record parts of it, or look back less far",
	} {
		var got []string
		for _, f := range c.Expr(expr) {
			if f.Check != "cost" || strings.Contains(want, "cost") {
				got = append(got, f.Check+": "+f.Text)
			}
		}
		if strings.Join(got, "\n") != want {
			t.Errorf("%s: got %q, want %q", expr, got, want)
		}
	}
}

// TestCost: an estimate is of the right order, and says that it is one.
func TestCost(t *testing.T) {
	c := check.Checker{Catalog: catalog.Builtin()}
	for expr, want := range map[string]check.Cost{
		"DCGM_FI_DEV_GPU_TEMP > 85":                          {Series: 800, Samples: 800},
		`avg_over_time(DCGM_FI_DEV_GPU_TEMP[5m]) > 85`:       {Series: 800, Samples: 8000},
		`DCGM_FI_DEV_GPU_TEMP{Hostname="n"} > 85`:            {Series: 8, Samples: 8},
		`max_over_time(rate(nobody_knows[5m])[1h:1m]) > 0.1`: {Series: 10, Samples: 6000},
	} {
		if got, ok := c.Cost(expr); !ok || got != want {
			t.Errorf("%s costs %+v, %t; want %+v", expr, got, ok, want)
		}
	}
	if _, ok := c.Cost("up >"); ok {
		t.Error("what does not parse has a cost")
	}
}

// TestNormal: what means the same is written the same.
func TestNormal(t *testing.T) {
	for _, same := range [][]string{
		{`sum by (a, b) (x{c="1", d="2"}) > 5`, `(sum by (b,a)(x{d="2",c="1"})) > (5)`},
		{`a / on (x, y) b`, `(a) / on(y,x) (b)`},
		{`rate((x[5m]))`, `rate(x[5m])`},
	} {
		want, ok := check.Normal(same[0])
		if !ok {
			t.Errorf("%s has no normal form", same[0])
		}
		for _, expr := range same[1:] {
			if got, _ := check.Normal(expr); got != want {
				t.Errorf("%s is %s, and %s is %s", same[0], want, expr, got)
			}
		}
	}
	if a, _ := check.Normal("(a + b) * c"); a == "a + b * c" {
		t.Error("brackets that matter are gone")
	}
}

// TestFile: what only a whole file shows.
func TestFile(t *testing.T) {
	const file = `groups:
- name: slow
  interval: 10m
  rules:
  - record: job:load
    expr: sum by (job) (node_load1)
- name: alerts
  rules:
  - alert: A
    expr: job:load > 5
    for: 30s
  - alert: B
    expr: (job:load) > (5)
    for: 1h
`
	reports, err := check.File([]byte(file), catalog.Builtin())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range reports {
		for _, f := range r.Findings {
			got = append(got, r.Rule+" "+f.Check)
		}
	}
	want := []string{"job:load interval", "A for", "A dependency", "B dependency", "B duplicate"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
