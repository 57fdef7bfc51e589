package kubelet

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"

	"vedette.dev/collector"
)

const (
	podsPath = "/pods"
	// labelsEvery is how often the pods are asked for where none is new: labels
	// of a running pod are seldom changed.
	labelsEvery = time.Minute
	// taken begins the name of a label whose own name a series cannot have.
	taken = "pod_label_"
)

// A podName is a pod's namespace and name.
type podName struct{ namespace, name string }

// podLabels are the labels of the pods of a node.
type podLabels struct {
	of  map[podName][]collector.Attr
	at  time.Time // of the newest answer
	err error     // why the last try gave none
}

// Label returns a source that reads s and gives each reading of a GPU that has
// a pod those of the pod's labels whose names match one of a.PodLabels, as
// dcgm-exporter does: a_b for a label a/b, or pod_label_a_b where the reading
// has one of that name. Its errors are Collect's to tell.
func (a *API) Label(s collector.Source) collector.Source {
	if len(a.PodLabels) == 0 {
		return s
	}
	return collector.SourceFunc(func(ctx context.Context) (collector.Batch, error) {
		b, err := s.Collect(ctx)
		// Where the last try failed, Collect makes the next, beside its pages: a
		// kubelet that hangs is not waited for twice.
		if a.labels.err == nil && a.wanting(b.Points) {
			a.learn(ctx)
		}
		if a.Now().Sub(a.labels.at) <= stale {
			a.label(b.Points)
		}
		return b, err
	})
}

// wanting reports whether the pod of a point is not known, or what is known is old.
func (a *API) wanting(points []collector.Point) bool {
	return a.Now().Sub(a.labels.at) >= labelsEvery || slices.ContainsFunc(points, func(p collector.Point) bool {
		pod, ok := podOf(p)
		_, known := a.labels.of[pod]
		return ok && !known
	})
}

// learn asks for the labels of the pods. It has no readings of its own.
func (a *API) learn(ctx context.Context) (collector.Batch, error) {
	var answer struct {
		Items []struct {
			Metadata struct {
				Namespace string            `json:"namespace"`
				Name      string            `json:"name"`
				Labels    map[string]string `json:"labels"`
			} `json:"metadata"`
		} `json:"items"`
	}
	a.labels.err = a.read(ctx, podsPath, func(r io.Reader) error {
		if err := json.NewDecoder(r).Decode(&answer); err != nil {
			return fmt.Errorf("decode: %w", err)
		}
		return nil
	})
	if a.labels.err != nil {
		return collector.Batch{}, a.labels.err
	}
	a.labels.of, a.labels.at = map[podName][]collector.Attr{}, a.Now()
	for _, pod := range answer.Items {
		m := pod.Metadata
		a.labels.of[podName{m.Namespace, m.Name}] = a.allowed(m.Labels)
	}
	return collector.Batch{}, nil
}

var notInLabels = regexp.MustCompile(`[^a-zA-Z0-9_]`)

// allowed are the labels that may be told, in the order of their names.
func (a *API) allowed(labels map[string]string) []collector.Attr {
	var attrs []collector.Attr
	for name, value := range labels {
		if slices.ContainsFunc(a.PodLabels, func(re *regexp.Regexp) bool { return re.MatchString(name) }) {
			key := notInLabels.ReplaceAllString(name, "_")
			if '0' <= key[0] && key[0] <= '9' { // which no label of a series begins with
				key = taken + key
			}
			attrs = append(attrs, collector.Attr{Key: key, Value: value})
		}
	}
	slices.SortFunc(attrs, func(a, b collector.Attr) int {
		return cmp.Or(cmp.Compare(a.Key, b.Key), cmp.Compare(a.Value, b.Value))
	})
	// Of a/b and a.b, which are told alike, one is told.
	return slices.CompactFunc(attrs, func(a, b collector.Attr) bool { return a.Key == b.Key })
}

// label gives points the labels of their pods.
func (a *API) label(points []collector.Point) {
	labelled := map[*collector.Attr][]collector.Attr{} // the points of a GPU share their labels
	for i, p := range points {
		pod, ok := podOf(p)
		if !ok || len(a.labels.of[pod]) == 0 {
			continue
		}
		key := &p.Attrs[0]
		if labelled[key] == nil {
			labelled[key] = withLabels(p.Attrs, a.labels.of[pod])
		}
		points[i].Attrs = labelled[key]
	}
}

func withLabels(attrs, labels []collector.Attr) []collector.Attr {
	all := slices.Clone(attrs)
	for _, l := range labels {
		has := func(a collector.Attr) bool { return a.Key == l.Key }
		if slices.ContainsFunc(all, has) {
			l.Key = taken + l.Key
		}
		if l.Value != "" && !slices.ContainsFunc(all, has) {
			all = append(all, l)
		}
	}
	return all
}

// podOf returns the pod of a reading of a GPU. It reports false where it has none.
func podOf(p collector.Point) (podName, bool) {
	if !strings.HasPrefix(string(p.Metric), readings) {
		return podName{}, false
	}
	pod := podName{valueOf(p.Attrs, "namespace"), valueOf(p.Attrs, "pod")}
	return pod, pod.name != ""
}
