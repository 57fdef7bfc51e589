package history

import (
	"encoding/json"
	"fmt"
	"strings"

	"vedette.dev/analyzer"
)

// SubjectOf says what a record is about, by its text or its attributes.
func SubjectOf(r Record) (analyzer.Subject, error) {
	type object struct {
		Kind     string `json:"kind"`
		Name     string `json:"name"`
		Space    string `json:"namespace"`
		Metadata struct {
			Name  string `json:"name"`
			Space string `json:"namespace"`
		} `json:"metadata"`
		Involved *object `json:"involvedObject"`
	}
	var o object
	switch r.Kind {
	case KubeObject:
		if err := json.Unmarshal([]byte(r.Text), &o); err != nil {
			return analyzer.Subject{}, fmt.Errorf("its text is not a Kubernetes object: %w", err)
		}
		o.Name, o.Space = o.Metadata.Name, o.Metadata.Space
	case KubeEvent:
		if err := json.Unmarshal([]byte(r.Text), &o); err != nil {
			return analyzer.Subject{}, fmt.Errorf("its text is not a Kubernetes event: %w", err)
		}
		if o.Involved == nil {
			return analyzer.Subject{}, fmt.Errorf("the event says of nothing what it is about")
		}
		o = *o.Involved
	default:
		if pod := r.Attrs["k8s.pod.name"]; pod != "" && r.Attrs["k8s.namespace.name"] != "" {
			return analyzer.Pod(r.Attrs["k8s.namespace.name"], pod), nil
		}
		for _, key := range []string{"k8s.node.name", "host.name"} {
			if node := r.Attrs[key]; node != "" {
				return analyzer.Node(node), nil
			}
		}
		return analyzer.Subject{}, fmt.Errorf("it names neither a pod nor a node")
	}
	if o.Kind == "" || o.Name == "" {
		return analyzer.Subject{}, fmt.Errorf("its object has no kind or no name")
	}
	return analyzer.Subject{Kind: strings.ToLower(o.Kind), Namespace: o.Space, Name: o.Name}, nil
}
