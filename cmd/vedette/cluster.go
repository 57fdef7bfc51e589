package main

import (
	"context"
	"log/slog"
	"os"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/klog/v2"

	"vedette.dev/analyzer/history"
	"vedette.dev/collector"
	"vedette.dev/collector/cluster"
)

// inCluster is how a process knows that it runs in a pod: the kubelet sets it.
const inCluster = "KUBERNETES_SERVICE_HOST"

// A clusterView is what watches the API server and what reads the metrics pages
// of its cluster. Either may be nil.
type clusterView struct {
	watcher *cluster.Watcher
	scraper *cluster.Scraper
}

// view returns what is to be seen of a cluster: where no kubeconfig is given
// and this is no pod, or one without a service account, only the pages that the
// configuration names.
func (s *service) view() (v clusterView, err error) {
	k, told := s.cfg.Kubernetes, troubles(s.log)
	if !k.Disabled && (k.Kubeconfig != "" || os.Getenv(inCluster) != "") {
		klog.SetSlogLogger(quieter(s.log)) // client-go's own words; what matters is in Troubles
		api, err := cluster.Config(k.Kubeconfig)
		switch {
		case err != nil && k.Kubeconfig != "":
			return v, err
		case err != nil:
			s.log.Warn("the cluster is not watched: give the pod a service account, or set kubernetes.kubeconfig", "err", err)
		default:
			v.watcher = &cluster.Watcher{API: api, Name: s.cfg.Cluster.Name, Store: s.db, Period: time.Duration(k.Period), Labels: k.Labels,
				Keep: s.keep, Kept: s.kept, Troubles: told, NoSeries: s.there != nil}
		}
	}
	announced := v.watcher != nil && s.there == nil // a Prometheus that is there reads what announces itself
	if !s.cfg.Scrape.Disabled && (announced || len(s.cfg.Scrape.Files) > 0) {
		v.scraper = &cluster.Scraper{Store: s.db, Files: s.cfg.Scrape.Files, Covered: s.covered, Troubles: told, Logger: quieter(s.log), Registerer: s.registry}
		if announced {
			v.scraper.API, v.scraper.Kubeconfig = v.watcher.API, k.Kubeconfig
		}
	}
	return v, nil
}

// silent is how long an agent may say nothing and still cover its node: it may
// be updated meanwhile.
const silent = 5 * time.Minute

// covered reports whether an agent reads a node.
func (s *service) covered(node string) bool {
	for _, a := range s.receiver.Agents() {
		if a.Node == node && time.Since(a.Last) < silent {
			return true
		}
	}
	return false
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

// see watches and scrapes until ctx ends.
func (s *service) see(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	if s.eyes.watcher != nil {
		g.Go(func() error { return s.eyes.watcher.Run(ctx) })
	}
	if s.eyes.scraper != nil {
		g.Go(func() error { return s.eyes.scraper.Run(ctx) })
	}
	return g.Wait()
}
