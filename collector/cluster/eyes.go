package cluster

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
)

const (
	// firstRetry and lastRetry bound the wait before a watch that failed is
	// tried again: client-go's own reflectors wait from 0.8 to 30 seconds.
	firstRetry = 800 * time.Millisecond
	lastRetry  = 30 * time.Second
)

// eyes are the open watches of one cluster.
type eyes struct {
	w      *Watcher
	api    *rest.Config
	link   *http.Client
	loose  dynamic.Interface
	desk   *desk
	page   *page
	kin    *kin
	status *status
	open   map[string]context.CancelFunc // by resource
}

// follow opens a watch of every kind that is served and has none, and closes
// those of kinds that are served no longer, if served is the whole of it.
func (e *eyes) follow(ctx context.Context, g *errgroup.Group, kinds []kind, served map[string]resource, whole bool) {
	for _, k := range kinds {
		at, there := served[k.resource]
		stop, open := e.open[k.resource]
		switch {
		case there && !open:
			kctx, stop := context.WithCancel(ctx)
			e.open[k.resource] = stop
			g.Go(func() error { e.watch(kctx, k, at.GroupVersionResource); return nil })
		case !there && open && whole:
			stop()
			delete(e.open, k.resource)
			e.status.drop(k.resource)
		}
	}
}

// watch keeps a mirror of one kind until ctx ends.
func (e *eyes) watch(ctx context.Context, k kind, gvr schema.GroupVersionResource) {
	example, gvk := typeOf(gvr)
	m := &mirror{kind: k, gvk: gvk, told: map[string]told{}, desk: e.desk, page: e.page, kin: e.kin, now: time.Now}
	m.synced = func() { e.say(ctx, k, nil) }
	if k.series && !e.w.NoSeries {
		var err error
		if m.series, err = generatorOf(k.short(), e.w.Labels); err != nil {
			e.say(ctx, k, err)
		}
	}
	for wait := firstRetry; ; wait = min(2*wait, lastRetry) {
		started := time.Now()
		err := e.remember(ctx, m)
		if err == nil {
			err = e.listAndWatch(ctx, m, gvr, example)
		}
		if ctx.Err() != nil {
			m.forget()
			return
		}
		if err == nil || time.Since(started) > 2*lastRetry {
			wait = firstRetry // it worked for a while
		}
		if err != nil {
			e.say(ctx, k, err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait/2 + rand.N(wait/2)): // not every watch at once
		}
	}
}

// remember lets m know what was told before this process began, once.
func (e *eyes) remember(ctx context.Context, m *mirror) error {
	if m.remembers || e.w.Kept == nil || m.kind.resource == events {
		return nil
	}
	kept, err := e.w.Kept(ctx, m.kind.resource)
	if err != nil {
		return fmt.Errorf("recall the %s that were there: %w", m.kind.resource, err)
	}
	m.remember(kept)
	return nil
}

// say notes how the watch of k does.
func (e *eyes) say(ctx context.Context, k kind, err error) {
	e.status.set(k.resource, err == nil)
	if err != nil && away(err) {
		return // said once for all watches
	}
	e.w.note(ctx, "watch of "+k.resource, err)
}

// listAndWatch fills m with a list and follows a watch from there. It returns
// nil where the API server ended the watch or has forgotten where it was.
func (e *eyes) listAndWatch(ctx context.Context, m *mirror, gvr schema.GroupVersionResource, example runtime.Object) error {
	lw, err := e.lister(gvr, m.gvk, example, metav1.NamespaceAll)
	if err != nil {
		return err
	}
	open := lw.WatchFuncWithContext
	lw.WatchFuncWithContext = func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
		in, err := open(ctx, o)
		if m.listed {
			e.say(ctx, m.kind, err) // the reflector tries again by itself and says nothing
		}
		return in, err
	}
	var typed any
	if example != nil {
		typed = example
	}
	return cache.NewReflectorWithOptions(lw, typed, m, cache.ReflectorOptions{Name: "vedette/" + m.kind.resource}).ListAndWatchWithContext(ctx)
}

// lister lists and watches a kind in a namespace, or where that is empty in all:
// in its own type, over protobuf, where Kubernetes has one, and as plain JSON
// otherwise.
func (e *eyes) lister(gvr schema.GroupVersionResource, gvk schema.GroupVersionKind, example runtime.Object, namespace string) (*cache.ListWatch, error) {
	if example == nil {
		res := dynamic.ResourceInterface(e.loose.Resource(gvr))
		if namespace != "" {
			res = e.loose.Resource(gvr).Namespace(namespace)
		}
		return &cache.ListWatch{
			ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) { return res.List(ctx, o) },
			WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
				return res.Watch(ctx, o)
			},
		}, nil
	}
	c := rest.CopyConfig(e.api)
	gv := gvk.GroupVersion()
	c.GroupVersion, c.APIPath, c.NegotiatedSerializer = &gv, "/apis", scheme.Codecs.WithoutConversion()
	if gv.Group == "" {
		c.APIPath = "/api"
	}
	c.ContentType, c.AcceptContentTypes = runtime.ContentTypeProtobuf, runtime.ContentTypeProtobuf+","+runtime.ContentTypeJSON
	client, err := rest.RESTClientForConfigAndClient(c, e.link)
	if err != nil {
		return nil, fmt.Errorf("watch %s: %w", gvr.Resource, err)
	}
	return cache.NewListWatchFromClient(client, gvr.Resource, namespace, fields.Everything()), nil
}

// typeOf returns an empty object of the Go type that Kubernetes' client has
// for a resource, and its kind; nil and a kind without a name where it has none.
func typeOf(gvr schema.GroupVersionResource) (runtime.Object, schema.GroupVersionKind) {
	gv := gvr.GroupVersion()
	for name := range scheme.Scheme.KnownTypes(gv) {
		gvk := gv.WithKind(name)
		if plural, _ := meta.UnsafeGuessKindToResource(gvk); plural == gvr {
			if o, err := scheme.Scheme.New(gvk); err == nil {
				return o, gvk
			}
		}
	}
	return nil, gv.WithKind("")
}

// write writes the series of all mirrors in each period until ctx ends.
func (e *eyes) write(ctx context.Context, period time.Duration) {
	tick := time.NewTicker(period)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			if ss, changed := e.kin.samples(); changed {
				e.page.set("kin", ss)
			}
			if ss, changed := e.status.samples(e.w.Name); changed {
				e.page.set("status", ss)
			}
			e.w.note(ctx, "writing the series of the cluster", e.page.write(ctx, now))
		}
	}
}
