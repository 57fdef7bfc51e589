// Package cluster is what Vedette sees of a cluster as a whole: its API
// server's objects and events, kube-state-metrics' series of them, and the
// metrics pages that announce themselves there. It runs beside the analyzer,
// in the central service; the node agent does not link it.
//
// What a reader would get wrong: this is a watcher, not a [collector.Source].
// What changes is handed on when it changes, and waits for whoever keeps it,
// so that a full disk there is felt as a slow watch here and loses nothing.
// Series go to a Prometheus storage directly, since only there can a series
// end: a deleted pod's are marked stale at the next write.
package cluster

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/prometheus/prometheus/storage"
	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"vedette.dev/collector"
)

const (
	// DefaultPeriod is the spacing of the kube_* series: kube-state-metrics is
	// usually scraped so.
	DefaultPeriod = 30 * time.Second
	// rediscover is how soon a kind is watched that the API server has learned
	// since: an operator is installed in minutes.
	rediscover = time.Minute
)

// An Object is what somebody remembers of an API object from before: the text
// and the time of the newest revision that this package told.
type Object struct {
	Namespace, Name string
	Text            string
	At              time.Time
}

// A Watcher follows one cluster.
type Watcher struct {
	API    *rest.Config       // as [Config] returns it
	Name   string             // the value of the label instance on the watcher's own readings
	Store  storage.Appendable // where series go
	Period time.Duration      // the spacing of series; 0 is [DefaultPeriod]

	// Labels are the labels of objects that become series kube_<kind>_labels, by
	// resource ("pods": {"app", "team"}), as kube-state-metrics' allow-list.
	Labels map[string][]string

	// NoSeries leaves kube-state-metrics' series to somebody who has them.
	NoSeries bool

	// Keep stores revisions and events. One that fails is called again with the
	// same, until it succeeds or ctx ends.
	Keep func(context.Context, []collector.Event) error
	// Kept returns what is remembered of a resource from before a restart, so
	// that what has gone since is told as gone. It may be nil.
	Kept func(ctx context.Context, resource string) ([]Object, error)

	Troubles *collector.Troubles // follows what fails: "watch of pods"; may be nil
}

// Config returns how to reach an API server: by kubeconfig, or where that is
// empty by the service account of the pod that this process runs in.
func Config(kubeconfig string) (*rest.Config, error) {
	if kubeconfig == "" {
		c, err := rest.InClusterConfig()
		if err != nil {
			return nil, fmt.Errorf("find the API server: %w", err)
		}
		return c, nil
	}
	c, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("find the API server by %s: %w", kubeconfig, err)
	}
	return c, nil
}

// NameOf returns what a kubeconfig calls the cluster that it leads to, or "".
func NameOf(kubeconfig string) string {
	c, err := clientcmd.LoadFromFile(kubeconfig)
	if err != nil || c.Contexts[c.CurrentContext] == nil {
		return ""
	}
	return c.Contexts[c.CurrentContext].Cluster
}

// Run watches until ctx ends. An API server that is away, refuses a kind, or
// has forgotten where a watch was costs only what it does not tell; each is
// tried again.
func (w *Watcher) Run(ctx context.Context) error {
	api := rest.CopyConfig(w.API)
	api.UserAgent = "vedette"
	api.QPS = -1 // a list and a watch of each kind; the API server has its own fairness
	status := &status{}
	api.Wrap(func(rt http.RoundTripper) http.RoundTripper {
		return &line{RoundTripper: rt, heard: func(ctx context.Context, err error) {
			status.set("", err == nil)
			w.note(ctx, "API server "+api.Host, err)
		}}
	})
	link, err := rest.HTTPClientFor(api)
	if err != nil {
		return fmt.Errorf("watch the API server %s: %w", api.Host, err)
	}
	menu, err := discovery.NewDiscoveryClientForConfigAndClient(api, link)
	if err != nil {
		return fmt.Errorf("watch the API server %s: %w", api.Host, err)
	}
	loose, err := dynamic.NewForConfigAndClient(api, link)
	if err != nil {
		return fmt.Errorf("watch the API server %s: %w", api.Host, err)
	}
	kinds, err := readKinds()
	if err != nil {
		return err
	}
	kin, err := newKin()
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	desk := newDesk(ctx, w)
	eyes := &eyes{w: w, api: api, link: link, loose: loose, desk: desk, kin: kin,
		page: &page{store: w.Store}, status: status, open: map[string]context.CancelFunc{}}
	g.Go(func() error { desk.run(ctx); return nil })
	g.Go(func() error { eyes.write(ctx, w.period()); return nil })
	g.Go(func() error {
		tick := time.NewTicker(rediscover)
		defer tick.Stop()
		for {
			served, err := serves(menu)
			if err == nil || !away(err) {
				w.note(ctx, "discovery of the API server", err)
			}
			eyes.follow(ctx, g, kinds, served, err == nil)
			select {
			case <-ctx.Done():
				return nil
			case <-tick.C:
			}
		}
	})
	return g.Wait()
}

func (w *Watcher) period() time.Duration {
	if w.Period > 0 {
		return w.Period
	}
	return DefaultPeriod
}

// note follows what fails, unless the watcher itself is ending.
func (w *Watcher) note(ctx context.Context, what string, err error) {
	if w.Troubles != nil && !errors.Is(err, context.Canceled) {
		w.Troubles.Note(ctx, what, err)
	}
}
