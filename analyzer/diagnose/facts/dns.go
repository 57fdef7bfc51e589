package facts

import (
	"fmt"
	"slices"
	"time"

	"vedette.dev/analyzer"
)

// dnsPort is where resolvers listen.
const dnsPort = 53

// dnsPods returns the pods of the cluster's resolver.
func (w *World) dnsPods() []*pod {
	var all []*pod
	for _, p := range w.namespaces["kube-system"] {
		if !p.gone && (p.Labels["k8s-app"] == "kube-dns" || p.Labels["k8s-app"] == "coredns" || p.Labels["dns.operator.openshift.io/daemonset-dns"] != "") {
			all = append(all, p)
		}
	}
	for _, p := range w.namespaces["openshift-dns"] {
		if !p.gone && p.Labels["dns.operator.openshift.io/daemonset-dns"] != "" {
			all = append(all, p)
		}
	}
	return all
}

// severalAsk is from how many workloads lookups must fail, without their own
// resolvers or policies, to be the cluster's fault.
const severalAsk = 2

// readDNS records that the cluster's resolver serves nobody: no pod of it is
// ready, or lookups go unanswered in several workloads.
func (w *World) readDNS() {
	self := analyzer.Cluster(w.s.Cluster.Name)
	pods := w.dnsPods()
	ready := slices.ContainsFunc(pods, (*pod).ready)
	if len(pods) > 0 && !ready {
		at := pods[0].since()
		for _, p := range pods {
			if t := p.since(); t.After(at) {
				at = t // the last one to fail
			}
		}
		f := w.add(Fact{Fact: analyzer.Fact{Subject: self, Name: "dns-pods-down", At: at, Standing: true, Source: pods[0].source,
			Text: fmt.Sprintf("none of the %d pods of the cluster's DNS is ready", len(pods))}, Kind: ObjectKind, Weight: 3})
		for _, p := range pods {
			f.Seen = append(f.Seen, p.subject)
		}
	}
	tops := map[analyzer.Subject]bool{}
	var f *Fact
	for _, o := range w.Called("resolver-silent") {
		top := w.Workload(o.Subject)
		if w.forbidden(top) || slices.ContainsFunc(w.named["resolver-foreign"], func(r *Fact) bool { return r.Subject == top }) {
			continue
		}
		latest := o.At
		if o.Until.After(latest) {
			latest = o.Until
		}
		if w.now.Sub(latest) > lookupNews {
			continue
		}
		tops[top] = true
		if f == nil {
			f = &Fact{Fact: analyzer.Fact{Subject: self, Name: "dns-silent", At: o.At, Standing: true, Source: o.Source}, Kind: LogKind, Weight: 1}
		}
		f.Seen = append(f.Seen, o.Subject)
		f.Also = append(f.Also, analyzer.Evidence{Source: o.Source, At: o.At, Text: o.Text})
		if o.At.Before(f.At) {
			f.At = o.At
		}
	}
	if len(tops) >= severalAsk {
		f.Text = fmt.Sprintf("lookups of names go unanswered in %d workloads", len(tops))
		w.add(*f)
	}
}

// lookupNews is how old a failed lookup may be to tell of the present.
const lookupNews = 15 * time.Minute

func (w *World) forbidden(top analyzer.Subject) bool {
	return slices.ContainsFunc(w.named["policy-blocks"], func(f *Fact) bool { return f.Subject == top })
}
