package facts

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"vedette.dev/analyzer"
	"vedette.dev/analyzer/snapshot"
)

// oldIngressClass is how Ingresses named their class before they had a field for it.
const oldIngressClass = "kubernetes.io/ingress.class"

// readIngresses compares every Ingress with the Services, the Secrets and the
// class that it names.
func (w *World) readIngresses() {
	for _, g := range w.s.Ingresses() {
		w.readIngressClass(g)
		for _, b := range backends(g.Object) {
			if b.Service == nil || b.Service.Port.Name == "use-annotation" { // an action of the AWS load balancer controller
				continue
			}
			s, ok := w.serviceNamed(g.Object.Namespace, b.Service.Name)
			switch {
			case !ok && w.s.Captured("services"):
				w.addIngress(g, "ingress-astray", fmt.Sprintf("it sends to the Service %s, which does not exist", b.Service.Name), analyzer.Subject{Kind: "service", Namespace: g.Object.Namespace, Name: b.Service.Name})
			case ok && s.Object.Spec.Type != corev1.ServiceTypeExternalName && !hasPort(s.Object, b.Service.Port):
				w.addIngress(g, "ingress-astray", fmt.Sprintf("it sends to port %s of the Service %s, which has none", portText(b.Service.Port), b.Service.Name), serviceSubject(s.Object))
			}
		}
		for _, t := range g.Object.Spec.TLS {
			if t.SecretName != "" && w.s.Captured("secrets") && !slices.ContainsFunc(w.s.Secrets(), func(x snapshot.Typed[corev1.Secret]) bool {
				return x.Object.Namespace == g.Object.Namespace && x.Object.Name == t.SecretName
			}) {
				w.addIngress(g, "ingress-astray", fmt.Sprintf("it names the TLS Secret %s, which does not exist", t.SecretName), analyzer.Subject{Kind: "secret", Namespace: g.Object.Namespace, Name: t.SecretName})
			}
		}
	}
}

func (w *World) addIngress(g snapshot.Typed[networkingv1.Ingress], name, text string, seen ...analyzer.Subject) {
	self := analyzer.Subject{Kind: "ingress", Namespace: g.Object.Namespace, Name: g.Object.Name}
	if slices.ContainsFunc(w.named[name], func(f *Fact) bool { return f.Subject == self }) {
		return
	}
	w.add(Fact{Fact: analyzer.Fact{Subject: self, Name: name, Standing: true, Source: g.Source, Text: text}, Kind: ObjectKind, Weight: 2, Seen: seen})
}

// readIngressClass looks for an Ingress that no controller serves: its class is
// not there and it has been given no address.
func (w *World) readIngressClass(g snapshot.Typed[networkingv1.Ingress]) {
	if !w.s.Captured("ingressclasses.networking.k8s.io") || len(g.Object.Status.LoadBalancer.Ingress) > 0 {
		return
	}
	classes := w.s.IngressClasses()
	class := g.Object.Annotations[oldIngressClass]
	if g.Object.Spec.IngressClassName != nil {
		class = *g.Object.Spec.IngressClassName
	}
	is := func(c snapshot.Typed[networkingv1.IngressClass]) bool {
		if class == "" {
			return c.Object.Annotations[networkingv1.AnnotationIsDefaultIngressClass] == "true"
		}
		return c.Object.Name == class
	}
	switch {
	case slices.ContainsFunc(classes, is) || w.now.Sub(g.Object.CreationTimestamp.Time) < startupGrace:
	case class == "" && len(classes) == 0: // a controller may take those without a class
	case class == "":
		w.addIngress(g, "ingress-classless", "it names no class, and none is the default")
	case g.Object.Spec.IngressClassName != nil || len(classes) > 0:
		w.addIngress(g, "ingress-classless", fmt.Sprintf("its class %s does not exist", class))
	}
}

func hasPort(s corev1.Service, port networkingv1.ServiceBackendPort) bool {
	return slices.ContainsFunc(s.Spec.Ports, func(x corev1.ServicePort) bool {
		return port.Name != "" && x.Name == port.Name || port.Name == "" && (x.Port == port.Number || port.Number == 0)
	})
}

func portText(p networkingv1.ServiceBackendPort) string {
	if p.Name != "" {
		return p.Name
	}
	return fmt.Sprint(p.Number)
}
