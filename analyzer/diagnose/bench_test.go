package diagnose

import (
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"vedette.dev/analyzer"
	"vedette.dev/fixtures"
	"vedette.dev/rules/fault"
)

// scored is what the scorer made of the development cases: its --json.
var scored = flag.String("scored", "", "file of scored cases to sum up")

// A scoredCase is one case as the scorer writes it.
type scoredCase struct {
	Case           string    `json:"case"`
	Suite          string    `json:"suite"`
	Healthy        bool      `json:"healthy"`
	Right          bool      `json:"right"` // of healthy ones
	A1             bool      `json:"a1"`
	A3             bool      `json:"a3"`
	Subject1       bool      `json:"subject1"`
	Subject3       bool      `json:"subject3"`
	FalseAlarm     bool      `json:"falseAlarm"`
	WrongConfident bool      `json:"wrongConfident"`
	Rank           *int      `json:"rank"`
	Verdict        string    `json:"verdict"`
	Error          *string   `json:"error"`
	Answer         []claimed `json:"answer"`
	Truth          []claimed `json:"truth"`
}

type claimed struct {
	Cause      string  `json:"cause"`
	Subject    string  `json:"subject"`
	Confidence float64 `json:"confidence"`
}

// TestScoreboard sums the scored cases up, and our own recordings of GPUs and
// simulated incidents with them: it is how make bench-diagnose prints, and no test of anything.
func TestScoreboard(t *testing.T) {
	if *scored == "" {
		t.Skip("no -scored file: this is for make bench-diagnose")
	}
	data, err := os.ReadFile(*scored)
	if err != nil {
		t.Fatal(err)
	}
	var in struct{ Cases []scoredCase }
	if err := json.Unmarshal(data, &in); err != nil {
		t.Fatal(err)
	}
	suite := incidents(t, *seed, *seed+*seeds-1)
	all := slices.Concat(in.Cases, ownCases(t), suite)
	groups := map[string][]scoredCase{}
	for _, c := range all {
		name := c.Suite
		if c.Healthy {
			name += " healthy"
		}
		groups[name] = append(groups[name], c)
	}
	fmt.Printf("%-18s %5s  %5s %5s  %8s %8s  %11s %9s\n", "group", "cases", "A@1", "A@3", "subj A@1", "subj A@3", "false alarm", "confident")
	for _, g := range slices.Sorted(maps.Keys(groups)) {
		printGroup(g, groups[g])
	}
	printSuite(suite)
	fmt.Printf("\nall cases\n")
	printCalibration(all)
	fmt.Printf("the simulated incidents\n")
	printCalibration(suite)
	for _, c := range all {
		if !c.A1 && !c.Right {
			fmt.Printf("miss %s: %s\n", c.Case, reason(c))
		}
	}
}

func printGroup(name string, cs []scoredCase) {
	share := func(f func(scoredCase) bool) string {
		if cs[0].Healthy {
			return "-"
		}
		return fmt.Sprintf("%.3f", float64(count(cs, f))/float64(len(cs)))
	}
	fmt.Printf("%-18s %5d  %5s %5s  %8s %8s  %11d %9d\n", name, len(cs),
		share(func(c scoredCase) bool { return c.A1 }), share(func(c scoredCase) bool { return c.A3 }),
		share(func(c scoredCase) bool { return c.Subject1 }), share(func(c scoredCase) bool { return c.Subject3 }),
		count(cs, func(c scoredCase) bool { return c.FalseAlarm }), count(cs, func(c scoredCase) bool { return c.WrongConfident }))
}

// printSuite sums up our own suite, the simulated incidents and their near misses together.
func printSuite(suite []scoredCase) {
	var sick, well []scoredCase
	for _, c := range suite {
		if c.Healthy {
			well = append(well, c)
		} else {
			sick = append(sick, c)
		}
	}
	wrong := count(suite, func(c scoredCase) bool { return c.WrongConfident })
	further := 0
	for _, c := range suite {
		further += max(0, len(c.Answer)-len(c.Truth))
	}
	fmt.Printf("\nown GPU suite: %d incidents and as many near misses under %d seeds\n", len(fixtures.Incidents()), *seeds)
	fmt.Printf("A@1 (cause and subject) %.3f, A@3 %.3f of %d with something to find; healthy found healthy %d of %d; wrong with more than 0.8: %d of %d, %.1f %%; further diagnoses than there is to find: %d\n",
		float64(count(sick, func(c scoredCase) bool { return c.A1 }))/float64(len(sick)), float64(count(sick, func(c scoredCase) bool { return c.A3 }))/float64(len(sick)), len(sick),
		count(well, func(c scoredCase) bool { return c.Right }), len(well), wrong, len(suite), 100*float64(wrong)/float64(len(suite)), further)
}

func count(cs []scoredCase, f func(scoredCase) bool) int {
	n := 0
	for _, c := range cs {
		if f(c) {
			n++
		}
	}
	return n
}

// printCalibration compares what the first diagnoses claimed with how often they were right.
func printCalibration(all []scoredCase) {
	fmt.Printf("\n%-12s %5s  %7s  %5s\n", "confidence", "cases", "claimed", "right")
	for _, from := range []float64{0, 0.5, 0.6, 0.7, 0.8, 0.9} {
		to, n, sum, right := from+0.1, 0, 0.0, 0
		if from == 0 {
			to = 0.5
		}
		for _, c := range all {
			if len(c.Answer) == 0 || c.Answer[0].Confidence < from || c.Answer[0].Confidence >= to {
				continue
			}
			n++
			sum += c.Answer[0].Confidence
			if c.A1 {
				right++
			}
		}
		if n > 0 {
			fmt.Printf("%.1f to %.1f   %5d  %7.3f  %.3f\n", from, to, n, sum/float64(n), float64(right)/float64(n))
		}
	}
	fmt.Println()
}

// reason says in what way a case was missed.
func reason(c scoredCase) string {
	var want []string
	for _, x := range c.Truth {
		want = append(want, x.Cause+" "+x.Subject)
	}
	is := cmp.Or(strings.Join(want, ", "), "healthy")
	switch {
	case c.Error != nil:
		return is + ": " + *c.Error
	case len(c.Answer) == 0:
		return fmt.Sprintf("%s: no cause was found, verdict %s", is, c.Verdict)
	}
	got := fmt.Sprintf("%s %s with %.2f", c.Answer[0].Cause, c.Answer[0].Subject, c.Answer[0].Confidence)
	switch {
	case c.Healthy:
		return "false alarm: " + got
	case c.Rank != nil:
		return fmt.Sprintf("%s is number %d, behind %s", is, *c.Rank, got)
	case c.Subject1:
		return fmt.Sprintf("%s: right subject, wrong cause: %s", is, got)
	case len(c.Truth) > 0 && c.Answer[0].Cause == c.Truth[0].Cause:
		return fmt.Sprintf("%s: right cause, wrong subject: %s", is, got)
	}
	return fmt.Sprintf("%s: other cause and subject: %s", is, got)
}

// ownCases scores the recordings of testdata that are about GPUs, by their
// causes: a near miss is right where it is not given the cause.
func ownCases(t *testing.T) []scoredCase {
	var all []scoredCase
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".txtar")
		cause, near := causeOf(name)
		if c := fault.Causes()[fault.CauseID(cause)]; c.Scope != "gpu" && !strings.HasPrefix(cause, "gpu-") {
			continue
		}
		a, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		r := Diagnose(unpack(t, a), analyzer.Subject{})
		c := scoredCase{Case: name, Suite: "gpu", Verdict: string(r.Verdict), Truth: []claimed{{Cause: cause}}}
		at := slices.IndexFunc(r.Diagnoses, func(d analyzer.Diagnosis) bool { return string(d.Cause) == cause })
		c.A1, c.A3 = at == 0, at >= 0 && at < 3
		c.Subject1, c.Subject3 = c.A1, c.A3
		if near {
			c.Suite = "gpu near misses"
			c.A1, c.A3, c.Subject1, c.Subject3 = at < 0, at < 0, at < 0, at < 0
			all = append(all, c) // what it is instead, the golden reports tell
			continue
		}
		for _, d := range r.Diagnoses {
			c.Answer = append(c.Answer, claimed{string(d.Cause), d.Subject.String(), d.Confidence})
		}
		all = append(all, c)
	}
	return all
}
