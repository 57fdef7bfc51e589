package snapshot

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"vedette.dev/analyzer"
)

// Recall returns s with what is gone of x put back: the object as it last was,
// and what was owned by it, from the history. Where x is still there, or nobody
// kept what it was, it returns s itself. So the question why a pod died that is
// no longer there has an answer.
func (s *Snapshot) Recall(x analyzer.Subject) *Snapshot {
	if x.Name == "" || len(s.History) == 0 {
		return s
	}
	last := map[analyzer.Subject]Revision{} // with what it was
	gone := map[analyzer.Subject]time.Time{}
	var order []analyzer.Subject
	for _, r := range s.History {
		n, err := decode[kept](r.Raw)
		if err != nil {
			continue
		}
		of := n.subject()
		if n.Status != nil || n.Spec != nil { // one that went unseen is only a name
			if _, ok := last[of]; !ok {
				order = append(order, of)
			}
			last[of] = r
		}
		delete(gone, of)
		if r.Type == "DELETED" {
			gone[of] = r.At
		}
	}
	if _, ok := gone[x]; !ok {
		return s
	}
	wanted := map[analyzer.Subject]bool{x: true}
	for before := 0; before < len(wanted); { // owners of owners
		before = len(wanted)
		for of, r := range last {
			if n, err := decode[kept](r.Raw); err == nil && !gone[of].IsZero() && wanted[n.owner()] {
				wanted[of] = true
			}
		}
	}
	out := s.clone()
	out.Objects = maps.Clone(s.Objects)
	if out.Objects == nil {
		out.Objects = map[string][]Object{}
	}
	for _, of := range order {
		if !wanted[of] {
			continue
		}
		r := last[of]
		n, err := decode[kept](r.Raw)
		if err != nil {
			continue // not reached: it was decoded before
		}
		resource := n.resource()
		out.Objects[resource] = append(slices.Clone(out.Objects[resource]), Object{r.Raw, r.Source})
		out.Unseen = append(out.Unseen, fmt.Sprintf("%s as it is: gone since %s; it is taken as it last was (%s)", of, gone[of].Format(time.RFC3339), r.Source))
	}
	return out
}

// kept is the part of a revision that says what it is of.
type kept struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Metadata   struct {
		Namespace       string `json:"namespace"`
		Name            string `json:"name"`
		OwnerReferences []struct {
			Kind, Name string
		} `json:"ownerReferences"`
	} `json:"metadata"`
	Spec   json.RawMessage `json:"spec"`
	Status json.RawMessage `json:"status"`
}

func (k kept) subject() analyzer.Subject {
	return subjectOf(k.Kind, k.Metadata.Namespace, k.Metadata.Name)
}

// owner is whose it is; a zero subject where it is nobody's.
func (k kept) owner() analyzer.Subject {
	for _, o := range k.Metadata.OwnerReferences {
		return subjectOf(o.Kind, k.Metadata.Namespace, o.Name)
	}
	return analyzer.Subject{}
}

// subjectOf names an object as reports do.
func subjectOf(kind, namespace, name string) analyzer.Subject {
	kind = strings.ToLower(kind)
	switch kind {
	case "persistentvolumeclaim":
		kind = "pvc"
	case "node":
		return analyzer.Node(name)
	}
	return analyzer.Subject{Kind: kind, Namespace: namespace, Name: name}
}

// resource is the name of the file that it would be in. The kinds that have
// pods, and what pods hold, have plurals that end in s.
func (k kept) resource() string {
	plural := strings.ToLower(k.Kind) + "s"
	if group, _, ok := strings.Cut(k.APIVersion, "/"); ok {
		return plural + "." + group
	}
	return plural
}
