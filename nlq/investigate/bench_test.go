//go:build bench

package investigate

import (
	"cmp"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"vedette.dev/nlq/talk"
)

// What make bench-model asks, and whom.
var (
	address    = flag.String("address", "", "base URL of a server of OpenAI's chat completions")
	name       = flag.String("model", "some-model", "name of its model")
	size       = flag.Int("context", 0, "tokens that it remembers; 0 is the default")
	cases      = flag.String("cases", "gpu-*,xid-*,nccl-*", "which cases of the diagnosis, by patterns of their names")
	every      = flag.Int("every", 1, "of them, each which")
	look       = flag.Bool("look", false, "have it look, too")
	transcript = flag.String("transcript", "", "file to write all to that is said")
	patience   = flag.Duration("patience", 10*time.Minute, "how long to wait for one case: a bench waits for what a person would not")
)

// TestModel has a model tell cases of the diagnosis and says what became of its
// sentences. Whatever it says, the report is the engine's.
func TestModel(t *testing.T) {
	log, err := os.Create(*transcript)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	m, err := talk.Open(t.Context(), talk.Provider{Kind: talk.OpenAI, Address: *address, Name: *name, Token: os.Getenv("MODEL_TOKEN")})
	if err != nil {
		t.Fatal(err)
	}
	d := &Desk{Line: &talk.Line{Model: m, Name: *name, Size: *size, Day: 1 << 40, Log: log}, Timeout: *patience}
	var told, dropped, looked, guesses, added, calls, tokens int
	why, doubts := map[string]int{}, map[string]int{}
	start := time.Now()
	of := sampled(t)
	for _, file := range of {
		c := recorded(t, file)
		var a Account
		if *look {
			_, a = d.Investigate(t.Context(), c)
		} else {
			a = d.Explain(t.Context(), c)
		}
		told, dropped, calls, tokens = told+len(a.Told), dropped+len(a.Dropped), calls+a.Calls, tokens+a.Tokens
		looked, guesses, added = looked+len(a.Looked), guesses+len(a.Guesses), added+len(a.Added)
		for _, s := range a.Dropped {
			why[kindOf(s.Why)]++
		}
		for _, c := range a.Caveats {
			doubts[kindOf(c)]++
		}
	}
	if calls == 0 {
		t.Fatalf("the model was never heard: %v", doubts)
	}
	t.Logf("cases                  %4d", len(of))
	t.Logf("forms filled in        %4d", calls)
	t.Logf("sentences told         %4d", told)
	t.Logf("sentences dropped      %4d", dropped)
	for _, w := range ranked(why) {
		t.Logf("  %4d since %s", why[w], w)
	}
	if *look {
		t.Logf("looks                  %4d", looked)
		t.Logf("causes supposed        %4d, and %d that the engine found then", guesses+added, added)
	}
	for _, w := range ranked(doubts) {
		t.Logf("caveat, %4d times: %s", doubts[w], w)
	}
	t.Logf("seconds a case         %6.1f", time.Since(start).Seconds()/float64(len(of)))
	t.Logf("tokens a case          %4d", tokens/len(of))
}

// sampled are the cases that are asked about.
func sampled(t *testing.T) []string {
	var all, some []string
	for pattern := range strings.SplitSeq(*cases, ",") {
		files, err := filepath.Glob("../../analyzer/diagnose/testdata/" + pattern + ".txtar")
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			if !strings.HasSuffix(f, ".near.txtar") {
				all = append(all, f)
			}
		}
	}
	for i := 0; i < len(all); i += *every {
		some = append(some, all[i])
	}
	if len(some) == 0 {
		t.Fatalf("no case is called %s", *cases)
	}
	return some
}

// particular is what differs from one sentence to the next.
var particular = regexp.MustCompile(`"[^"]*"|\b[A-Z]?\d[\w.:-]*\b`)

// kindOf is why, without what it is said of.
func kindOf(why string) string { return particular.ReplaceAllString(why, "…") }

// ranked are the keys of a count, the most frequent first.
func ranked(count map[string]int) []string {
	return slices.SortedFunc(maps.Keys(count), func(a, b string) int { return cmp.Or(count[b]-count[a], strings.Compare(a, b)) })
}
