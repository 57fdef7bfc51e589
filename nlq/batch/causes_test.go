package batch

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"vedette.dev/nlq/prose"
	"vedette.dev/rules/catalog"
)

var (
	requests = flag.String("requests", "", "the requests that were scored")
	answers  = flag.String("answers", "", "what they were answered")
	results  = flag.String("results", "", "what the scorer made of it")
)

// An outcome is all that is known of one request, from three files.
type outcome struct {
	ID, NL, Kind, Expr, For string
	MustNot                 []string `json:"must_not"` // what an injected request tries to bring in
	Exec                    bool     `json:"exec"`
	ForOK                   bool     `json:"for_ok"`
	KindOK                  bool     `json:"kind_ok"`
	got                     Reply
}

// TestCauses says why requests were not answered as they should have been, by
// cause, and how long an answer takes. It is a part of make bench-nlq.
func TestCauses(t *testing.T) {
	if *requests == "" {
		t.Skip("a part of make bench-nlq")
	}
	all := map[string]*outcome{}
	for _, file := range []string{*requests, *results} {
		each(t, file, func(line []byte) {
			var id struct{ ID string }
			decode(t, line, &id)
			if all[id.ID] == nil {
				all[id.ID] = &outcome{}
			}
			decode(t, line, all[id.ID])
		})
	}
	each(t, *answers, func(line []byte) {
		var r Reply
		decode(t, line, &r)
		var id string
		decode(t, r.ID, &id)
		all[id].got = r
	})
	causes, injections, harmless := map[string]int{}, 0, 0
	for _, o := range all {
		causes[o.cause()]++
		if len(o.MustNot) == 0 {
			continue
		}
		injections++
		if !slices.ContainsFunc(o.MustNot, func(s string) bool { return strings.Contains(o.got.Raw, s) }) {
			harmless++
		}
	}
	for _, c := range slices.SortedFunc(maps.Keys(causes), func(a, b string) int { return cmp.Or(causes[b]-causes[a], strings.Compare(a, b)) }) {
		fmt.Printf("  %4d %s\n", causes[c], c)
	}
	fmt.Printf("  injections harmless: %d of %d\n", harmless, injections)
	fmt.Printf("  p99 %v a request\n", latency(all))
}

var (
	metric   = regexp.MustCompile(`[a-zA-Z_:][a-zA-Z0-9_:]*`)
	noise    = regexp.MustCompile(`#.*|"[^"]*"|\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)|\[[^\]]*\]`)
	matchers = regexp.MustCompile(`\{[^}]*\}`)
	function = regexp.MustCompile(`[a-z_]+\s*\(|\b(?:and|or|unless|sum|avg|max|min|count)\b|[-+*/%]`)
	operator = regexp.MustCompile(`[<>!=]=?`)
)

// cause is the first way in which the answer differs from what was wanted.
func (o *outcome) cause() string {
	names := func(expr string) []string {
		bare := matchers.ReplaceAllString(noise.ReplaceAllString(expr, ""), "")
		return slices.Compact(slices.Sorted(slices.Values(slices.DeleteFunc(metric.FindAllString(bare, -1), func(s string) bool {
			return !strings.Contains(s, "_") && s != "up" || strings.HasSuffix(s, "_over_time") || s == "histogram_quantile" || s == "predict_linear" || s == "label_replace"
		}))))
	}
	shape := func(expr string) []string {
		return slices.Sorted(slices.Values(function.FindAllString(matchers.ReplaceAllString(noise.ReplaceAllString(expr, ""), ""), -1)))
	}
	ops := func(expr string) []string {
		return slices.Sorted(slices.Values(operator.FindAllString(matchers.ReplaceAllString(expr, ""), -1)))
	}
	want, got := names(o.Expr), names(o.got.Expr)
	shared := slices.ContainsFunc(want, func(n string) bool { return slices.Contains(got, n) })
	switch {
	case o.Exec && o.ForOK:
		return "right"
	case o.Exec:
		return "wrong for"
	case o.got.Kind == "refuse":
		return "refused"
	case o.got.Kind == "clarify":
		return "no measure found, or asked back"
	case !o.KindOK:
		return "wrong kind"
	case !shared:
		return "wrong metric"
	case !slices.Equal(want, got):
		return "one metric of several"
	case !slices.Equal(shape(o.Expr), shape(o.got.Expr)):
		return "wrong shape"
	case !slices.Equal(ops(o.Expr), ops(o.got.Expr)):
		return "wrong operator"
	}
	return "wrong filter or number"
}

// latency is how long the slowest of a hundred requests takes.
func latency(all map[string]*outcome) time.Duration {
	c := catalog.Builtin().Without("Vedette")
	e := prose.Readers(c)
	const tries = 3 // the least counts: the others are what else the machine does, and the first builds the indexes
	least := map[string]time.Duration{}
	for range tries {
		for _, o := range all {
			from := time.Now()
			reply(context.Background(), e, c, o.NL)
			if d := time.Since(from); least[o.NL] == 0 || d < least[o.NL] {
				least[o.NL] = d
			}
		}
	}
	took := slices.Collect(maps.Values(least))
	slices.Sort(took)
	return took[len(took)*99/100].Round(10 * time.Microsecond)
}

func each(t testing.TB, file string, line func([]byte)) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	in := bufio.NewScanner(bytes.NewReader(data))
	in.Buffer(nil, len(data)+1)
	for in.Scan() {
		line(in.Bytes())
	}
}

func decode(t *testing.T, data []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatalf("%s: %v", data, err)
	}
}
