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
	"vedette.dev/analyzer/diagnose/facts"
	"vedette.dev/analyzer/topology"
	"vedette.dev/rules/fault"
)

// report writes a chosen cause up.
func (j *judge) report(c *candidate) analyzer.Diagnosis {
	row := fault.Causes()[c.ID]
	d := analyzer.Diagnosis{
		Cause: c.ID, Subject: c.subject, Confidence: c.confidence,
		Chain: j.chain(c), Evidence: j.evidence(c), Affected: j.affected(c),
		Remedy: slices.Clone(row.Remedy), Caveats: j.caveats(c),
	}
	d.Summary = j.summary(c, d.Affected)
	d.FirstSymptom = firstSymptom(c)
	return d
}

// firstSymptom returns the earliest of what the cause explains, by true onset.
func firstSymptom(c *candidate) *analyzer.Symptom {
	var first *facts.Fact
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
func (c *candidate) tells(f *facts.Fact) bool {
	return f.Standing || c.parent[f] == nil || f.Weight == 0 || !f.At.Before(c.roots[0].At)
}

// summary says in one sentence what is so and what came of it.
func (j *judge) summary(c *candidate, affected []analyzer.Subject) string {
	s := c.fill(j, c.Say)
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
			tops = append(tops, j.Words(a))
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

func distinct(fs []*facts.Fact) int {
	seen := map[analyzer.Subject]bool{}
	for _, f := range fs {
		if f.Subject.Kind == "pod" {
			seen[f.Subject] = true
		}
	}
	return len(seen)
}

// fill puts the subject and the details of the root into a text.
func (c *candidate) fill(j *judge, say string) string {
	pairs := []string{"{subject}", j.Words(c.subject)}
	root := c.roots[0]
	for _, k := range slices.Sorted(maps.Keys(root.Detail)) {
		pairs = append(pairs, "{"+k+"}", root.Detail[k])
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
func (j *judge) chain(c *candidate) []analyzer.Link {
	type group struct {
		name string
		top  analyzer.Subject
	}
	first := map[group]*facts.Fact{}
	count := map[group]map[analyzer.Subject]bool{}
	var order []group
	for _, f := range c.reached {
		if !c.tells(f) {
			continue
		}
		g := group{f.Name, j.Workload(f.Subject)}
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
			l.What = fmt.Sprintf("%s; and likewise %d more of %s", f.Text, n-1, j.Words(g.top))
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
func (j *judge) evidence(c *candidate) []analyzer.Evidence {
	var all []analyzer.Evidence
	add := func(f *facts.Fact) {
		all = append(all, analyzer.Evidence{Source: f.Source, At: f.At, Subject: f.Subject, Text: f.Text})
		for _, e := range f.Also {
			e.Subject = cmp.Or(e.Subject, f.Subject)
			all = append(all, e)
		}
	}
	for _, f := range c.roots {
		add(f)
	}
	rest := slices.DeleteFunc(slices.Clone(c.reached), func(f *facts.Fact) bool { return c.parent[f] == nil || !c.tells(f) })
	slices.SortStableFunc(rest, func(a, b *facts.Fact) int { return late(a.At).Compare(late(b.At)) })
	for _, f := range rest {
		add(f)
	}
	for _, f := range c.against {
		all = append(all, analyzer.Evidence{Source: f.Source, At: f.At, Subject: f.Subject, Text: "against it: " + f.Text})
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
func (j *judge) affected(c *candidate) []analyzer.Subject {
	set := map[analyzer.Subject]bool{}
	for _, f := range c.reached {
		if f.Weight == 0 || !c.tells(f) {
			continue
		}
		set[f.Subject] = true
		if f.Subject.Kind == "pod" {
			set[j.Workload(f.Subject)] = true
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
func (j *judge) caveats(c *candidate) []string {
	all := []string{}
	if c.Caveat != "" {
		all = append(all, c.Caveat)
	}
	for _, f := range c.against {
		all = append(all, "against it: "+f.Text)
	}
	for _, f := range c.roots {
		code, _ := strconv.Atoi(f.Detail["xid"]) // an Xid's, or 0
		all = append(all, disputes(fault.Xids()[fault.Xid(code)])...)
	}
	if ks := c.kinds(); len(ks) == 1 {
		all = append(all, fmt.Sprintf("it rests on one kind of evidence, the %s", ks[0]))
	}
	if o := c.beside; o != nil {
		all = append(all, fmt.Sprintf("%s of %s stands beside it, and nothing is known that links the two", o.ID, j.Words(o.subject)))
	}
	if c.unseen != "" {
		all = append(all, fmt.Sprintf("the %s were not captured: what they would say against it is not known", c.unseen))
	}
	if c.unnamed() {
		all = append(all, "no metric says which GPU is at this bus address")
	}
	for _, f := range c.reached {
		if f.At.IsZero() && f.Weight > 0 {
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
