package facts

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"vedette.dev/analyzer"
	"vedette.dev/analyzer/diagnose/patterns"
)

// readSaid takes what programs said and holds it against the objects: what they
// say is missing may be there, and what they say once is no state.
func (w *World) readSaid() {
	w.readWebhooks()
	w.readVariables()
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

var (
	// outsideHost is a host of the world outside the cluster in a URL or before a port.
	outsideHost = regexp.MustCompile(`(?:://|\b(?:host|upstream|peer|addr|server|to)=?"? ?)((?:[a-z0-9-]+\.)+(?:com|net|org|io|dev|eu|co|cloud|ai|example|test|[a-z]{2}))\b`)
	took        = regexp.MustCompile(`(?i)\b(?:took|duration|latency|elapsed|rt|upstream_response_time|request_time|after)["_a-z]*[=: ]+"?([0-9.]+) ?(ms|s)?\b`)
	// upstream_ms=3120, "elapsedMs":3120, wait_seconds=3.1: the key has the unit
	keyTook = regexp.MustCompile(`(?:\b|_)[a-zA-Z][a-zA-Z0-9_]*?(?:_(ms|millis|msec|milliseconds|s|sec|secs|seconds)|(Ms|Millis|Seconds))"?[=:] ?"?([0-9]+(?:\.[0-9]+)?)\b`)
)

// tellsOfWait is what every line holds that tells of a wait.
var tellsOfWait = patterns.MustCompile(`(?i)timed out|timeout|deadline exceeded|took|duration|latency|elapsed|response_time|request_time|_ms[=":]|_millis|_msec|_seconds[=":]|_secs?[=":]|ms":|millis":`)

// slowOutside is from what time an answer from outside counts as slow: below it
// few users would have complained.
const slowOutside = 2 * time.Second

// readOutside records workloads that keep waiting for somebody outside the cluster.
func (w *World) readOutside() {
	type wait struct {
		first, last *Fact
		n           int
	}
	waits := map[analyzer.Subject]*wait{}
	var order []analyzer.Subject
	for _, l := range w.s.Logs {
		p := w.pods[analyzer.Pod(l.Namespace, l.Pod)]
		if p == nil || p.gone {
			continue
		}
		for _, line := range l.Lines {
			if line.At.IsZero() || w.now.Sub(line.At) > time.Hour || !strings.Contains(line.Text, "://") && !strings.Contains(line.Text, "upstream") || tellsOfWait.Match(line.Text) == nil {
				continue
			}
			m := outsideHost.FindStringSubmatch(line.Text)
			if m == nil || strings.Contains(m[1], ".svc") || !slow(line.Text) {
				continue
			}
			top := w.Workload(p.subject)
			f := &Fact{Fact: analyzer.Fact{Subject: top, Name: "outside-slow", At: line.At, Source: line.Source, Text: "it waits for " + m[1] + ": " + clip(line.Text)}, Kind: LogKind}
			x := waits[top]
			if x == nil {
				x = &wait{first: f, last: f}
				waits[top] = x
				order = append(order, top)
			}
			if f.At.Before(x.first.At) {
				x.first = f
			}
			if f.At.After(x.last.At) {
				x.last = f
			}
			x.n++
		}
	}
	for _, top := range order {
		x := waits[top]
		if x.n < refusalsToMind || w.now.Sub(x.last.At) > callNews {
			continue
		}
		f := *x.first
		f.Standing, f.Until, f.Weight = true, x.last.At, 1
		f.Also = []analyzer.Evidence{{Source: x.last.Source, At: x.last.At, Text: x.last.Text}}
		w.add(f)
	}
}

// slow reports whether a line tells of a long wait or of one in vain.
func slow(text string) bool {
	if troubled.Match(text) != nil && waited.MatchString(text) {
		return true
	}
	for _, m := range took.FindAllStringSubmatch(text, -1) {
		unit := m[2]
		if unit == "" {
			unit = "s"
			if !strings.Contains(m[1], ".") {
				unit = "ms"
			}
		}
		if d, err := time.ParseDuration(m[1] + unit); err == nil && d >= slowOutside {
			return true
		}
	}
	for _, m := range keyTook.FindAllStringSubmatch(text, -1) {
		unit := "ms"
		if strings.HasPrefix(strings.ToLower(m[1]+m[2]), "s") {
			unit = "s"
		}
		if d, err := time.ParseDuration(m[3] + unit); err == nil && d >= slowOutside && d <= slowestAnswer {
			return true
		}
	}
	return false
}

// slowestAnswer is what nobody waits for longer: numbers above it count something else.
const slowestAnswer = time.Hour
