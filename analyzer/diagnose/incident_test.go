package diagnose

import (
	"encoding/json"
	"flag"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"vedette.dev/analyzer"
	"vedette.dev/analyzer/diagnose/facts"
	"vedette.dev/analyzer/snapshot"
	"vedette.dev/fixtures"
	"vedette.dev/fixtures/incident"
)

// seeds is under how many seeds make bench-diagnose plays each incident, seed
// the first of them: others than the usual show whether what was mended fits only those.
var (
	seeds = flag.Uint64("seeds", 5, "seeds of each simulated incident")
	seed  = flag.Uint64("seed", 1, "the first of them")
)

// keep is where a case goes that somebody wants to look at.
var keep = flag.String("keep", "", "folder to write the simulated incidents to")

// TestIncidents diagnoses every simulated incident and its near miss, as one
// seed has them. All must be told: the bench says how it is under others.
func TestIncidents(t *testing.T) {
	for _, c := range incidents(t, 1, 1) {
		if !c.A1 && !c.Right {
			t.Errorf("%s: %s", c.Case, reason(c))
		}
	}
}

// incidents plays the incidents and their near misses under the seeds from first to last, and scores what they are held for.
func incidents(t *testing.T, first, last uint64) []scoredCase {
	t.Helper()
	var all []scoredCase
	for _, name := range fixtures.Incidents() {
		for seed := first; seed <= last; seed++ {
			for _, near := range []bool{false, true} {
				c, err := incident.Make(t.Context(), name, seed, near, facts.Metrics())
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, score(t, c))
			}
		}
	}
	return all
}

// score judges the diagnosis of one case as the scorer of the development cases
// does. Besides, it must say what the truth wants to be told.
func score(t *testing.T, c *incident.Case) scoredCase {
	t.Helper()
	name := fmt.Sprintf("%s/%d", c.Name, c.Seed)
	if *keep != "" {
		if err := c.Snapshot.Write(*keep + "/" + strings.ReplaceAll(name, "/", ".")); err != nil {
			t.Fatal(err)
		}
	}
	focus := analyzer.Subject{}
	if c.Focus != "" {
		var err error
		if focus, err = analyzer.ParseSubject(c.Focus); err != nil {
			t.Fatal(err)
		}
	}
	r := Diagnose(c.Snapshot, focus)
	s := scoredCase{Case: name, Suite: "incidents", Healthy: c.Truth == nil, Verdict: string(r.Verdict)}
	if strings.HasSuffix(c.Name, ".near") {
		s.Suite = "incidents near"
	}
	for _, d := range r.Diagnoses {
		s.Answer = append(s.Answer, claimed{string(d.Cause), d.Subject.String(), d.Confidence})
	}
	if c.Truth == nil {
		s.Right = r.Verdict == analyzer.Healthy && !slices.ContainsFunc(r.Diagnoses, func(d analyzer.Diagnosis) bool { return d.Confidence >= 0.5 })
		s.FalseAlarm = r.Verdict == analyzer.Diagnosed
		s.WrongConfident = s.FalseAlarm && r.Diagnoses[0].Confidence > 0.8
		return s
	}
	s.Truth = []claimed{{Cause: c.Truth.Cause, Subject: c.Subject}}
	causes := append([]string{c.Truth.Cause}, c.Truth.Accept...)
	owners := ownersIn(t, c.Snapshot)
	for i, d := range r.Diagnoses[:min(3, len(r.Diagnoses))] {
		subject := c.Subject == d.Subject.String() || !c.Truth.Exact && (owners.same(c.Subject, d.Subject.String()) || ofNode(c.Subject, d.Subject))
		right := subject && slices.Contains(causes, string(d.Cause)) && tells(d, c.Tells)
		s.A1, s.A3 = s.A1 || right && i == 0, s.A3 || right
		s.Subject1, s.Subject3 = s.Subject1 || subject && i == 0, s.Subject3 || subject
		if right && s.Rank == nil {
			s.Rank = new(i + 1)
		}
	}
	s.WrongConfident = !s.A1 && len(r.Diagnoses) > 0 && r.Diagnoses[0].Confidence > 0.8
	return s
}

// tells reports whether d's words match all of the expressions.
func tells(d analyzer.Diagnosis, expressions []string) bool {
	words := d.Summary
	for _, l := range d.Chain {
		words += "\n" + l.Subject.String() + " " + l.What
	}
	for _, e := range d.Evidence {
		words += "\n" + e.Text
	}
	for _, c := range d.Caveats {
		words += "\n" + c
	}
	return !slices.ContainsFunc(expressions, func(x string) bool { return !regexp.MustCompile("(?i)" + x).MatchString(words) })
}

// ofNode reports whether answer is a GPU of the node that is meant: what befalls
// all GPUs of a node has each of them for a subject.
func ofNode(truth string, answer analyzer.Subject) bool {
	node, ok := strings.CutPrefix(truth, "node/")
	return ok && answer.Kind == "gpu" && strings.HasPrefix(answer.Name, node+"/")
}

// owners says what controls what.
type owners map[string]string

func ownersIn(t *testing.T, s *snapshot.Snapshot) owners {
	t.Helper()
	o := owners{}
	add := func(raw json.RawMessage) {
		var x struct {
			Kind     string
			Metadata struct {
				Namespace, Name string
				OwnerReferences []struct{ Kind, Name string }
			}
		}
		if err := json.Unmarshal(raw, &x); err != nil {
			t.Fatal(err)
		}
		for _, to := range x.Metadata.OwnerReferences {
			o[strings.ToLower(x.Kind)+"/"+x.Metadata.Namespace+"/"+x.Metadata.Name] = strings.ToLower(to.Kind) + "/" + x.Metadata.Namespace + "/" + to.Name
		}
	}
	for _, list := range s.Objects {
		for _, object := range list {
			add(object.Raw)
		}
	}
	for _, r := range s.History {
		add(r.Raw)
	}
	return o
}

// same reports whether a and b are equal, or one controls the other.
func (o owners) same(a, b string) bool {
	for _, pair := range [][2]string{{a, b}, {b, a}} {
		for at, ok := pair[0], true; ok; at, ok = o[at] {
			if at == pair[1] {
				return true
			}
		}
	}
	return false
}
