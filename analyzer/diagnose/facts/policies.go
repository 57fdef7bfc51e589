package facts

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"

	"vedette.dev/analyzer"
	"vedette.dev/analyzer/snapshot"
)

type policy = snapshot.Typed[networkingv1.NetworkPolicy]

// readPolicies looks for NetworkPolicies that forbid a call which a program
// says came to nothing. A policy alone is no fault: most traffic is meant to
// be forbidden.
func (w *World) readPolicies() {
	policies := w.s.NetworkPolicies()
	if len(policies) == 0 {
		return
	}
	seen := map[[2]analyzer.Subject]bool{}
	for _, c := range w.calls {
		pair := [2]analyzer.Subject{c.from, c.to}
		if !c.waited || seen[pair] || w.now.Sub(c.line.At) > callsForbidden {
			continue
		}
		seen[pair] = true
		for _, to := range w.podsBehind(c.to) {
			p := w.pods[to]
			if p == nil || p.gone {
				continue
			}
			port := w.podPort(c, p)
			if by := w.forbids(policies, networkingv1.PolicyTypeIngress, p, c.pod, port); by != nil {
				w.addForbidden(c, *by, "admits")
			} else if by := w.forbids(policies, networkingv1.PolicyTypeEgress, c.pod, p, port); by != nil {
				w.addForbidden(c, *by, "lets out")
			}
			break
		}
	}
	w.readForbiddenLookups(policies)
}

// callsForbidden is how old a failed call may be: as old as the pods that a
// job leaves behind when it gives up.
const callsForbidden = newsOfEnds

func (w *World) podsBehind(s analyzer.Subject) []analyzer.Subject {
	if s.Kind == "pod" {
		return []analyzer.Subject{s}
	}
	var all []analyzer.Subject
	if x, ok := w.serviceNamed(s.Namespace, s.Name); ok && len(x.Object.Spec.Selector) > 0 {
		for _, p := range w.selected(x.Object) {
			all = append(all, p.subject)
		}
	}
	return all
}

// podPort turns the port of a Service that was called into the pod's; 0 is any.
func (w *World) podPort(c call, p *pod) int32 {
	x, ok := w.serviceNamed(c.to.Namespace, c.to.Name)
	if c.to.Kind == "pod" || !ok {
		return c.port
	}
	for _, port := range x.Object.Spec.Ports {
		if port.Port != c.port && len(x.Object.Spec.Ports) > 1 {
			continue
		}
		switch to := port.TargetPort; {
		case to.Type == intstr.Int && to.IntVal != 0:
			return to.IntVal
		case to.Type == intstr.String:
			for _, container := range p.Spec.Containers {
				for _, have := range container.Ports {
					if have.Name == to.StrVal {
						return have.ContainerPort
					}
				}
			}
		}
		return port.Port
	}
	return c.port
}

// forbids returns a policy that selects subject and, with all others that do,
// has no rule for its peer; nil where the traffic is allowed.
func (w *World) forbids(policies []policy, direction networkingv1.PolicyType, subject, peer *pod, port int32) *policy {
	var by *policy
	for i, x := range policies {
		sel, err := metav1.LabelSelectorAsSelector(&x.Object.Spec.PodSelector)
		if err != nil || x.Object.Namespace != subject.Namespace || !sel.Matches(labels.Set(subject.Labels)) || !slices.Contains(policyTypes(x.Object), direction) {
			continue
		}
		if w.allows(x.Object, direction, peer, port) {
			return nil
		}
		by = &policies[i]
	}
	return by
}

func policyTypes(x networkingv1.NetworkPolicy) []networkingv1.PolicyType {
	if len(x.Spec.PolicyTypes) > 0 {
		return x.Spec.PolicyTypes
	}
	types := []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}
	if len(x.Spec.Egress) > 0 {
		types = append(types, networkingv1.PolicyTypeEgress)
	}
	return types
}

func (w *World) allows(x networkingv1.NetworkPolicy, direction networkingv1.PolicyType, peer *pod, port int32) bool {
	if direction == networkingv1.PolicyTypeIngress {
		return slices.ContainsFunc(x.Spec.Ingress, func(r networkingv1.NetworkPolicyIngressRule) bool {
			return portAllowed(r.Ports, port) && w.peerAllowed(x.Namespace, r.From, peer)
		})
	}
	return slices.ContainsFunc(x.Spec.Egress, func(r networkingv1.NetworkPolicyEgressRule) bool {
		return portAllowed(r.Ports, port) && w.peerAllowed(x.Namespace, r.To, peer)
	})
}

func portAllowed(ports []networkingv1.NetworkPolicyPort, port int32) bool {
	return len(ports) == 0 || port == 0 || slices.ContainsFunc(ports, func(x networkingv1.NetworkPolicyPort) bool {
		switch {
		case x.Port == nil, x.Port.Type == intstr.String: // a name we do not resolve is believed
			return true
		case x.EndPort != nil:
			return port >= x.Port.IntVal && port <= *x.EndPort
		}
		return x.Port.IntVal == port
	})
}

// peerAllowed reports whether a rule's list of peers holds the pod. A block of
// addresses is believed to: which addresses others see is the network's secret.
func (w *World) peerAllowed(namespace string, peers []networkingv1.NetworkPolicyPeer, p *pod) bool {
	matches := func(sel *metav1.LabelSelector, have labels.Set) bool {
		s, err := metav1.LabelSelectorAsSelector(sel)
		return err == nil && s.Matches(have)
	}
	return len(peers) == 0 || slices.ContainsFunc(peers, func(x networkingv1.NetworkPolicyPeer) bool {
		switch {
		case x.IPBlock != nil:
			return true
		case x.NamespaceSelector != nil && !matches(x.NamespaceSelector, w.namespaceLabels(p.Namespace)):
			return false
		case x.NamespaceSelector == nil && p.Namespace != namespace:
			return false
		}
		return x.PodSelector == nil || matches(x.PodSelector, labels.Set(p.Labels))
	})
}

func (w *World) namespaceLabels(name string) labels.Set {
	set := labels.Set{corev1.LabelMetadataName: name}
	for _, n := range w.s.Namespaces() {
		if n.Object.Name == name {
			for k, v := range n.Object.Labels {
				set[k] = v
			}
		}
	}
	return set
}

func (w *World) addForbidden(c call, by policy, verb string) {
	if slices.ContainsFunc(w.named["policy-blocks"], func(f *Fact) bool { return f.Subject == c.from }) {
		return
	}
	f := w.add(Fact{Fact: analyzer.Fact{Subject: c.from, Name: "policy-blocks", At: c.line.At, Standing: true, Source: by.Source,
		Text: fmt.Sprintf("the network policy %s %s nothing between it and %s", by.Object.Name, verb, w.Words(c.to))}, Kind: ObjectKind, Weight: 1, Seen: []analyzer.Subject{c.to}})
	f.Detail["policy"] = by.Object.Name
	f.Also = append(f.Also, analyzer.Evidence{Source: c.line.Source, At: c.line.At, Text: clip(c.line.Text)})
}

// readForbiddenLookups looks for workloads whose names do not resolve because
// a policy lets nothing out to port 53.
func (w *World) readForbiddenLookups(policies []policy) {
	for _, f := range w.named["resolver-silent"] {
		client := w.pods[f.Subject]
		if client == nil || client.gone {
			continue
		}
		dns := w.dnsPods()
		if len(dns) == 0 {
			continue
		}
		if by := w.forbids(policies, networkingv1.PolicyTypeEgress, client, dns[0], dnsPort); by != nil {
			w.addForbidden(call{from: w.Workload(f.Subject), pod: client, to: dns[0].subject, line: snapshot.Line{At: f.At, Source: f.Source, Text: f.Text}}, *by, "lets out")
		}
	}
}
