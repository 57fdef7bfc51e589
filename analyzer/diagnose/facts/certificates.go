package facts

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"vedette.dev/analyzer"
)

// readCertificates turns complaints about certificates into facts about the
// Service whose certificate it is, and adds certificates that have ended by
// their own word.
func (w *World) readCertificates() {
	for _, f := range w.Called("certificate-refused") {
		subject := w.serves(f)
		w.addCertificate(subject, f.At, latest(f), Fact{Fact: analyzer.Fact{Standing: f.Standing || w.now.Sub(latest(f)) <= time.Hour, Source: f.Source, Text: f.Text}, Kind: f.Kind, Seen: append(slices.Clone(f.Seen), f.Subject), Also: f.Also})
	}
	for _, c := range w.s.Certificates() {
		ends := c.Object.Status.NotAfter
		if ends == nil || ends.After(w.now) {
			continue
		}
		self := analyzer.Subject{Kind: "certificate", Namespace: c.Object.Namespace, Name: c.Object.Name}
		secret := analyzer.Subject{Kind: "secret", Namespace: c.Object.Namespace, Name: c.Object.Spec.SecretName}
		subject := self
		for _, name := range c.Object.Spec.DNSNames {
			first, rest, _ := strings.Cut(name, ".")
			ns, _, _ := strings.Cut(rest, ".")
			if _, ok := w.serviceNamed(ns, first); ok {
				subject = analyzer.Subject{Kind: "service", Namespace: ns, Name: first}
				break
			}
			if _, ok := w.serviceNamed(c.Object.Namespace, first); ok && rest == "" {
				subject = analyzer.Subject{Kind: "service", Namespace: c.Object.Namespace, Name: first}
				break
			}
		}
		if subject == self {
			for _, g := range w.s.Ingresses() {
				for _, t := range g.Object.Spec.TLS {
					if g.Object.Namespace == c.Object.Namespace && t.SecretName == c.Object.Spec.SecretName {
						subject = analyzer.Subject{Kind: "ingress", Namespace: g.Object.Namespace, Name: g.Object.Name}
					}
				}
			}
		}
		w.addCertificate(subject, ends.Time, ends.Time, Fact{Fact: analyzer.Fact{Standing: true, Source: c.Source, Text: fmt.Sprintf("the certificate %s ended on %s", c.Object.Name, ends.UTC().Format(time.RFC3339))},
			Kind: ObjectKind, Seen: []analyzer.Subject{self, secret}})
	}
}

func (w *World) addCertificate(subject analyzer.Subject, at, until time.Time, f Fact) {
	for _, o := range w.named["certificate-expired"] {
		if o.Subject == subject && o.Kind == f.Kind {
			o.Seen = append(o.Seen, f.Seen...)
			o.Also = append(o.Also, analyzer.Evidence{Source: f.Source, At: at, Text: f.Text})
			o.Standing = o.Standing || f.Standing
			return
		}
	}
	f.Subject, f.Name, f.At, f.Until, f.Weight = subject, "certificate-expired", at, until, 1
	w.add(f)
}

// inURL is the host of a URL or of an address that a line names.
var inURL = regexp.MustCompile(`(?:https?|grpcs?|wss?|tcp|ldaps?|amqps?)://([a-zA-Z0-9.-]+)`)

// serves returns the Service whose certificate a line complains of: the one
// that the line names, else the one whose pods say it.
func (w *World) serves(f *Fact) analyzer.Subject {
	p := w.pods[f.Subject]
	if p == nil {
		return f.Subject
	}
	if to, _, ok := w.callee(p, f.Text, nil); ok {
		return to
	}
	for _, m := range inURL.FindAllStringSubmatch(f.Text, -1) {
		name, rest, _ := strings.Cut(m[1], ".")
		ns, _, _ := strings.Cut(rest, ".")
		for _, in := range []string{ns, p.Namespace} {
			if _, ok := w.serviceNamed(in, name); ok {
				return analyzer.Subject{Kind: "service", Namespace: in, Name: name}
			}
		}
	}
	return w.Workload(f.Subject)
}

// latest returns when a fact was last seen.
func latest(f *Fact) time.Time {
	if f.Until.After(f.At) {
		return f.Until
	}
	return f.At
}
