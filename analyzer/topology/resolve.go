package topology

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"vedette.dev/analyzer"
	"vedette.dev/analyzer/snapshot"
)

// ErrUnknownFocus says that the snapshot holds nothing by the name asked for.
var ErrUnknownFocus = errors.New("nothing in the snapshot is called that")

// An AmbiguousError says that a name fits several subjects.
type AmbiguousError struct {
	Name    string
	Choices []analyzer.Subject // in order; at most ten
}

func (e *AmbiguousError) Error() string {
	var all []string
	for _, s := range e.Choices {
		all = append(all, s.String())
	}
	return fmt.Sprintf("%q may be any of %s", e.Name, strings.Join(all, ", "))
}

// Resolve turns what a person calls a thing into a subject of s: a subject as
// it is written (node/gpu-03), a name (llama-pretrain), a namespace and a name
// (serving/chat-70b), or the beginning of one. Kind limits the search; "" is
// any kind. An exact name wins over a beginning, a workload over its own pods.
// The error is [ErrUnknownFocus], or an [*AmbiguousError] with the choices.
func Resolve(s *snapshot.Snapshot, kind, name string) (analyzer.Subject, error) {
	g := New(s)
	kind, name = strings.ToLower(strings.TrimSpace(kind)), strings.TrimSpace(name)
	if name == "" {
		return analyzer.Subject{}, fmt.Errorf("resolve %q: %w", name, ErrUnknownFocus)
	}
	if full, err := analyzer.ParseSubject(name); err == nil && (kind == "" || kind == full.Kind) && knows(s, g, full) {
		return full, nil
	}
	if full := (analyzer.Subject{Kind: "cluster", Name: name}); name == s.Cluster.Name && (kind == "" || kind == "cluster") {
		return full, nil
	}
	all := slices.DeleteFunc(known(s, g), func(x analyzer.Subject) bool { return kind != "" && x.Kind != kind })
	for _, fits := range []func(string) bool{
		func(n string) bool { return n == name },
		func(n string) bool { return strings.EqualFold(n, name) },
		func(n string) bool { return strings.HasPrefix(strings.ToLower(n), strings.ToLower(name)) },
	} {
		found := slices.DeleteFunc(slices.Clone(all), func(x analyzer.Subject) bool { return !slices.ContainsFunc(names(x), fits) })
		found = topmost(g, found)
		switch len(found) {
		case 0:
			continue
		case 1:
			return found[0], nil
		}
		return analyzer.Subject{}, fmt.Errorf("resolve: %w", &AmbiguousError{Name: name, Choices: found[:min(len(found), 10)]})
	}
	return analyzer.Subject{}, fmt.Errorf("resolve %q: %w", name, ErrUnknownFocus)
}

// Has reports whether x is in s: as an object, in a metric, an event or a revision.
func Has(s *snapshot.Snapshot, x analyzer.Subject) bool {
	if x.Kind == "cluster" {
		return x.Name == s.Cluster.Name
	}
	return knows(s, New(s), x)
}

// knows reports whether x is in the snapshot, were it only in an event or a revision.
func knows(s *snapshot.Snapshot, g *Graph, x analyzer.Subject) bool {
	return g.Knows(x) || slices.Contains(known(s, g), x) || captured(s, x)
}

// captured reports whether x is an object of the snapshot, of whatever kind.
func captured(s *snapshot.Snapshot, x analyzer.Subject) bool {
	if len(x.Kind) < 2 {
		return false
	}
	name := snapshot.SourceOf("", x.Namespace, x.Name)
	name = name[strings.Index(name, "#"):]
	for resource, all := range s.Objects {
		if !strings.HasPrefix(resource, x.Kind[:len(x.Kind)-1]) { // the last letter of policy and of batch differs in their plurals
			continue
		}
		if slices.ContainsFunc(all, func(o snapshot.Object) bool { return strings.HasSuffix(o.Source, name) }) {
			return true
		}
	}
	return false
}

// known lists what has a name in s: objects, GPUs, and what events are about.
func known(s *snapshot.Snapshot, g *Graph) []analyzer.Subject {
	all := g.Subjects()
	for _, e := range s.Events {
		if x := e.About(); x.Name != "" && x.Kind != "" {
			all = append(all, x)
		}
	}
	slices.SortFunc(all, Compare)
	return slices.Compact(all)
}

// names lists what a person may call x.
func names(x analyzer.Subject) []string {
	all := []string{x.Name}
	if x.Namespace != "" {
		all = append(all, x.Namespace+"/"+x.Name)
	}
	if x.Kind == "gpu" {
		_, uuid, _ := strings.Cut(x.Name, "/")
		all = append(all, uuid)
	}
	return all
}

// topmost leaves out what another of the found owns, or is part of: who says
// llama means the job and not each of its pods.
func topmost(g *Graph, found []analyzer.Subject) []analyzer.Subject {
	return slices.DeleteFunc(slices.Clone(found), func(x analyzer.Subject) bool {
		return slices.ContainsFunc(found, func(o analyzer.Subject) bool {
			return o != x && (g.Workload(x) == o || x.Kind == "gpu" && o.Kind == "node" && o.Name == x.Node() ||
				x.Kind == "service" && o.Kind != "service" && o.Namespace == x.Namespace && o.Name == x.Name && o.Kind != "pod")
		})
	})
}
