package snapshot

import (
	"cmp"
	"slices"
)

// Add adds what o, a look at the same cluster from elsewhere, tells and s does
// not: kinds of objects that s did not capture, events that s has forgotten,
// logs of pods that are gone, and all that changed and was measured.
func (s *Snapshot) Add(o *Snapshot) {
	if s.Objects == nil {
		s.Objects = map[string][]Object{}
	}
	for resource, os := range o.Objects {
		if !s.Captured(resource) {
			s.Objects[resource] = os
		}
	}
	s.Cluster = Cluster{cmp.Or(s.Cluster.Name, o.Cluster.Name), cmp.Or(s.Cluster.Provider, o.Cluster.Provider), cmp.Or(s.Cluster.Version, o.Cluster.Version)}
	s.addEvents(o.Events)
	type key struct {
		namespace, pod, container string
		previous                  bool
	}
	logged := map[key]bool{}
	for _, l := range s.Logs {
		logged[key{l.Namespace, l.Pod, l.Container, l.Previous}] = true
	}
	for _, l := range o.Logs {
		if !logged[key{l.Namespace, l.Pod, l.Container, l.Previous}] {
			s.Logs = append(s.Logs, l)
		}
	}
	if s.Kernel == nil {
		s.Kernel = map[string][]Line{}
	}
	for node, lines := range o.Kernel {
		s.Kernel[node] = append(s.Kernel[node], lines...)
	}
	s.History = append(s.History, o.History...)
	s.Units = append(s.Units, o.Units...)
	s.Metrics = append(s.Metrics, o.Metrics...)
	s.Edges = append(s.Edges, o.Edges...)
	s.Alerts = append(s.Alerts, o.Alerts...)
	s.Unseen = append(s.Unseen, o.Unseen...)
	if from := o.Window.From; !from.IsZero() && (s.Window.From.IsZero() || from.Before(s.Window.From)) {
		s.Window.From = from
	}
	s.arrange()
}

// addEvents adds events. Of one that both know the newer telling counts, which
// is the one that has been counted up.
func (s *Snapshot) addEvents(es []Event) {
	at := map[[2]string]int{}
	for i, e := range s.Events {
		at[[2]string{e.Namespace, e.Name}] = i
	}
	for _, e := range es {
		i, known := at[[2]string{e.Namespace, e.Name}]
		switch {
		case !known:
			s.Events = append(s.Events, e)
		case e.Latest().After(s.Events[i].Latest()):
			s.Events[i] = e
		}
	}
}

// Narrow leaves only what is of a namespace, and of none.
func (s *Snapshot) Narrow(namespace string) {
	mine := func(ns string) bool { return ns == namespace || ns == "" }
	of := func(raw []byte) bool {
		n, err := decode[named](raw)
		return err != nil || mine(n.Metadata.Namespace)
	}
	for resource, os := range s.Objects {
		s.Objects[resource] = slices.DeleteFunc(os, func(o Object) bool {
			if resource == "namespaces" {
				n, err := decode[named](o.Raw)
				return err == nil && n.Metadata.Name != namespace
			}
			return !of(o.Raw)
		})
	}
	s.History = slices.DeleteFunc(s.History, func(r Revision) bool { return !of(r.Raw) })
	s.Events = slices.DeleteFunc(s.Events, func(e Event) bool { return !mine(e.InvolvedObject.Namespace) })
	s.Logs = slices.DeleteFunc(s.Logs, func(l Log) bool { return l.Namespace != namespace })
	s.Metrics = slices.DeleteFunc(s.Metrics, func(m Series) bool { return !mine(m.Labels["namespace"]) })
	s.Edges = slices.DeleteFunc(s.Edges, func(e Edge) bool { return !mine(e.From.Namespace) || !mine(e.To.Namespace) })
	s.Unseen = append(s.Unseen, "namespaces other than "+namespace+": not asked for; what their pods hold of nodes is not known")
}
