package cluster

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/pager"
)

const (
	// pageSize is how many objects are asked for at once: kubectl's own.
	pageSize = 500
	// atOnce is how many requests are open: as many as API priority and fairness
	// seats a stranger without making others wait.
	atOnce = 8
)

// A Capture is one look at a cluster: what its API server shows at this moment,
// to be kept as a file. It lists what a [Watcher] watches and reads logs of
// containers, and changes nothing.
type Capture struct {
	API       *rest.Config // as [Config] returns it
	Namespace string       // what has no namespace is taken anyhow; "" is all
	Since     time.Time    // how far back logs go
}

// A Sight is what was seen. A resource that the API server did not show has no
// key in Objects, and a line in Unseen; one that it does not have has neither.
type Sight struct {
	Version string
	Objects map[string][]Object // by resource, as JSON without what may be secret
	Events  []Object
	Logs    []Log
	Unseen  []string
}

// A Log is what one container wrote, each line with its time.
type Log struct {
	Namespace, Pod, Container string
	Previous                  bool // of the instance before this one
	Text                      []byte
}

// Take looks once. What could be seen is returned; an error is only that there
// is nobody to ask.
func (c *Capture) Take(ctx context.Context) (*Sight, error) {
	api := rest.CopyConfig(c.API)
	api.UserAgent = "vedette-snapshot"
	api.QPS = -1 // atOnce bounds it
	link, err := rest.HTTPClientFor(api)
	if err != nil {
		return nil, fmt.Errorf("ask the API server %s: %w", api.Host, err)
	}
	menu, err := discovery.NewDiscoveryClientForConfigAndClient(api, link)
	if err != nil {
		return nil, fmt.Errorf("ask the API server %s: %w", api.Host, err)
	}
	loose, err := dynamic.NewForConfigAndClient(api, link)
	if err != nil {
		return nil, fmt.Errorf("ask the API server %s: %w", api.Host, err)
	}
	version, err := menu.ServerVersion()
	if err != nil {
		return nil, fmt.Errorf("ask the API server %s: %w", api.Host, err)
	}
	kinds, err := readKinds()
	if err != nil {
		return nil, err
	}
	served, err := serves(menu)
	look := &look{Capture: c, eyes: &eyes{api: api, link: link, loose: loose},
		sight: &Sight{Version: version.GitVersion, Objects: map[string][]Object{}}}
	if err != nil {
		look.blind("some kinds of objects: %v", err)
	}
	look.all(ctx, kinds, served)
	look.logs(ctx)
	slices.Sort(look.sight.Unseen)
	return look.sight, ctx.Err()
}

// A look is a [Capture] that is being taken.
type look struct {
	*Capture
	*eyes

	mu    sync.Mutex
	sight *Sight
	pods  []*corev1.Pod
}

func (l *look) blind(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sight.Unseen = append(l.sight.Unseen, fmt.Sprintf(format, args...))
}

// all lists every kind.
func (l *look) all(ctx context.Context, kinds []kind, served map[string]resource) {
	var g errgroup.Group
	g.SetLimit(atOnce)
	for _, k := range kinds {
		at, ok := served[k.resource]
		if !ok {
			continue
		}
		g.Go(func() error {
			os, err := l.list(ctx, k, at)
			if err != nil {
				l.blind("%s: %v", k.resource, err)
				return nil
			}
			l.mu.Lock()
			defer l.mu.Unlock()
			if k.resource == events {
				l.sight.Events = os
				return nil
			}
			l.sight.Objects[k.resource] = os
			return nil
		})
	}
	_ = g.Wait() // each said what it could not see
	slices.SortFunc(l.pods, func(a, b *corev1.Pod) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
}

// list returns the objects of one kind by namespace and name, events by time.
func (l *look) list(ctx context.Context, k kind, at resource) ([]Object, error) {
	example, gvk := typeOf(at.GroupVersionResource)
	m := &mirror{kind: k, gvk: gvk}
	all := []Object{}
	take := func(obj runtime.Object) error {
		o, acc, err := m.open(obj)
		if err != nil {
			return err
		}
		when := changedAt(acc, o)
		if p, ok := o.(*corev1.Pod); ok {
			l.mu.Lock()
			l.pods = append(l.pods, p)
			l.mu.Unlock()
		}
		text, err := m.text(o)
		all = append(all, Object{acc.GetNamespace(), acc.GetName(), text, when})
		return err
	}
	namespace := ""
	if at.namespaced {
		namespace = l.Namespace
	}
	err := l.each(ctx, at, gvk, example, namespace, metav1.ListOptions{}, take)
	if err == nil && k.resource == events && namespace != "" && namespace != metav1.NamespaceDefault {
		// Events of nodes are kept in the namespace default. Who may not see those
		// of another namespace has the rest.
		nodes := metav1.ListOptions{FieldSelector: fields.OneTermEqualSelector("involvedObject.kind", "Node").String()}
		if err := l.each(ctx, at, gvk, example, metav1.NamespaceDefault, nodes, take); err != nil {
			l.blind("events of nodes: %v", err)
		}
	}
	slices.SortFunc(all, func(a, b Object) int {
		when := 0
		if k.resource == events {
			when = a.At.Compare(b.At)
		}
		return cmp.Or(when, cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return all, err
}

func (l *look) each(ctx context.Context, at resource, gvk schema.GroupVersionKind, example runtime.Object, namespace string, o metav1.ListOptions, take func(runtime.Object) error) error {
	lw, err := l.lister(at.GroupVersionResource, gvk, example, namespace)
	if err != nil {
		return err
	}
	p := pager.New(func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
		return lw.ListWithContextFunc(ctx, o)
	})
	p.PageSize = pageSize
	list, _, err := p.List(ctx, o)
	if err != nil {
		return err
	}
	return meta.EachListItem(list, take)
}
