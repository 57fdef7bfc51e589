package kubelet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"time"

	"vedette.dev/collector"
	"vedette.dev/rules/catalog"
)

// DefaultTokenFile and DefaultCAFile are where a pod finds its service
// account's token and the certificates of its cluster.
const (
	DefaultTokenFile = "/var/run/secrets/kubernetes.io/serviceaccount/token"
	DefaultCAFile    = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt"
)

// An API is a kubelet's HTTPS port, and a source of what only the kubelet
// knows: what containers use (cAdvisor's page), what pods and volumes hold on
// disk (the summary), and how the kubelet itself is configured. Each page is
// asked for at once and fails for itself. The fields are set before the first
// look; it is safe for one look at a time.
type API struct {
	Address    string           // https://127.0.0.1:10250
	Node       string           // the value of the labels instance and node
	TokenFile  string           // with the bearer token; read for every request, since it rotates; "" is none
	CAFile     string           // PEM certificates that the kubelet's must come from; read for every connection; "" is the system's
	SkipVerify bool             // take whatever certificate the kubelet shows
	PodLabels  []*regexp.Regexp // the pods' labels that [API.Label] adds
	Patience   time.Duration    // how long a page is waited for
	Now        func() time.Time

	once   sync.Once
	client *http.Client
	config config
	labels podLabels
}

var _ collector.Source = (*API)(nil)

// Collect reads every page. Those that could not be read are in the error,
// together where they have one reason; the others are good.
func (a *API) Collect(ctx context.Context) (collector.Batch, error) {
	type page struct {
		path string
		read func(context.Context) (collector.Batch, error)
	}
	pages := []page{{cadvisorPath, a.containers}, {summaryPath, a.summary}, {configPath, a.configuration}}
	if a.labels.err != nil {
		pages = append(pages, page{podsPath, a.learn})
	}
	batches, errs := make([]collector.Batch, len(pages)), make([]error, len(pages))
	var wg sync.WaitGroup
	for i, p := range pages {
		wg.Go(func() { batches[i], errs[i] = p.read(ctx) })
	}
	wg.Wait()

	var b collector.Batch
	var wrong trouble
	for i, p := range pages {
		b.Points = append(b.Points, batches[i].Points...)
		b.Events = append(b.Events, batches[i].Events...)
		wrong.note(p.path, errs[i])
	}
	return b, wrong.err(a.Address)
}

// read asks for a page and has do read it, within a's patience.
func (a *API) read(ctx context.Context, path string, do func(io.Reader) error) error {
	ctx, cancel := context.WithTimeout(ctx, a.Patience)
	defer cancel()
	body, err := a.get(ctx, path)
	if err == nil {
		err = do(body)
		if err == nil {
			_, err = io.Copy(io.Discard, body) // to its end, so that the connection is kept
		}
		body.Close()
	}
	if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) { // whatever else that looks like
		return fmt.Errorf("no whole answer within %v: %w", a.Patience, context.DeadlineExceeded)
	}
	return err
}

// A trouble is what went wrong with some pages, by its reason: a kubelet that
// is away is one trouble, not one for each page.
type trouble struct {
	reasons []error
	paths   map[string][]string // by the reason's words
}

func (t *trouble) note(path string, err error) {
	if err == nil {
		return
	}
	if t.paths == nil {
		t.paths = map[string][]string{}
	}
	words := err.Error()
	if t.paths[words] == nil {
		t.reasons = append(t.reasons, err)
	}
	t.paths[words] = append(t.paths[words], path)
}

func (t *trouble) err(address string) error {
	errs := make([]error, len(t.reasons))
	for i, reason := range t.reasons {
		errs[i] = fmt.Errorf("read %s of kubelet %s: %w", strings.Join(t.paths[reason.Error()], ", "), address, reason)
	}
	return errors.Join(errs...)
}

// Close closes the connections.
func (a *API) Close() error {
	if a.client != nil {
		a.client.CloseIdleConnections()
	}
	return nil
}

// A batch is the points read so far from one page.
type batch struct {
	node   string
	at     time.Time
	points []collector.Point
}

func (a *API) batch() *batch { return &batch{node: a.Node, at: a.Now()} }

// add adds a point with labels; those that are empty are none, as Prometheus has it.
func (b *batch) add(metric catalog.ID, counter bool, v float64, labels ...collector.Attr) {
	attrs := make([]collector.Attr, 0, len(labels)+2)
	instance, node := true, true // unless the page says so itself
	for _, l := range labels {
		if l.Value == "" {
			continue
		}
		attrs = append(attrs, l)
		instance, node = instance && l.Key != "instance", node && l.Key != "node"
	}
	if instance {
		attrs = append(attrs, collector.Attr{Key: "instance", Value: b.node})
	}
	if node {
		attrs = append(attrs, collector.Attr{Key: "node", Value: b.node})
	}
	b.points = append(b.points, collector.Point{Metric: metric, Counter: counter, Value: v, At: b.at, Attrs: attrs})
}
