// Package remedy proposes what the fault tables say should be done about an
// incident's cause. It decides nothing and does nothing: a proposal waits in
// the ledger for the policy or a person.
//
// What a reader would get wrong: no action is a good answer. Nothing is
// proposed for a cause that is only likely, for one whose remedy is a person's
// work, or for a subject that is on no node.
package remedy

import (
	"fmt"
	"slices"
	"strings"

	"vedette.dev/analyzer"
	"vedette.dev/analyzer/action"
	"vedette.dev/rules/fault"
)

// sure is the confidence from which taking a node out of service is worth
// proposing: a wrong cordon costs eight GPUs, a late one a few minutes.
const sure = 0.7

// maxCites bounds the evidence that a proposal shows; the incident has the rest.
const maxCites = 3

// A Planner is an [analyzer.Planner] over the cause table. The zero value is ready.
type Planner struct{}

var _ analyzer.Planner = Planner{}

// Plan implements [analyzer.Planner].
func (Planner) Plan(in analyzer.Incident) []action.Action {
	d := in.Diagnosis
	if !in.Open() || d == nil || d.Confidence < sure {
		return nil
	}
	kind := action.Kind(fault.Causes()[d.Cause].Action)
	node := d.Subject.Node()
	if kind == "" || node == "" {
		return nil
	}
	cites := []string{"incident#" + in.ID}
	for _, e := range d.Evidence[:min(len(d.Evidence), maxCites)] {
		cites = append(cites, e.Source)
	}
	return []action.Action{{
		Kind:   kind,
		Target: analyzer.Node(node).String(),
		Reason: fmt.Sprintf("%s (confidence %.2f)", strings.TrimSuffix(d.Summary, "."), d.Confidence),
		Effect: effect(kind, node, d.Affected),
		Cites:  cites,
	}}
}

// effect says what the action touches and what it leaves alone.
func effect(kind action.Kind, node string, affected []analyzer.Subject) string {
	if kind != action.CordonNode {
		return fmt.Sprintf("changes node %s", node)
	}
	text := fmt.Sprintf("node %s takes no new pods; what runs on it goes on", node)
	var hurt []string
	for _, s := range affected {
		if s.Kind != "pod" && s.Kind != "node" && s.Kind != "gpu" {
			hurt = append(hurt, s.String())
		}
	}
	if len(hurt) > 0 {
		slices.Sort(hurt)
		text += "; the fault already hurts " + strings.Join(hurt, ", ")
	}
	return text
}
