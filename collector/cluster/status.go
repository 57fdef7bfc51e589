package cluster

import (
	"maps"
	"slices"
	"sync"

	"github.com/prometheus/prometheus/model/labels"

	"vedette.dev/collector"
)

// status is which watches stand, told as [collector.Up].
type status struct {
	mu      sync.Mutex
	up      map[string]bool // by resource; "" is the API server itself
	changed bool
}

func (s *status) set(resource string, up bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.up == nil {
		s.up = map[string]bool{}
	}
	if was, ok := s.up[resource]; !ok || was != up {
		s.up[resource], s.changed = up, true
	}
}

func (s *status) drop(resource string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.up, resource)
	s.changed = true
}

// samples returns [collector.Up] of every watch, and whether it has changed
// since the last call.
func (s *status) samples(instance string) ([]sample, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.changed {
		return nil, false
	}
	s.changed = false
	var ss []sample
	for _, resource := range slices.Sorted(maps.Keys(s.up)) {
		v, source := 0.0, "kube"
		if resource != "" {
			source += "/" + resource
		}
		if s.up[resource] {
			v = 1
		}
		ss = append(ss, sample{v: v, lset: labels.FromStrings(labels.MetricName, string(collector.Up), "instance", instance, "source", source)})
	}
	return ss, true
}
