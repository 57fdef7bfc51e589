package diagnose

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"vedette.dev/analyzer"
	"vedette.dev/analyzer/topology"
	"vedette.dev/rules/fault"
)

// report writes a chosen cause up.
func (w *world) report(c *candidate) analyzer.Diagnosis {
	row := fault.Causes()[c.ID]
	d := analyzer.Diagnosis{
		Cause: c.ID, Subject: c.subject, Confidence: c.confidence,
		Chain: w.chain(c), Evidence: w.evidence(c), Affected: w.affected(c),
		Remedy: slices.Clone(row.Remedy), Caveats: w.caveats(c),
	}
	d.Summary = w.summary(c, d.Affected)
	d.FirstSymptom = firstSymptom(c)
	return d
}

// firstSymptom returns the earliest of what the cause explains, by true onset.
func firstSymptom(c *candidate) *analyzer.Symptom {
	var first *fact
	for _, f := range c.reached {
		if !f.At.IsZero() && c.tells(f) && (first == nil || f.At.Before(first.At)) {
			first = f
		}
	}
	if first == nil {
		return nil
	}
	return &analyzer.Symptom{At: first.At, Subject: first.Subject, Text: first.Text}
}

// tells reports whether f belongs into the story of c: a root, what it was
// chosen for, and what stands between them. Of what no longer stands, that
// which began with the incident.
func (c *candidate) tells(f *fact) bool {
	return f.Standing || c.parent[f] == nil || f.weight == 0 || !f.At.Before(c.roots[0].At)
}

// summary says in one sentence what is so and what came of it.
func (w *world) summary(c *candidate, affected []analyzer.Subject) string {
	s := c.fill(w, c.Say)
	if n := len(c.roots); n > 1 && c.subject.Kind != "gpu" {
		if pods := distinct(c.roots); pods > 1 {
			s += fmt.Sprintf(", in %d pods", pods)
		}
	}
	var pods int
	var tops []string
	for _, a := range affected {
		if a.Kind == "pod" {
			pods++
			continue
		}
		if a.Kind != "node" && a.Kind != "gpu" && a != c.subject {
			tops = append(tops, w.words(a))
		}
	}
	switch {
	case c.subject.Kind != "gpu" && c.subject.Kind != "node":
	case len(tops) > 0 && pods > 1:
		s += fmt.Sprintf("; it hits %d pods of %s", pods, strings.Join(tops[:min(3, len(tops))], ", "))
	case len(tops) > 0:
		s += fmt.Sprintf("; it hits %s", strings.Join(tops[:min(3, len(tops))], ", "))
	case pods > 0:
		s += fmt.Sprintf("; it hits %d pods", pods)
	}
	return s + "."
}

func distinct(fs []*fact) int {
	seen := map[analyzer.Subject]bool{}
	for _, f := range fs {
		if f.Subject.Kind == "pod" {
			seen[f.Subject] = true
		}
	}
	return len(seen)
}

// fill puts the subject and the details of the root into a text.
func (c *candidate) fill(w *world, say string) string {
	pairs := []string{"{subject}", w.words(c.subject)}
	root := c.roots[0]
	for _, k := range slices.Sorted(maps.Keys(root.detail)) {
		pairs = append(pairs, "{"+k+"}", root.detail[k])
	}
	s := strings.NewReplacer(pairs...).Replace(say)
	for {
		_, rest, ok := strings.Cut(s, "{")
		name, _, closed := strings.Cut(rest, "}")
		if !ok || !closed {
			return s
		}
		s = strings.ReplaceAll(s, " {"+name+"}", "") // a detail that this root lacks
		s = strings.ReplaceAll(s, "{"+name+"}", "")
	}
}

// chain tells the story from the cause to what was seen. Pods of one workload
// to which the same happened are one link.
func (w *world) chain(c *candidate) []analyzer.Link {
	type group struct {
		name string
		top  analyzer.Subject
	}
	first := map[group]*fact{}
	count := map[group]map[analyzer.Subject]bool{}
	var order []group
	for _, f := range c.reached {
		if !c.tells(f) {
			continue
		}
		g := group{f.Name, w.workload(f.Subject)}
		if first[g] == nil {
			first[g], count[g] = f, map[analyzer.Subject]bool{}
			order = append(order, g)
		} else if !f.At.IsZero() && f.At.Before(first[g].At) {
			first[g] = f
		}
		count[g][f.Subject] = true
	}
	links := make([]analyzer.Link, 0, len(order))
	for _, g := range order {
		f := first[g]
		l := analyzer.Link{Subject: f.Subject, What: f.Text, At: f.At}
		if n := len(count[g]); n > 1 {
			l.What = fmt.Sprintf("%s; and likewise %d more of %s", f.Text, n-1, w.words(g.top))
		}
		links = append(links, l)
	}
	slices.SortStableFunc(links[1:], func(a, b analyzer.Link) int { // the cause stays at the head
		return cmp.Or(late(a.At).Compare(late(b.At)), topology.Compare(a.Subject, b.Subject), cmp.Compare(a.What, b.What))
	})
	return links[:min(len(links), maxListed)]
}

// late puts what has no time at the end.
func late(t time.Time) time.Time {
	if t.IsZero() {
		return time.Unix(1<<40, 0)
	}
	return t
}

// evidence lists what the claim rests on: the roots first, then the rest by
// time, no source twice.
func (w *world) evidence(c *candidate) []analyzer.Evidence {
	var all []analyzer.Evidence
	add := func(f *fact) {
		all = append(all, analyzer.Evidence{Source: f.Source, At: f.At, Text: f.Text})
		all = append(all, f.also...)
	}
	for _, f := range c.roots {
		add(f)
	}
	rest := slices.DeleteFunc(slices.Clone(c.reached), func(f *fact) bool { return c.parent[f] == nil || !c.tells(f) })
	slices.SortStableFunc(rest, func(a, b *fact) int { return late(a.At).Compare(late(b.At)) })
	for _, f := range rest {
		add(f)
	}
	for _, f := range c.against {
		all = append(all, analyzer.Evidence{Source: f.Source, At: f.At, Text: "against it: " + f.Text})
	}
	seen := map[string]bool{}
	all = slices.DeleteFunc(all, func(e analyzer.Evidence) bool {
		twice := e.Source == "" || seen[e.Source]
		seen[e.Source] = true
		return twice
	})
	return all[:min(len(all), maxListed)]
}

// affected lists what else the cause hurts: pods, and what they belong to.
func (w *world) affected(c *candidate) []analyzer.Subject {
	set := map[analyzer.Subject]bool{}
	for _, f := range c.reached {
		if f.weight == 0 || !c.tells(f) {
			continue
		}
		set[f.Subject] = true
		if f.Subject.Kind == "pod" {
			set[w.workload(f.Subject)] = true
		}
	}
	if n := c.subject.Node(); n != "" && c.subject.Kind == "gpu" {
		set[analyzer.Node(n)] = true
	}
	delete(set, c.subject)
	all := slices.SortedFunc(maps.Keys(set), topology.Compare)
	if all == nil {
		all = []analyzer.Subject{}
	}
	return all
}

// caveats says why the diagnosis may be wrong.
func (w *world) caveats(c *candidate) []string {
	all := []string{}
	if c.Caveat != "" {
		all = append(all, c.Caveat)
	}
	for _, f := range c.against {
		all = append(all, "against it: "+f.Text)
	}
	for _, f := range c.roots {
		code, _ := strconv.Atoi(f.detail["xid"]) // an Xid's, or 0
		all = append(all, disputes(fault.Xids()[fault.Xid(code)])...)
	}
	if ks := c.kinds(); len(ks) == 1 {
		all = append(all, fmt.Sprintf("it rests on one kind of evidence, the %s", ks[0]))
	}
	if c.subject.Kind == "gpu" && strings.Contains(c.subject.Name, "/PCI:") {
		all = append(all, "no metric says which GPU is at this bus address")
	}
	for _, f := range c.reached {
		if f.At.IsZero() && f.weight > 0 {
			all = append(all, "not everything that it explains has a known time")
			break
		}
	}
	return all
}

// disputes says who wants something else done about an Xid than NVIDIA.
func disputes(x fault.XidFact) []string {
	var all []string
	for _, claim := range x.Disputed {
		all = append(all, fmt.Sprintf("of Xid %d NVIDIA says %s and %s says %s (%s)", x.Code, x.Remedy, claim.Who, claim.Remedy, claim.Source))
	}
	return all
}
