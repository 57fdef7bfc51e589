package facts

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"vedette.dev/analyzer"
	"vedette.dev/analyzer/snapshot"
	"vedette.dev/rules/fault"
)

// saidXid is an Xid in the words of those who watch nodes: NvidiaXID79Error,
// "XID-79 was seen", "Xid: 79".
var saidXid = regexp.MustCompile(`(?i)xid(?: ?errors?| ?code)?[ _:=#-]*(\d{1,3})(?:\D|$)`)

// namedXids are the Xids that the EKS node monitoring agent has names for:
// https://docs.aws.amazon.com/eks/latest/userguide/node-health-nma.html
var namedXids = map[string]fault.Xid{"NvidiaDoubleBitError": 48, "NvidiaNVLinkError": 74}

// readNodeXids reads Xids out of the conditions of nodes and the events about
// them, by which monitors tell of what they saw in the kernel's log. They name
// no GPU.
func (w *World) readNodeXids() {
	for _, n := range w.nodes {
		for _, c := range n.Object.Status.Conditions {
			good := strings.HasSuffix(string(c.Type), "Ready") || strings.HasSuffix(string(c.Type), "Healthy")
			if good == (c.Status == corev1.ConditionFalse) && c.Status != corev1.ConditionUnknown {
				w.readNodeXid(n.Object.Name, Fact{Fact: analyzer.Fact{At: c.LastTransitionTime.UTC(), Standing: true, Source: n.Source, Text: c.Reason + ": " + c.Message}, Kind: ObjectKind}, c.Reason)
			}
		}
	}
	for _, e := range w.s.Events {
		if node := e.About(); node.Kind == "node" && e.Type == corev1.EventTypeWarning && !strings.Contains(e.Message, "NVRM: ") {
			w.readNodeXid(node.Name, Fact{Fact: analyzer.Fact{At: e.Onset(), Standing: w.now.Sub(e.Latest()) <= newsOfEnds && !w.clearedSince(node.Name, e.Latest()), Source: e.Source, Text: e.Reason + ": " + e.Message}, Kind: EventKind, Until: e.Latest()}, e.Reason)
		}
	}
}

// clearedSince reports whether the node was started again after at, by which
// GPUs are reset, or whoever watches its GPUs says that they are well.
func (w *World) clearedSince(node string, at time.Time) bool {
	if n := w.node[node]; n != nil && slices.ContainsFunc(n.Object.Status.Conditions, func(c corev1.NodeCondition) bool {
		return c.Type == agentHardware && c.Status == corev1.ConditionTrue
	}) {
		return true
	}
	return bootedAt(w.s.Kernel[node]).After(at) || slices.ContainsFunc(w.events[analyzer.Node(node)], func(e snapshot.Event) bool {
		return e.Reason == "Rebooted" && e.Latest().After(at)
	})
}

func (w *World) readNodeXid(node string, said Fact, reason string) {
	code := namedXids[reason]
	if m := saidXid.FindStringSubmatch(said.Text); m != nil {
		n, _ := strconv.Atoi(m[1])
		code = fault.Xid(n)
	}
	if code == 0 {
		return
	}
	if gpu, ok := w.hitBy(node, code); ok {
		f := w.addXid(gpu, code, said.At, said.Source, said.Kind)
		f.Standing, f.Until = said.Standing, said.Until
		f.Also = []analyzer.Evidence{{Source: said.Source, At: said.At, Text: clip(said.Text)}}
		return
	}
	said.Subject, said.Name, said.Text = analyzer.Node(node), fmt.Sprintf("node-xid-%d", code), clip(said.Text)
	if x := fault.Xids()[code]; xidWeight(x) > 0 {
		said.Weight = 2
	}
	w.addOnce(said)
}

// hitBy returns the GPU of a node that an Xid is of, where only one can be:
// others saw it there, it is the one that fell silent, or there is no other.
func (w *World) hitBy(node string, code fault.Xid) (analyzer.Subject, bool) {
	var hit []analyzer.Subject
	names := []string{fmt.Sprintf("xid-%d", code)}
	if code == fellOffBus {
		names = append(names, "gpu-metrics-ended")
	}
	for _, name := range names {
		for _, f := range w.named[name] {
			if f.Subject.Kind == "gpu" && f.Subject.Node() == node && !slices.Contains(hit, f.Subject) {
				hit = append(hit, f.Subject)
			}
		}
	}
	if all := w.Graph.GPUs(node); len(hit) == 0 && len(all) == 1 {
		hit = all
	}
	if len(hit) != 1 {
		return analyzer.Subject{}, false
	}
	return hit[0], true
}
