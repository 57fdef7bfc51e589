package diagnose

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"vedette.dev/analyzer"
	"vedette.dev/analyzer/diagnose/facts"
	"vedette.dev/analyzer/diagnose/knowledge"
	"vedette.dev/analyzer/topology"
)

// A candidate is a cause that some facts point to, and what it would explain.
type candidate struct {
	*knowledge.Cause
	subject    analyzer.Subject
	roots      []*facts.Fact
	reached    []*facts.Fact // roots first, then what follows, in the order of the walk
	parent     map[*facts.Fact]*facts.Fact
	against    []*facts.Fact
	beside     *candidate    // another cause that was chosen for the same place
	covers     []*facts.Fact // the wanted facts that it was chosen for
	unseen     string        // objects that might have spoken against it and were not captured
	confidence float64
}

// candidates returns a cause for every signature and subject with a root. The
// rejected are those whose predicate does not hold.
func (j *judge) candidates(effects map[*facts.Fact][]*facts.Fact) (all []*candidate, rejected []analyzer.Rejected) {
	for i := range knowledge.All().Causes {
		sig := &knowledge.All().Causes[i]
		bySubject := map[analyzer.Subject]*candidate{}
		var order []*candidate
		for _, name := range sig.Roots {
			for _, f := range j.Called(name) {
				for _, s := range j.blames(sig.On, f) {
					c := bySubject[s]
					if c == nil {
						c = &candidate{Cause: sig, subject: s}
						bySubject[s] = c
						order = append(order, c)
					}
					c.roots = append(c.roots, f)
				}
			}
		}
		for _, c := range order {
			if c.When != "" {
				if why := predicates[c.When](j, c); why != "" {
					rejected = append(rejected, analyzer.Rejected{Cause: c.ID, Subject: c.subject, Why: why, Cites: c.cites()})
					continue
				}
			}
			c.walk(effects)
			for _, name := range c.Against {
				for _, f := range j.Called(name) {
					if f.Subject == c.subject {
						c.against = append(c.against, f)
					}
				}
			}
			c.confidence = c.weigh()
			all = append(all, c)
		}
	}
	return all, rejected
}

// blames returns whom a root blames. A root whose holder is not known blames nobody.
func (j *judge) blames(on string, f *facts.Fact) []analyzer.Subject {
	switch on {
	case "workload":
		return []analyzer.Subject{j.Workload(f.Subject)}
	case "holder":
		var tops []analyzer.Subject
		for _, p := range j.HoldersAt(f.Subject, f.At) {
			if top := j.Workload(p); !slices.Contains(tops, top) {
				tops = append(tops, top)
			}
		}
		return tops
	case "node", "namespace", "cluster":
		return []analyzer.Subject{j.Blame(on, f.Subject)}
	}
	return []analyzer.Subject{f.Subject}
}

// walk finds everything that follows from the roots.
func (c *candidate) walk(effects map[*facts.Fact][]*facts.Fact) {
	c.parent = map[*facts.Fact]*facts.Fact{}
	for _, f := range c.roots {
		c.parent[f] = nil
	}
	c.reached = slices.Clone(c.roots)
	for i := 0; i < len(c.reached); i++ {
		for _, to := range effects[c.reached[i]] {
			if _, seen := c.parent[to]; !seen {
				c.parent[to] = c.reached[i]
				c.reached = append(c.reached, to)
			}
		}
	}
}

// What one more kind of evidence, one fact against or another cause at the
// same place does to the doubt. Two kinds that agree leave a little more than
// half of it; never all of it goes.
const (
	agreement     = 0.6
	contradiction = 0.5
	company       = 0.75 // of sets seen for the first time, 84 % of what stood alone was right and 56 % of what did not
	guessed       = 0.8  // the fault is known, and whose it is was inferred
	most          = 0.98
)

// weigh returns the confidence: the base, more for every further kind of
// evidence that agrees, less for what speaks against it.
func (c *candidate) weigh() float64 {
	doubt := 1 - c.Base
	for range len(c.kinds()) - 1 {
		doubt *= agreement
	}
	conf := min(1-doubt, most)
	for range c.against {
		conf *= contradiction
	}
	if c.unnamed() {
		conf *= guessed
	}
	return math.Round(conf*100) / 100
}

// unnamed reports whether the subject is a GPU of which only the bus address is known.
func (c *candidate) unnamed() bool {
	return c.subject.Kind == "gpu" && strings.Contains(c.subject.Name, "/PCI:")
}

// agreeing is how many steps an effect may be away to still confirm its cause.
// What comes later happens for other reasons just as often.
const agreeing = 2

// kinds returns the kinds of evidence that say why: those of the roots and of
// their near effects, without what is over and without echoes.
func (c *candidate) kinds() []facts.Kind {
	var ks []facts.Kind
	for _, f := range c.reached {
		near := f
		for range agreeing {
			if p := c.parent[near]; p != nil {
				near = p
			}
		}
		if c.parent[near] == nil && c.confirms(f) && !slices.Contains(ks, f.Kind) {
			ks = append(ks, f.Kind)
		}
	}
	return ks
}

// confirms reports whether f says something of the cause: what every fault
// brings about tells that there is one, and not which.
func (c *candidate) confirms(f *facts.Fact) bool {
	if c.parent[f] == nil || slices.Contains(c.Hears, f.Name) {
		return true
	}
	return c.tells(f) && !knowledge.All().IsEcho(f.Name)
}

// explain chooses the fewest causes that explain the wanted facts: again and
// again the one that explains most of what is left, each step weighted by how
// sure the cause is. What follows from a chosen cause is no longer a cause.
func (j *judge) explain(wanted []*facts.Fact) (chosen []*candidate, rejected []analyzer.Rejected) {
	all, rejected := j.candidates(j.effects())
	left := map[*facts.Fact]bool{}
	of := map[*facts.Fact][]int{} // the candidates that explain a fact
	for _, f := range wanted {
		left[f] = true
	}
	gains := make([]float64, len(all))
	for i, c := range all {
		gains[i] = c.gain(left)
		for _, f := range c.reached {
			if left[f] {
				of[f] = append(of[f], i)
			}
		}
	}
	taken := map[*candidate]bool{}
	for len(left) > 0 {
		best, most := -1, 0.0
		for i, c := range all {
			if gain := gains[i] * c.confidence; !taken[c] && (gain > most+1e-9 || best >= 0 && math.Abs(gain-most) <= 1e-9 && gain > 0 && before(c, all[best])) {
				best, most = i, gain
			}
		}
		if best < 0 {
			break
		}
		c := all[j.behindIt(best, all, gains, taken)]
		less := map[int]bool{} // the candidates that explain less of what is left from now on
		for _, f := range c.reached {
			if left[f] {
				c.covers = append(c.covers, f)
				delete(left, f)
				for _, i := range of[f] {
					less[i] = true
				}
			}
		}
		for i := range less {
			gains[i] = all[i].gain(left)
		}
		chosen = append(chosen, c)
		taken[c] = true
	}
	all = slices.DeleteFunc(all, func(c *candidate) bool { return taken[c] })
	for _, c := range all {
		if by := explainer(c, chosen); by != nil && c.confidence > 0 {
			rejected = append(rejected, analyzer.Rejected{Cause: c.ID, Subject: c.subject,
				Why:   fmt.Sprintf("it follows from %s of %s, which explains it and more", by.ID, j.Words(by.subject)),
				Cites: by.whence(c.roots[0])})
		}
	}
	return chosen, rejected
}

// behindIt returns the candidate from which the best follows and which explains
// as much, where there is one: the effect may be better documented than its
// cause, and is no cause for that. Of several it is the one behind them all.
func (j *judge) behindIt(best int, all []*candidate, gains []float64, taken map[*candidate]bool) int {
	for i, c := range all {
		if taken[c] || c.confidence < sure || gains[i] < gains[best]-1e-9 || i == best {
			continue
		}
		follows := func(f *facts.Fact) bool { return c.parent[f] != nil }
		back := func(f *facts.Fact) bool { _, ok := all[best].parent[f]; return ok }
		if !slices.ContainsFunc(all[best].roots, func(f *facts.Fact) bool { return !follows(f) }) && !slices.ContainsFunc(c.roots, back) {
			return j.behindIt(i, all, gains, taken) // nothing is behind itself: what c follows from reaches best as well
		}
	}
	return best
}

// gain sums the weights of what c explains of left.
func (c *candidate) gain(left map[*facts.Fact]bool) float64 {
	sum := 0.0
	for _, f := range c.reached {
		if left[f] {
			sum += f.Weight
		}
	}
	return sum
}

// mostCites bounds the sources behind one rejection, as an account does.
const mostCites = 3

// cites returns the sources of the roots of c.
func (c *candidate) cites() []string {
	var all []string
	for _, f := range c.roots {
		if f.Source != "" && !slices.Contains(all, f.Source) && len(all) < mostCites {
			all = append(all, f.Source)
		}
	}
	return all
}

// whence returns the sources of f, which c explains, and of what it follows
// from: the step before it and the first.
func (c *candidate) whence(f *facts.Fact) []string {
	var way []*facts.Fact
	for at := f; at != nil; at = c.parent[at] {
		way = append(way, at)
	}
	var all []string
	for _, at := range []*facts.Fact{way[len(way)-1], way[min(1, len(way)-1)], f} {
		if at.Source != "" && !slices.Contains(all, at.Source) {
			all = append(all, at.Source)
		}
	}
	return all
}

// before breaks ties: the surer cause, then the earlier root, then the order of names.
func before(a, b *candidate) bool {
	return cmp.Or(cmp.Compare(b.confidence, a.confidence), a.roots[0].At.Compare(b.roots[0].At),
		cmp.Compare(a.ID, b.ID), topology.Compare(a.subject, b.subject)) < 0
}

// explainer returns the chosen cause from which the first root of c follows.
func explainer(c *candidate, chosen []*candidate) *candidate {
	for _, by := range chosen {
		if _, ok := by.parent[c.roots[0]]; ok {
			return by
		}
	}
	return nil
}

// rejections returns those about what was reported or asked for, in order,
// without what is a diagnosis after all.
func (j *judge) rejections(more []analyzer.Rejected, ds []analyzer.Diagnosis) []analyzer.Rejected {
	all := slices.Concat(j.Rejected, more)
	all = slices.DeleteFunc(all, func(r analyzer.Rejected) bool {
		if slices.ContainsFunc(ds, func(d analyzer.Diagnosis) bool { return d.Cause == r.Cause && d.Subject == r.Subject }) {
			return true
		}
		return !j.about(&facts.Fact{Fact: analyzer.Fact{Subject: r.Subject, At: j.s.CapturedAt.UTC()}})
	})
	slices.SortFunc(all, func(a, b analyzer.Rejected) int {
		return cmp.Or(cmp.Compare(a.Cause, b.Cause), topology.Compare(a.Subject, b.Subject), cmp.Compare(a.Why, b.Why))
	})
	all = slices.CompactFunc(all, func(a, b analyzer.Rejected) bool { return a.Cause == b.Cause && a.Subject == b.Subject })
	return all[:min(len(all), maxListed)]
}

// predicates are conditions that a pattern cannot state. Each says why it does
// not hold, or "" where it does.
var predicates = map[string]func(*judge, *candidate) string{
	"followsProgram": followsProgram,
	"onlyClient":     onlyClient,
}

// onlyClient holds where no other workload complains of the same: what all
// clients see is the fault of what they call.
func onlyClient(j *judge, c *candidate) string {
	for _, f := range j.Called(c.Roots...) {
		if f.Standing && f.Subject != c.subject {
			return fmt.Sprintf("%s sees the same: suspect what both call", j.Words(f.Subject))
		}
	}
	return ""
}

// followsProgram holds where a fault goes with the program. One GPU that shows
// it under several workloads while its neighbours do not is the GPU's fault.
func followsProgram(j *judge, c *candidate) string {
	for _, f := range c.roots {
		tops, gpus := map[analyzer.Subject]bool{}, map[analyzer.Subject]bool{}
		for _, o := range j.Called(c.Roots...) {
			for _, p := range j.HoldersAt(o.Subject, o.At) {
				if o.Subject == f.Subject {
					tops[j.Workload(p)] = true
				}
				if j.Workload(p) == c.subject {
					gpus[o.Subject] = true
				}
			}
		}
		if len(tops) > 1 && len(gpus) == 1 {
			return fmt.Sprintf("%s shows it under %d different workloads and under this one no other GPU does: suspect the GPU", j.Words(f.Subject), len(tops))
		}
	}
	return ""
}
