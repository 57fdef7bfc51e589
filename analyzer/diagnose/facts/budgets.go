package facts

import (
	"fmt"
	"slices"
	"strings"

	"vedette.dev/analyzer"
)

// readBudgets records disruption budgets that allow no eviction while somebody
// wants one: a budget at its limit is what it is for, a drain that cannot go on
// is not.
func (w *World) readBudgets() {
	for _, b := range w.s.Budgets() {
		if b.Object.Status.DisruptionsAllowed > 0 || b.Object.Status.ExpectedPods == 0 {
			continue
		}
		pods := w.matching(b.Object.Namespace, b.Object.Spec.Selector)
		wanted, nodes := w.wantedAway(pods)
		if wanted.Source == "" {
			continue
		}
		self := analyzer.Subject{Kind: "poddisruptionbudget", Namespace: b.Object.Namespace, Name: b.Object.Name}
		subject := self
		if tops := w.workloads(pods); len(tops) > 0 {
			subject = tops[0]
		}
		f := w.add(Fact{Fact: analyzer.Fact{Subject: subject, Name: "budget-blocks", At: wanted.At, Standing: true, Source: b.Source,
			Text: fmt.Sprintf("the disruption budget %s allows no eviction: %d of its pods are healthy and %d must be", b.Object.Name, b.Object.Status.CurrentHealthy, b.Object.Status.DesiredHealthy)},
			Kind: ObjectKind, Weight: 1, Seen: append(nodes, self)})
		f.Detail["budget"] = b.Object.Name
		f.Also = append(f.Also, wanted)
	}
}

// wantedAway returns a sign that somebody wants one of the pods evicted, and
// from where: an eviction that was refused, or a drain of its node that is not over.
func (w *World) wantedAway(pods []*pod) (sign analyzer.Evidence, nodes []analyzer.Subject) {
	for _, f := range w.Called("eviction-refused") {
		for _, p := range pods {
			if w.now.Sub(latest(f)) <= newsOfEnds && (f.Subject == p.subject || f.Subject.Name == p.Spec.NodeName || strings.Contains(f.Text, p.Name)) {
				sign = analyzer.Evidence{Source: f.Source, At: f.At, Text: f.Text}
				if n := analyzer.Node(p.Spec.NodeName); n.Name != "" && !slices.Contains(nodes, n) {
					nodes = append(nodes, n)
				}
			}
		}
	}
	return sign, nodes
}
