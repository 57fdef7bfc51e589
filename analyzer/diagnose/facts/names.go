package facts

import (
	"cmp"
	"fmt"
	"maps"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"vedette.dev/analyzer"
	"vedette.dev/analyzer/snapshot"
)

// address is host:port as configuration holds it, alone or within a URL.
var address = regexp.MustCompile(`(?:^|//|@)([a-zA-Z0-9][a-zA-Z0-9.-]*):([0-9]{2,5})(?:/|$)`)

// readNames compares the addresses that workloads are configured with, and the
// resolvers, with what there is. A wrong address is a fault only where it was
// tried and failed: images carry addresses that no one ever uses.
func (w *World) readNames() {
	done := map[string]bool{}
	for _, p := range w.order {
		top := w.Workload(p.subject)
		if p.gone || done[top.String()] {
			continue
		}
		done[top.String()] = true
		w.readResolver(p, top)
		for _, c := range slices.Concat(p.Spec.InitContainers, p.Spec.Containers) {
			for _, env := range c.Env {
				if m := address.FindStringSubmatch(env.Value); m != nil {
					port, _ := strconv.Atoi(m[2])
					w.readAddress(p, top, env, m[1], int32(port))
				}
			}
		}
	}
}

// readAddress looks whether host:port is a Service of the cluster.
func (w *World) readAddress(p *pod, top analyzer.Subject, env corev1.EnvVar, host string, port int32) {
	if net.ParseIP(host) != nil || strings.Count(host, ".") > 1 && !strings.Contains(host, ".svc") {
		return // an address, or a name of the world outside
	}
	name, rest, _ := strings.Cut(host, ".")
	namespace, _, _ := strings.Cut(rest, ".")
	if namespace == "" {
		namespace = p.Namespace
	}
	why, tried := "", analyzer.Evidence{}
	services := w.services[namespace]
	i := slices.IndexFunc(services, func(s snapshot.Typed[corev1.Service]) bool { return s.Object.Name == name })
	switch {
	case i < 0:
		f := w.unresolved(name)
		if f == nil {
			return
		}
		why, tried = "no Service is called so", analyzer.Evidence{Source: f.Source, At: f.At, Text: f.Text}
		if w.workloadNamed(namespace, name) {
			w.addName(p, analyzer.Subject{Kind: "service", Namespace: namespace, Name: name}, "service-absent", fmt.Sprintf("%s calls %s, its workload runs, and %s", w.Words(top), host, why), tried)
			return
		}
	case slices.ContainsFunc(services[i].Object.Spec.Ports, func(x corev1.ServicePort) bool { return x.Port == port }):
		return
	default:
		tried = w.refusedAt(services[i].Object.Spec.ClusterIP, port)
		if tried.Source == "" {
			return
		}
		why = fmt.Sprintf("the Service %s has no port %d", name, port)
	}
	w.addName(p, top, "address-wrong", fmt.Sprintf("its variable %s is %s, and %s", env.Name, env.Value, why), tried)
}

func (w *World) addName(p *pod, subject analyzer.Subject, name, text string, tried analyzer.Evidence) {
	f := w.add(Fact{Fact: analyzer.Fact{Subject: subject, Name: name, Standing: true, Text: text, Source: p.source}, Kind: ObjectKind, Weight: 2})
	f.Also = append(f.Also, tried)
}

func (w *World) workloadNamed(namespace, name string) bool {
	return slices.ContainsFunc(w.namespaces[namespace], func(p *pod) bool {
		return !p.gone && w.Workload(p.subject).Name == name
	})
}

// readResolver records resolvers of the pod's own that replace the cluster's,
// and those of its node where it asked them in vain for a Service.
func (w *World) readResolver(p *pod, top analyzer.Subject) {
	if p.ready() {
		return
	}
	if asksNode(p.Pod) {
		w.readNodeResolver(p, top)
		return
	}
	d := p.Spec.DNSConfig
	if d == nil || len(d.Nameservers) == 0 {
		return
	}
	w.add(Fact{Fact: analyzer.Fact{Subject: top, Name: "resolver-foreign", Standing: true, Source: p.source,
		Text: fmt.Sprintf("its pods ask the resolvers %s", strings.Join(d.Nameservers, ", "))}, Kind: ObjectKind})
}

// readLookups records Services that programs look up by their full name, which
// only a Service can have, and that are not there.
func (w *World) readLookups() {
	for _, f := range w.Called("name-unresolved") {
		p := w.pods[f.Subject]
		if p == nil || p.gone || p.ready() || w.now.Sub(latest(f)) > lookupNews {
			continue
		}
		m := fullName.FindStringSubmatch(f.Text)
		if m == nil || !w.s.Captured("services") || len(w.namespaces[m[2]]) == 0 || inEnvironment(p, m[1]) {
			continue
		}
		if _, ok := w.serviceNamed(m[2], m[1]); ok {
			continue
		}
		self := analyzer.Subject{Kind: "service", Namespace: m[2], Name: m[1]}
		w.addOnce(Fact{Fact: analyzer.Fact{Subject: self, Name: "service-absent", At: f.At, Standing: true, Source: f.Source, Text: fmt.Sprintf("no Service is called so, and %s looks for it: %s", w.Words(w.Workload(f.Subject)), f.Text)},
			Kind: LogKind, Weight: 2, Until: latest(f), Seen: []analyzer.Subject{f.Subject}})
	}
}

// inEnvironment reports whether a variable of the pod names the host: then its
// settings are looked at.
func inEnvironment(p *pod, host string) bool {
	for _, c := range slices.Concat(p.Spec.InitContainers, p.Spec.Containers) {
		if slices.ContainsFunc(c.Env, func(e corev1.EnvVar) bool { return namesHost(e.Value, host) }) {
			return true
		}
	}
	return false
}

// asksNode reports whether the pod's lookups go to the resolver of its node.
// ClusterFirst means that too for pods on the node's network.
func asksNode(p *corev1.Pod) bool {
	return p.Spec.DNSPolicy == corev1.DNSDefault || p.Spec.HostNetwork && (p.Spec.DNSPolicy == corev1.DNSClusterFirst || p.Spec.DNSPolicy == "")
}

// readNodeResolver records that the workload looks up a Service, which a node's
// resolver does not know, and does not find it.
func (w *World) readNodeResolver(p *pod, top analyzer.Subject) {
	for _, f := range w.Called("name-unresolved") {
		if w.Workload(f.Subject) != top {
			continue
		}
		for _, namespace := range slices.Sorted(maps.Keys(w.services)) {
			for _, s := range w.services[namespace] {
				name := s.Object.Name + "." + namespace
				if !namesHost(f.Text, name) && (namespace != p.Namespace || !namesHost(f.Text, s.Object.Name)) {
					continue
				}
				w.add(Fact{Fact: analyzer.Fact{Subject: top, Name: "resolver-foreign", Standing: true, Source: p.source,
					Text: fmt.Sprintf("its pods ask the resolver of their node (dnsPolicy %s), which does not know the Service %s", cmp.Or(string(p.Spec.DNSPolicy), "ClusterFirst on the node's network"), name)},
					Kind: ObjectKind}).Also = []analyzer.Evidence{{Source: f.Source, At: f.At, Text: f.Text}}
				return
			}
		}
	}
}
