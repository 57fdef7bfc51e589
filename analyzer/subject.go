package analyzer

import (
	"fmt"
	"strings"
)

// A Subject is the thing a conclusion is about. It is written kind/namespace/name,
// or kind/name where the kind has no namespace; the name is everything after
// the last fixed slash, so a GPU is gpu/<node>/<UUID>.
type Subject struct {
	Kind      string // lower-case singular: cluster, node, gpu, pod, job, deployment …
	Namespace string // "" where the kind has none
	Name      string
}

// unspaced lists the kinds without a namespace whose names may hold a slash,
// or that people name; spaced lists those that people name and that have one.
// Of other kinds, such as custom resources, the text itself says which it is.
var (
	unspaced = map[string]bool{"cluster": true, "node": true, "gpu": true, "namespace": true, "persistentvolume": true, "storageclass": true}
	spaced   = map[string]bool{"pod": true, "deployment": true, "replicaset": true, "statefulset": true, "daemonset": true, "job": true, "cronjob": true,
		"service": true, "pvc": true, "configmap": true, "secret": true}
)

// Node, GPU, Pod and Cluster name the usual subjects.
func Node(name string) Subject      { return Subject{Kind: "node", Name: name} }
func GPU(node, uuid string) Subject { return Subject{Kind: "gpu", Name: node + "/" + uuid} }
func Pod(ns, name string) Subject   { return Subject{Kind: "pod", Namespace: ns, Name: name} }
func Cluster(name string) Subject   { return Subject{Kind: "cluster", Name: name} }

// ParseSubject reads what [Subject.String] writes.
func ParseSubject(s string) (Subject, error) {
	kind, rest, _ := strings.Cut(s, "/")
	if kind == "" || rest == "" || kind != strings.ToLower(kind) {
		return Subject{}, fmt.Errorf("subject %q is not kind/namespace/name or kind/name", s)
	}
	if unspaced[kind] {
		return Subject{Kind: kind, Name: rest}, nil
	}
	ns, name, ok := strings.Cut(rest, "/")
	if !ok && !spaced[kind] {
		return Subject{Kind: kind, Name: rest}, nil
	}
	if !ok || ns == "" || name == "" {
		return Subject{}, fmt.Errorf("subject %q has no namespace: want %s/namespace/name", s, kind)
	}
	return Subject{Kind: kind, Namespace: ns, Name: name}, nil
}

// IsZero reports whether s names nothing.
func (s Subject) IsZero() bool { return s == Subject{} }

func (s Subject) String() string {
	switch {
	case s.IsZero():
		return ""
	case s.Namespace == "":
		return s.Kind + "/" + s.Name
	}
	return s.Kind + "/" + s.Namespace + "/" + s.Name
}

// Node returns the node that a node or a GPU is, or "".
func (s Subject) Node() string {
	switch s.Kind {
	case "node":
		return s.Name
	case "gpu":
		node, _, _ := strings.Cut(s.Name, "/")
		return node
	}
	return ""
}

// MarshalText writes s as [Subject.String] does; nothing is the empty text.
func (s Subject) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads what [Subject.MarshalText] writes.
func (s *Subject) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*s = Subject{}
		return nil
	}
	p, err := ParseSubject(string(text))
	if err != nil {
		return err
	}
	*s = p
	return nil
}

// SubjectOf says what a series is about, from the labels that exporters use:
// the GPU, else the pod, the workload, the node that they name, else the
// cluster. It never returns the zero Subject.
func SubjectOf(labels map[string]string) Subject {
	node := firstOf(labels, "Hostname", "hostname", "node", "instance")
	switch {
	case node != "" && labels["UUID"] != "":
		return GPU(node, labels["UUID"])
	case labels["pod"] != "" && labels["namespace"] != "":
		return Pod(labels["namespace"], labels["pod"])
	}
	for _, kind := range []string{"deployment", "statefulset", "daemonset", "job_name", "persistentvolumeclaim"} {
		if labels[kind] == "" || labels["namespace"] == "" {
			continue
		}
		short := map[string]string{"job_name": "job", "persistentvolumeclaim": "pvc"}[kind]
		if short == "" {
			short = kind
		}
		return Subject{Kind: short, Namespace: labels["namespace"], Name: labels[kind]}
	}
	switch {
	case node != "":
		return Node(node)
	case labels["namespace"] != "":
		return Subject{Kind: "namespace", Name: labels["namespace"]}
	case labels["cluster"] != "":
		return Cluster(labels["cluster"])
	}
	return Cluster("this")
}

func firstOf(labels map[string]string, keys ...string) string {
	for _, k := range keys {
		if labels[k] != "" {
			return labels[k]
		}
	}
	return ""
}
