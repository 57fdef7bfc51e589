package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"k8s.io/klog/v2"

	"vedette.dev/analyzer/history"
	"vedette.dev/collector"
	"vedette.dev/collector/cluster"
)

// inCluster is how a process knows that it runs in a pod: the kubelet sets it.
const inCluster = "KUBERNETES_SERVICE_HOST"

// watcher returns what watches the API server, or nil where there is none to
// watch: no kubeconfig is given, and this is no pod.
func (s *service) watcher() (*cluster.Watcher, error) {
	k := s.cfg.Kubernetes
	if k.Disabled || k.Kubeconfig == "" && os.Getenv(inCluster) == "" {
		return nil, nil
	}
	api, err := cluster.Config(k.Kubeconfig)
	if err != nil {
		return nil, err
	}
	klog.SetSlogLogger(quieter(s.log)) // client-go's own words; what matters is in Troubles
	return &cluster.Watcher{API: api, Name: s.cfg.Cluster.Name, Store: s.db, Period: time.Duration(k.Period), Labels: k.Labels,
		Keep: s.keep, Kept: s.kept, Troubles: troubles(s.log)}, nil
}

// troubles tells in the log what fails, when it begins and when it ends.
func troubles(log *slog.Logger) *collector.Troubles {
	return &collector.Troubles{Now: time.Now,
		Fails: func(what string, err error) { log.Warn(what+" fails", "err", err) },
		Well: func(what string, after time.Duration) {
			log.Info(what+" is well again", "after", after.Round(time.Second))
		}}
}

// keep puts what a watcher tells into the history. What is about nothing that
// has a name is passed over.
func (s *service) keep(ctx context.Context, es []collector.Event) error {
	rs := make([]history.Record, 0, len(es))
	for _, e := range es {
		r := history.Record{Kind: history.Kind(e.Kind), At: e.At, Text: e.Text, Attrs: map[string]string{}}
		for _, a := range e.Attrs {
			r.Attrs[a.Key] = a.Value
		}
		var err error
		if r.Subject, err = history.SubjectOf(r); err != nil {
			s.log.Debug("passed over", "kind", e.Kind, "why", err)
			continue
		}
		rs = append(rs, r)
	}
	return s.past.Append(ctx, rs)
}

// kept returns the objects that the history holds as existing.
func (s *service) kept(ctx context.Context, resource string) ([]cluster.Object, error) {
	rs, err := s.past.ObjectsOf(ctx, resource)
	if err != nil {
		return nil, err
	}
	os := make([]cluster.Object, len(rs))
	for i, r := range rs {
		os[i] = cluster.Object{Namespace: r.Subject.Namespace, Name: r.Subject.Name, Text: r.Text, At: r.At}
	}
	return os, nil
}

// watch runs the watcher, if there is one, until ctx ends.
func (s *service) watch(ctx context.Context) error {
	if s.eyes == nil {
		return nil
	}
	if err := s.eyes.Run(ctx); err != nil {
		return fmt.Errorf("watch the cluster: %w", err)
	}
	return nil
}
