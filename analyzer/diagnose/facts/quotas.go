package facts

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"

	"vedette.dev/analyzer"
	"vedette.dev/analyzer/snapshot"
)

// noClaim is the scheduler's word on a claim that was never made.
var noClaim = regexp.MustCompile(`persistentvolumeclaim "([^"]+)" not found`)

// readQuotas looks for what a quota kept from being made where nobody was told:
// controllers say in events which pods they could not make, but a Service or a
// claim is refused to whoever applied it, and leaves only its absence.
func (w *World) readQuotas() {
	for _, q := range w.s.Quotas() {
		if atLimit(q.Object, "services", "count/services") {
			if lone := w.unserved(q.Object.Namespace); lone != nil {
				w.addQuota(q, "quota-services", fmt.Sprintf("the quota %s of services is used up, and no Service selects %s", q.Object.Name, w.Words(lone.subject)),
					analyzer.Evidence{Source: lone.source, Text: "it listens on ports that no Service forwards to"})
			}
		}
		if limits(q.Object, "requests.storage", "persistentvolumeclaims", "count/persistentvolumeclaims") {
			if f, claim := w.claimless(q.Object.Namespace); f != nil {
				w.addQuota(q, "quota-storage", fmt.Sprintf("the quota %s limits storage, and the claim %s was never made", q.Object.Name, claim),
					analyzer.Evidence{Source: f.Source, At: f.At, Text: f.Text})
			}
		}
	}
}

func (w *World) addQuota(q snapshot.Typed[corev1.ResourceQuota], name, text string, also analyzer.Evidence) {
	f := w.add(Fact{Fact: analyzer.Fact{Subject: analyzer.Subject{Kind: "namespace", Name: q.Object.Namespace}, Name: name, Standing: true, Text: text, Source: q.Source},
		Kind: ObjectKind, Weight: 2, Detail: map[string]string{"quota": q.Object.Name}})
	f.Also = append(f.Also, also)
}

func limits(q corev1.ResourceQuota, resources ...corev1.ResourceName) bool {
	return slices.ContainsFunc(resources, func(r corev1.ResourceName) bool { _, ok := q.Status.Hard[r]; return ok })
}

// atLimit reports whether no more of one of the resources may be made.
func atLimit(q corev1.ResourceQuota, resources ...corev1.ResourceName) bool {
	return slices.ContainsFunc(resources, func(r corev1.ResourceName) bool {
		hard, ok := q.Status.Hard[r]
		used := q.Status.Used[r]
		return ok && used.Cmp(hard) >= 0
	})
}

// unserved returns a ready pod of the namespace that declares ports and that no
// Service selects, though somebody fails to resolve its workload's name.
func (w *World) unserved(namespace string) *pod {
	for _, p := range w.namespaces[namespace] {
		if p.gone || !p.ready() || !slices.ContainsFunc(p.Spec.Containers, func(c corev1.Container) bool { return len(c.Ports) > 0 }) {
			continue
		}
		served := slices.ContainsFunc(w.services[namespace], func(s snapshot.Typed[corev1.Service]) bool {
			return s.Object.Name == w.Workload(p.subject).Name ||
				len(s.Object.Spec.Selector) > 0 && labels.SelectorFromSet(s.Object.Spec.Selector).Matches(labels.Set(p.Labels))
		})
		if !served && w.unresolved(w.Workload(p.subject).Name) != nil {
			return p
		}
	}
	return nil
}

// unresolved returns a fact of somebody who could not resolve host.
func (w *World) unresolved(host string) *Fact {
	for _, f := range w.named["name-unresolved"] {
		says := func(e analyzer.Evidence) bool { return namesHost(e.Text, host) }
		if namesHost(f.Text, host) || slices.ContainsFunc(f.Also, says) {
			return f
		}
	}
	return nil
}

// namesHost reports whether host stands in text as a whole name, short or with its domain.
func namesHost(text, host string) bool {
	inside := func(c byte) bool {
		return c == '-' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
	}
	for from := 0; ; {
		i := strings.Index(text[from:], host)
		if i < 0 {
			return false
		}
		i += from
		from = i + len(host)
		if (i == 0 || !inside(text[i-1]) && text[i-1] != '.') && (from == len(text) || !inside(text[from])) {
			return true
		}
	}
}

// claimless returns a pending pod's fact that names a claim which is not there.
func (w *World) claimless(namespace string) (*Fact, string) {
	for _, f := range w.named["pod-unscheduled"] {
		if f.Subject.Namespace != namespace || !f.Standing {
			continue
		}
		texts := []string{f.Text}
		for _, e := range w.events[f.Subject] {
			texts = append(texts, e.Message)
		}
		if m := noClaim.FindStringSubmatch(strings.Join(texts, "\n")); m != nil {
			return f, m[1]
		}
	}
	return nil, ""
}
