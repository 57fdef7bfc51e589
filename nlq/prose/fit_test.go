package prose

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"hash/fnv"
	"math"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"vedette.dev/nlq"
	"vedette.dev/rules/catalog"
)

var requests = flag.String("requests", "", "texts with the expressions that were meant, to fit weights to")
var show = flag.Bool("show", false, "print the texts whose metric does not come first, and why")

// An example is a text with what speaks for each of the metrics it may be about.
type example struct {
	family   int // texts of one family of metrics are tried together
	features [][]float64
	right    []bool
	text     string
	ids      []catalog.ID
}

// TestFit finds the weights of lexicon/en/rank.csv: those with which the metric that
// was meant is as likely as can be, over all texts. It says how often that
// metric comes first with weights found without its family: what a text about
// an unknown family may hope for.
func TestFit(t *testing.T) {
	if *requests == "" {
		t.Skip("wants -requests")
	}
	all, texts := readExamples(t)
	const folds = 5
	right, first := 0, 0
	for fold := range folds {
		w := fit(slices.DeleteFunc(slices.Clone(all), func(e example) bool { return e.family%folds == fold }))
		for _, e := range all {
			if e.family%folds == fold && e.right[best(e, w)] {
				right++
			}
		}
	}
	w := fit(all)
	for _, e := range all {
		if e.right[best(e, w)] {
			first++
			continue
		}
		if !*show {
			continue
		}
		b, g := best(e, w), slices.Index(e.right, true)
		fmt.Printf("%s\n   %s %.2f instead of %s %.2f:", e.text, e.ids[b], dot(e.features[b], w), e.ids[g], dot(e.features[g], w))
		for i, f := range features {
			if d := (e.features[b][i] - e.features[g][i]) * w[i]; math.Abs(d) > 0.1 {
				fmt.Printf(" %s %+.1f", f.name, d)
			}
		}
		fmt.Println()
	}
	fmt.Printf("  %d texts, right metric found in %d, first in %d, with weights of other families in %d\n", texts, len(all), first, right)
	for i, f := range features {
		fmt.Printf("%s,%.2f\n", f.name, w[i])
	}
}

var word = regexp.MustCompile(`[a-zA-Z_:][a-zA-Z0-9_:]*`)

func readExamples(t *testing.T) (all []example, texts int) {
	data, err := os.ReadFile(*requests)
	if err != nil {
		t.Fatal(err)
	}
	e := &Engine{}
	e.once.Do(e.prepare)
	in := bufio.NewScanner(bytes.NewReader(data))
	in.Buffer(nil, len(data)+1)
	for in.Scan() {
		var row struct {
			NL, Expr string
			Main     string `json:"main_metric"`
		}
		if err := json.Unmarshal(in.Bytes(), &row); err != nil {
			t.Fatal(err)
		}
		texts++
		r, err := e.read(e.strict.Sentence(nlq.Question{Text: row.NL}))
		if err != nil {
			continue
		}
		named := word.FindAllString(row.Expr, -1)
		h := fnv.New32()
		h.Write([]byte(strings.SplitN(strings.SplitN(row.Main, "_", 2)[0], ":", 2)[0]))
		ex := example{text: row.NL, family: int(h.Sum32() % 1000)}
		cs := r.candidates()
		for i := range cs {
			var fs []float64
			for _, f := range features {
				fs = append(fs, f.of(r, cs[i]))
			}
			ex.features = append(ex.features, fs)
			ex.ids = append(ex.ids, cs[i].ID)
			ex.right = append(ex.right, isMain(cs[i].ID, row.Main, named, e))
		}
		if slices.Contains(ex.right, true) {
			all = append(all, ex)
		} else if *show {
			fmt.Printf("NOT FOUND %s: %s\n", row.Main, row.NL)
		}
	}
	return all, texts
}

// isMain reports whether id is the metric that an expression is mainly about,
// or is derived from just what the expression names.
func isMain(id catalog.ID, main string, named []string, e *Engine) bool {
	if d, ok := e.strict.Catalog.Derived(id); ok {
		of := slices.DeleteFunc(word.FindAllString(d.Expr, -1), func(w string) bool { _, ok := e.strict.Catalog.Metric(catalog.ID(w)); return !ok })
		return len(of) > 0 && !slices.ContainsFunc(of, func(w string) bool { return !slices.Contains(named, w) }) && slices.ContainsFunc(of, func(w string) bool { return isOf(w, main) })
	}
	return isOf(string(id), main) && slices.Contains(named, string(id))
}

// isOf reports whether id is what is stored of a metric.
func isOf(id, metric string) bool {
	rest, ok := strings.CutPrefix(id, metric)
	return ok && slices.Contains([]string{"", "_total", "_bucket", "_sum", "_count", "_seconds_total"}, rest)
}

func best(e example, w []float64) int {
	at, most := 0, math.Inf(-1)
	for i, fs := range e.features {
		if v := dot(fs, w); v > most {
			at, most = i, v
		}
	}
	return at
}

func dot(a, b []float64) (v float64) {
	for i := range a {
		v += a[i] * b[i]
	}
	return v
}

// fit climbs to the weights with which the right metrics are likeliest, drawn
// to their priors: few texts speak for some features.
func fit(all []example) []float64 {
	const steps, rate, draw = 1500, 0.02, 0.5
	w := make([]float64, len(features))
	for i := range w {
		w[i] = features[i].prior
	}
	m, v := make([]float64, len(w)), make([]float64, len(w))
	for step := 1; step <= steps; step++ {
		g := make([]float64, len(w))
		for i := range w {
			g[i] = draw * (features[i].prior - w[i])
		}
		for _, e := range all {
			p, good, sum := make([]float64, len(e.features)), 0.0, 0.0
			for i, fs := range e.features {
				p[i] = math.Exp(dot(fs, w))
				sum += p[i]
				if e.right[i] {
					good += p[i]
				}
			}
			for i, fs := range e.features {
				d := -p[i] / sum
				if e.right[i] {
					d += p[i] / good
				}
				for k, x := range fs {
					g[k] += d * x
				}
			}
		}
		for k := range w { // Adam
			m[k] = 0.9*m[k] + 0.1*g[k]
			v[k] = 0.999*v[k] + 0.001*g[k]*g[k]
			w[k] += rate * m[k] / (1 - math.Pow(0.9, float64(step))) / (math.Sqrt(v[k]/(1-math.Pow(0.999, float64(step)))) + 1e-8)
		}
	}
	return w
}
