package facts

import (
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"vedette.dev/analyzer"
)

// readSaid takes what programs said and holds it against the objects: what they
// say is missing may be there, and what they say once is no state.
func (w *World) readSaid() {
	w.readWebhooks()
	w.readVariables()
	w.readDenied()
	w.readRateLimits()
	w.readBlindAutoscalers()
	w.readIngressLogs()
	w.readSlowControlPlane()
	w.readOutside()
}

// readWebhooks notes what stands behind webhooks that cannot be called.
func (w *World) readWebhooks() {
	for _, f := range w.Called("webhook-unreachable") {
		if m := fullName.FindStringSubmatch(f.Text); m != nil {
			service := analyzer.Subject{Kind: "service", Namespace: m[2], Name: m[1]}
			names := []string{service.String()}
			for _, top := range w.Behind(service) {
				names = append(names, top.String())
			}
			f.Detail["serves"] = strings.Join(names, " ")
		}
	}
}

// readVariables believes a program that a variable is missing where its pod does not set it.
func (w *World) readVariables() {
	for _, f := range w.Called("variable-said-missing") {
		p := w.pods[f.Subject]
		if p == nil || w.sets(p, f.Detail["variable"]) {
			continue
		}
		top := w.Workload(f.Subject)
		w.addOnce(Fact{Fact: analyzer.Fact{Subject: top, Name: "variable-missing", At: f.At, Standing: f.Standing, Source: f.Source, Text: f.Text}, Kind: f.Kind, Until: latest(f),
			Detail: map[string]string{"variable": f.Detail["variable"]}, Seen: []analyzer.Subject{f.Subject}})
	}
}

// sets reports whether a container of the pod sets the variable, or takes its
// environment from what cannot be looked into.
func (w *World) sets(p *pod, name string) bool {
	if name == "" {
		return false
	}
	for _, c := range slices.Concat(p.Spec.InitContainers, p.Spec.Containers) {
		if slices.ContainsFunc(c.Env, func(e corev1.EnvVar) bool { return e.Name == name && (e.Value != "" || e.ValueFrom != nil) }) {
			return true
		}
		for _, from := range c.EnvFrom {
			if w.provides(p.Namespace, from, name) {
				return true
			}
		}
	}
	return false
}

func (w *World) provides(namespace string, from corev1.EnvFromSource, name string) bool {
	key := strings.TrimPrefix(name, from.Prefix)
	if from.ConfigMapRef != nil {
		for _, m := range w.s.ConfigMaps() {
			if m.Object.Namespace == namespace && m.Object.Name == from.ConfigMapRef.Name {
				_, ok := m.Object.Data[key]
				return ok
			}
		}
	}
	if from.SecretRef != nil {
		for _, m := range w.s.Secrets() {
			if m.Object.Namespace == namespace && m.Object.Name == from.SecretRef.Name {
				_, ok := m.Object.Data[key]
				return ok
			}
		}
	}
	return false
}

// refusalsToMind is how many refusals make a limit a fault: limits are there to refuse a request now and then.
const refusalsToMind = 3

// readRateLimits records a Service of which a program keeps being told to come back later.
func (w *World) readRateLimits() {
	for _, f := range w.Called("rate-limited-said") {
		if len(f.Also)+1 < refusalsToMind || w.now.Sub(latest(f)) > callNews {
			continue
		}
		subject := w.serves(f)
		if slices.ContainsFunc(w.named["rate-limited"], func(o *Fact) bool { return o.Subject == subject }) {
			continue
		}
		w.addOnce(Fact{Fact: analyzer.Fact{Subject: subject, Name: "rate-limited", At: f.At, Standing: true, Source: f.Source, Text: fmt.Sprintf("%d refusals of a rate limit: %s", len(f.Also)+1, f.Text)},
			Kind: f.Kind, Until: latest(f), Weight: 1, Seen: []analyzer.Subject{f.Subject}, Also: f.Also})
	}
}

// readBlindAutoscalers believes autoscalers' events where their objects tell nothing.
func (w *World) readBlindAutoscalers() {
	for _, f := range w.Called("hpa-blind-said") {
		known := slices.ContainsFunc(w.s.Autoscalers(), func(h hpa) bool {
			return h.Object.Namespace == f.Subject.Namespace && h.Object.Name == f.Subject.Name && len(h.Object.Status.Conditions) > 0
		})
		tops := w.Behind(f.Subject)
		if len(tops) == 0 || tops[0] == f.Subject { // the autoscaler was not captured: it is called as what it sizes, as a rule
			if top, ok := w.workloadBehind(analyzer.Subject{Kind: "service", Namespace: f.Subject.Namespace, Name: f.Subject.Name}); ok {
				tops = []analyzer.Subject{top}
			}
		}
		blind := slices.ContainsFunc(w.named["hpa-blind"], func(o *Fact) bool { return slices.Contains(o.Seen, f.Subject) })
		if len(tops) == 0 || known && !blind || w.now.Sub(latest(f)) > fresh || latest(f).Sub(f.At) < sizingGrace {
			continue
		}
		w.addOnce(Fact{Fact: analyzer.Fact{Subject: tops[0], Name: "hpa-blind", At: f.At, Standing: true, Source: f.Source, Text: f.Text}, Kind: f.Kind, Until: latest(f), Weight: 1, Seen: []analyzer.Subject{f.Subject}})
	}
}

// readIngressLogs adds what controllers say to the Ingresses that name what does not exist.
func (w *World) readIngressLogs() {
	for _, f := range w.Called("ingress-said") {
		for _, o := range slices.Clone(w.named["ingress-astray"]) {
			if o.Kind == LogKind || f.Subject != o.Subject && !slices.ContainsFunc(o.Seen, func(s analyzer.Subject) bool { return namesHost(f.Text, s.Name) }) {
				continue
			}
			w.addOnce(Fact{Fact: analyzer.Fact{Subject: o.Subject, Name: o.Name, At: f.At, Standing: true, Source: f.Source, Text: f.Text}, Kind: f.Kind, Until: latest(f), Weight: 1, Seen: o.Seen})
		}
	}
}

// severalSay is how many pods and nodes must complain of the control plane: one
// alone has a bad connection.
const severalSay = 2

// readSlowControlPlane records that the API server or etcd keep several waiting.
func (w *World) readSlowControlPlane() {
	for _, f := range w.Called("apiserver-slow") {
		tops := map[analyzer.Subject]bool{}
		for _, s := range f.Seen {
			tops[w.Workload(s)] = true
		}
		if len(tops) >= severalSay && w.now.Sub(latest(f)) <= time.Hour {
			w.addOnce(Fact{Fact: analyzer.Fact{Subject: f.Subject, Name: "control-plane-slow", At: f.At, Standing: true, Source: f.Source, Text: fmt.Sprintf("%d complain of the API server: %s", len(tops), f.Text)},
				Kind: f.Kind, Until: latest(f), Weight: 2, Seen: f.Seen, Also: f.Also})
		}
	}
}
