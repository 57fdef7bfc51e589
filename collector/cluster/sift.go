package cluster

import (
	"context"
	"regexp"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/discovery/targetgroup"
)

var (
	// retold are the programs that tell of the API server's objects what a
	// [Watcher] tells, under the same names.
	retold = regexp.MustCompile(`^kube-state-metrics$`)
	// twice are the programs that tell of a node what an agent of ours tells,
	// under the same names.
	twice = regexp.MustCompile(`^(nvidia-)?dcgm-exporter$|^(prometheus-)?node[-_]exporter$`)
)

// sift hands on the targets that tell something new, when they change and when
// it may have changed which those are.
func (s *Scraper) sift(ctx context.Context, in <-chan map[string][]*targetgroup.Group, out chan<- map[string][]*targetgroup.Group) {
	tick := time.NewTicker(reconsider)
	defer tick.Stop()
	var all map[string][]*targetgroup.Group
	for {
		select {
		case <-ctx.Done():
			return
		case all = <-in:
		case <-tick.C:
		}
		select {
		case <-ctx.Done():
			return
		case out <- s.worth(all):
		}
	}
}

// worth returns all without the targets that tell what is told already.
func (s *Scraper) worth(all map[string][]*targetgroup.Group) map[string][]*targetgroup.Group {
	out := make(map[string][]*targetgroup.Group, len(all))
	for job, groups := range all {
		for _, g := range groups {
			own := &targetgroup.Group{Labels: g.Labels, Source: g.Source}
			for _, t := range g.Targets {
				if !s.redundant(t, g.Labels) {
					own.Targets = append(own.Targets, t)
				}
			}
			out[job] = append(out[job], own)
		}
	}
	return out
}

func (s *Scraper) redundant(target, group model.LabelSet) bool {
	meta := func(name model.LabelName) string {
		if v, ok := target[name]; ok {
			return string(v)
		}
		return string(group[name])
	}
	for _, label := range []model.LabelName{"__meta_kubernetes_pod_label_app_kubernetes_io_name", "__meta_kubernetes_pod_label_app", "__meta_kubernetes_pod_container_name"} {
		switch name := meta(label); {
		case retold.MatchString(name):
			return true
		case twice.MatchString(name) && s.Covered != nil && s.Covered(meta("__meta_kubernetes_pod_node_name")):
			return true
		}
	}
	return false
}
