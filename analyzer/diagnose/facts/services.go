package facts

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"

	"vedette.dev/analyzer"
	"vedette.dev/analyzer/diagnose/patterns"
	"vedette.dev/analyzer/diagnose/placement"
	"vedette.dev/analyzer/snapshot"
	"vedette.dev/rules/catalog"
)

// probeSuccess is the blackbox exporter's word on whether an address answers.
const probeSuccess catalog.ID = "probe_success"

// readServices compares every Service with the pods that it is for.
func (w *World) readServices() {
	for _, s := range w.s.Services() {
		if len(s.Object.Spec.Selector) == 0 || s.Object.Spec.Type == corev1.ServiceTypeExternalName {
			continue
		}
		pods := w.selected(s.Object)
		if len(pods) == 0 {
			w.readEmpty(s)
			continue
		}
		for _, port := range s.Object.Spec.Ports {
			w.readPort(s, port, pods)
		}
	}
}

// selected returns the pods that the Service selects, ready or not. It looks
// only at those with the rarest of the labels: a namespace may hold all the
// pods of a cluster and as many Services.
func (w *World) selected(s corev1.Service) []*pod {
	var rarest []*pod
	first := true
	for k, v := range s.Spec.Selector {
		if have := w.labelled[label{s.Namespace, k, v}]; first || len(have) < len(rarest) {
			rarest, first = have, false
		}
	}
	sel := labels.SelectorFromSet(s.Spec.Selector)
	return slices.DeleteFunc(slices.Clone(rarest), func(p *pod) bool {
		return p.gone || placement.Over(p.Pod) || !sel.Matches(labels.Set(p.Labels))
	})
}

func serviceSubject(s corev1.Service) analyzer.Subject {
	return analyzer.Subject{Kind: "service", Namespace: s.Namespace, Name: s.Name}
}

func (w *World) addService(s snapshot.Typed[corev1.Service], name, text string) *Fact {
	return w.add(Fact{Fact: analyzer.Fact{Subject: serviceSubject(s.Object), Name: name, Standing: true, Text: text, Source: s.Source}, Kind: ObjectKind, Weight: 2})
}

// readEmpty looks for what a Service without pods is for: the ready pods of the
// workload of its name. Where that workload has been given no pods, and someone
// misses it, this is the reason.
func (w *World) readEmpty(s snapshot.Typed[corev1.Service]) {
	if zero := w.scaledToZero(s.Object); zero != (analyzer.Subject{}) {
		missed := w.missed(serviceSubject(s.Object))
		if missed.Source == "" {
			missed = w.calledInVain(serviceSubject(s.Object))
		}
		if missed.Source == "" {
			return // nobody minds
		}
		f := w.addService(s, "scaled-to-zero", fmt.Sprintf("%s has been set to no replicas, and %s", w.Words(zero), missed.Text))
		f.Subject = zero
		f.Also = append(f.Also, missed)
		return
	}
	for _, p := range w.namespaces[s.Object.Namespace] {
		top := w.Workload(p.subject)
		if p.gone || !p.ready() || top.Name != s.Object.Name {
			continue
		}
		f := w.addService(s, "service-selects-none", fmt.Sprintf("it selects %s, which no pod has; the pods of %s have %s",
			labels.Set(s.Object.Spec.Selector), w.Words(top), labels.Set(p.Labels)))
		f.Also = append(f.Also, analyzer.Evidence{Source: p.source, Text: "its labels"})
		return
	}
}

// scaledToZero returns the workload with no replicas that the Service would select.
func (w *World) scaledToZero(s corev1.Service) analyzer.Subject {
	sel := labels.SelectorFromSet(s.Spec.Selector)
	for _, d := range w.s.Deployments() {
		if d.Object.Namespace == s.Namespace && orOne(d.Object.Spec.Replicas) == 0 && sel.Matches(labels.Set(d.Object.Spec.Template.Labels)) {
			return analyzer.Subject{Kind: "deployment", Namespace: s.Namespace, Name: d.Object.Name}
		}
	}
	for _, d := range w.s.StatefulSets() {
		if d.Object.Namespace == s.Namespace && orOne(d.Object.Spec.Replicas) == 0 && sel.Matches(labels.Set(d.Object.Spec.Template.Labels)) {
			return analyzer.Subject{Kind: "statefulset", Namespace: s.Namespace, Name: d.Object.Name}
		}
	}
	return analyzer.Subject{}
}

// missed returns a sign that a Service does not answer somebody: a probe of it
// that fails, or an alert about it or about one that calls it.
func (w *World) missed(service analyzer.Subject) analyzer.Evidence {
	for _, m := range w.s.Series(string(probeSuccess)) {
		if m.Labels["namespace"] == service.Namespace && m.Labels["service"] == service.Name && m.Last().Value == 0 {
			return analyzer.Evidence{Source: m.Source, At: m.Last().At, Text: "connections to " + w.Words(service) + " fail"}
		}
	}
	callers := w.callers(service)
	for i, a := range w.fired {
		about := a.service()
		if about == service || slices.Contains(callers, about) {
			return analyzer.Evidence{Source: fmt.Sprintf("alerts.json#%d", i), At: a.StartsAt, Text: fmt.Sprintf("alert %s fires for %s", a.Labels["alertname"], w.Words(about))}
		}
	}
	return analyzer.Evidence{}
}

// calledInVain returns what a workload says that keeps failing to reach the Service.
func (w *World) calledInVain(service analyzer.Subject) analyzer.Evidence {
	for _, f := range w.named["call-failing"] {
		if f.Standing && slices.Contains(f.Seen, service) {
			return analyzer.Evidence{Source: f.Source, At: f.At, Text: w.Words(f.Subject) + " fails to reach it"}
		}
	}
	return analyzer.Evidence{}
}

// callers returns all that call a service, directly or through others.
func (w *World) callers(service analyzer.Subject) []analyzer.Subject {
	all := []analyzer.Subject{service}
	seen := map[analyzer.Subject]bool{service: true}
	for i := 0; i < len(all); i++ {
		for _, from := range w.callersOf[all[i]] {
			if !seen[from] {
				seen[from] = true
				all = append(all, from)
			}
		}
	}
	return all[1:]
}

// readPort looks whether the pods have the port that a Service sends to. A
// number need not be declared to be listened on, so it takes a failed
// connection to believe that it is wrong.
func (w *World) readPort(s snapshot.Typed[corev1.Service], port corev1.ServicePort, pods []*pod) {
	to := port.TargetPort
	if to == (intstr.IntOrString{}) {
		to = intstr.FromInt32(port.Port)
	}
	protocol, declared := port.Protocol, false
	for _, p := range pods {
		for _, c := range p.Spec.Containers {
			declared = declared || len(c.Ports) > 0
			for _, x := range c.Ports {
				if (to.Type == intstr.Int && x.ContainerPort == to.IntVal || to.Type == intstr.String && x.Name == to.StrVal) && protocolOf(x.Protocol) == protocolOf(port.Protocol) {
					return
				}
				if to.Type == intstr.Int && x.ContainerPort == to.IntVal {
					protocol = x.Protocol
				}
			}
		}
	}
	if !declared {
		return
	}
	missed := w.missed(serviceSubject(s.Object))
	if missed.Source == "" {
		missed = w.refusedAt(s.Object.Spec.ClusterIP, port.Port)
	}
	switch {
	case protocolOf(protocol) != protocolOf(port.Protocol):
		if to == intstr.FromInt32(dnsPort) || slices.ContainsFunc(s.Object.Spec.Ports, func(x corev1.ServicePort) bool {
			return x.Port == port.Port && protocolOf(x.Protocol) == protocolOf(protocol)
		}) {
			return // who listens for both, as resolvers do, need not declare both
		}
		w.addService(s, "service-other-protocol", fmt.Sprintf("it forwards %s to port %s, and its pods listen there for %s", protocolOf(port.Protocol), to.String(), protocolOf(protocol))).Also = said(missed)
	case to.Type == intstr.String, missed.Source != "":
		w.addService(s, "service-other-port", fmt.Sprintf("it forwards to port %s, which its pods do not have", to.String())).Also = said(missed)
	}
}

func said(e analyzer.Evidence) []analyzer.Evidence {
	if e.Source == "" {
		return nil
	}
	return []analyzer.Evidence{e}
}

// protocolOf gives the protocol that an empty one stands for.
func protocolOf(p corev1.Protocol) corev1.Protocol {
	if p == "" {
		return corev1.ProtocolTCP
	}
	return p
}

// refusedAt returns a log line that tells of a refused connection to the address.
func (w *World) refusedAt(ip string, port int32) analyzer.Evidence {
	if ip == "" || ip == corev1.ClusterIPNone {
		return analyzer.Evidence{}
	}
	address := ip + ":" + strconv.Itoa(int(port))
	for _, line := range w.refusals() {
		if strings.Contains(line.Text, address) {
			return analyzer.Evidence{Source: line.Source, At: line.At, Text: clip(line.Text)}
		}
	}
	return analyzer.Evidence{}
}

// refusals returns the log lines that tell of a connection that failed.
func (w *World) refusals() []snapshot.Line {
	if w.refused == nil {
		w.refused = []snapshot.Line{}
		for _, l := range w.s.Logs {
			for _, line := range l.Lines {
				if failedCall.Holds(line.Text) {
					w.refused = append(w.refused, line)
				}
			}
		}
	}
	return w.refused
}

var failedCall = patterns.MustCompile(`(?i)connection refused|i/o timeout|timed out|no route to host|connection reset`)

// An alert is what the diagnosis reads of one, as Alertmanager's API v2 prints it.
type alert struct {
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
	StartsAt    time.Time         `json:"startsAt"`
}

// service returns the service that the alert is about; its name is "" where it is about none.
func (a alert) service() analyzer.Subject {
	return analyzer.Subject{Kind: "service", Namespace: a.Labels["namespace"], Name: a.Labels["service"]}
}

// decodeAlerts decodes alerts; one that does not parse keeps its place and is empty.
func decodeAlerts(raw []json.RawMessage) []alert {
	all := make([]alert, len(raw))
	for i, r := range raw {
		_ = json.Unmarshal(r, &all[i])
	}
	return all
}
