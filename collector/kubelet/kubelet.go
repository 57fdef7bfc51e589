// Package kubelet asks a node's kubelet. [Pods] knows which pod holds which GPU
// from its PodResources API (v1), over its socket, and gives the readings of a
// GPU the pod that they belong to; [API] reads what pods and containers use,
// and how the kubelet is configured, from its HTTPS port.
//
// What a reader would get wrong: a GPU that several pods share (time-slicing,
// MPS, DRA) has no one pod. Its readings stay without one, since they are of
// all of them together; who shares it is told by [Holds], a series for each
// pod, and no pod is lost. So it is with a GPU that is cut into MIG instances:
// the readings of an instance have the pod that holds it, and those of the
// whole GPU none. And whatever the kubelet does, no reading is lost: without it
// they only lack the pod.
package kubelet

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	podresources "k8s.io/kubelet/pkg/apis/podresources/v1"

	"vedette.dev/collector"
	"vedette.dev/rules/catalog"
)

// Holds is 1 for every container that holds a GPU or a part of one, with the
// labels Hostname, namespace, pod, container, resource, device (as the
// kubelet calls it, without the number of a share), and gpu and UUID, and
// GPU_I_ID and GPU_I_PROFILE of a MIG instance, where the device is one that
// was read.
const Holds catalog.ID = "vedette_gpu_pod"

// DefaultSocket is where the kubelet listens.
const DefaultSocket = "/var/lib/kubelet/pod-resources/kubelet.sock"

const (
	// maxMessage bounds the kubelet's answer: at the usual 4 MiB a node with
	// many containers has none (dcgm-exporter issues 408, 509).
	maxMessage = 64 << 20
	// patience is how long an answer is waited for; the readings wait with it.
	patience = time.Second
	// askEvery is how often it is asked at most: no pod starts within it, and
	// the kubelet turns away who asks a hundred times a second.
	askEvery = time.Second
	// stale is how old an answer may be that is used while no newer one comes:
	// past it, the GPU may be another pod's.
	stale = 2 * time.Minute
)

// readings is how the names of a GPU's readings begin. What else is said of a
// GPU, that it is lost say, is true whoever holds it.
const readings = "DCGM_FI_"

// vendors are the resource names and drivers of GPUs: what others hand out
// through the same API is not ours to tell.
var vendors = []string{"nvidia.com/", "gpu.nvidia.com"}

// A Holder is a container that holds a device.
type Holder struct{ Namespace, Pod, Container string }

// Pods asks one kubelet. It is safe for one look at a time; use [New].
type Pods struct {
	node string
	now  func() time.Time
	conn *grpc.ClientConn
	api  podresources.PodResourcesListerClient

	mu       sync.Mutex
	holdings []told    // of the newest answer
	at       time.Time // of it
	err      error     // why the last try gave none
	asked    bool      // since the last Collect
	devices  map[string]device
}

// A holding is a container and a device that it holds.
type holding struct {
	Holder
	resource, device string
}

// A told is a holding, and what is told of it: it seldom changes, and whoever
// sees that it is the same need not look at it again.
type told struct {
	holding
	of    device
	attrs []collector.Attr
}

// A device is a GPU as the readings name it, or a MIG instance of one.
type device struct{ gpu, uuid, instance, profile string }

// New returns the pods of the kubelet that listens at a socket. Nobody needs
// to listen yet: the connection is made when it is first used, and again when
// the kubelet was restarted.
func New(socket, node string, now func() time.Time) (*Pods, error) {
	conn, err := grpc.NewClient("unix:"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage)))
	if err != nil {
		return nil, fmt.Errorf("kubelet %s: %w", socket, err)
	}
	return &Pods{node: node, now: now, conn: conn, api: podresources.NewPodResourcesListerClient(conn), devices: map[string]device{}}, nil
}

// Close closes the connection.
func (p *Pods) Close() error { return p.conn.Close() }

var _ collector.Source = (*Pods)(nil)

// Collect returns a point of [Holds] for every container that holds a GPU, and
// the error that the kubelet gave where it gave no answer. It asks only where
// [Pods.Label] has not just asked.
func (p *Pods) Collect(ctx context.Context) (collector.Batch, error) {
	p.mu.Lock()
	asked := p.asked
	p.asked = false
	p.mu.Unlock()
	if !asked {
		p.ask(ctx)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	var b collector.Batch
	if p.fresh() {
		b.Points = make([]collector.Point, len(p.holdings))
		for i := range p.holdings {
			h := &p.holdings[i]
			if d := p.devices[h.device]; h.attrs == nil || h.of != d {
				h.of, h.attrs = d, p.attrs(h.holding, d)
			}
			b.Points[i] = collector.Point{Metric: Holds, Value: 1, At: p.now(), Attrs: h.attrs}
		}
	}
	return b, p.err
}

// attrs are the labels of a holding of d, which is zero where no such device was read.
func (p *Pods) attrs(h holding, d device) []collector.Attr {
	attrs := []collector.Attr{{Key: "Hostname", Value: p.node}, {Key: "namespace", Value: h.Namespace}, {Key: "pod", Value: h.Pod},
		{Key: "container", Value: h.Container}, {Key: "resource", Value: h.resource}, {Key: "device", Value: h.device}}
	if d.uuid != "" {
		attrs = append(attrs, collector.Attr{Key: "gpu", Value: d.gpu}, collector.Attr{Key: "UUID", Value: d.uuid})
	}
	if d.instance != "" {
		attrs = append(attrs, collector.Attr{Key: "GPU_I_ID", Value: d.instance}, collector.Attr{Key: "GPU_I_PROFILE", Value: d.profile})
	}
	return attrs
}

// Label returns a source that reads s and gives each reading of a GPU the
// labels namespace, pod and container of the one container that holds the
// GPU. The kubelet is asked while s is read. Its errors are Collect's to tell.
func (p *Pods) Label(s collector.Source) collector.Source {
	return collector.SourceFunc(func(ctx context.Context) (collector.Batch, error) {
		answered := make(chan struct{})
		go func() {
			defer close(answered)
			p.ask(ctx)
		}()
		b, err := s.Collect(ctx)
		<-answered // within patience
		p.label(b.Points)
		return b, err
	})
}

// ask lists what every container holds.
func (p *Pods) ask(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	p.mu.Lock()
	failed, recent := p.err != nil, !p.at.IsZero() && p.now().Sub(p.at) < askEvery
	p.asked = p.asked || recent && !failed
	p.mu.Unlock()
	if recent && !failed {
		return
	}
	if failed {
		p.conn.ResetConnectBackoff() // a look comes seldom enough: dial at each
	}
	resp, err := p.api.List(ctx, &podresources.ListPodResourcesRequest{})
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked = true
	if err != nil {
		p.err = fmt.Errorf("list pod resources: %w", err)
		return
	}
	p.err, p.at = nil, p.now()
	all := holdingsOf(resp)
	if slices.EqualFunc(p.holdings, all, func(t told, h holding) bool { return t.holding == h }) {
		return
	}
	p.holdings = make([]told, len(all))
	for i, h := range all {
		p.holdings[i].holding = h
	}
}

func (p *Pods) fresh() bool { return !p.at.IsZero() && p.now().Sub(p.at) <= stale }

// label gives points their pods.
func (p *Pods) label(points []collector.Point) {
	p.mu.Lock()
	defer p.mu.Unlock()
	holders := map[string][]Holder{}
	if p.fresh() {
		for _, h := range p.holdings {
			if !slices.Contains(holders[h.device], h.Holder) {
				holders[h.device] = append(holders[h.device], h.Holder)
			}
		}
	}
	migs := p.learn(points)
	labelled := map[*collector.Attr][]collector.Attr{} // the points of a GPU share their labels
	for i := range points {
		if !strings.HasPrefix(string(points[i].Metric), readings) || len(points[i].Attrs) == 0 {
			continue
		}
		key := &points[i].Attrs[0]
		if _, done := labelled[key]; !done {
			d, number := deviceOfPoint(points[i].Attrs)
			if d.uuid == "" {
				continue
			}
			aliases := d.aliases(number)
			for _, a := range aliases {
				p.devices[a] = d
			}
			labelled[key] = with(points[i].Attrs, only(holders, append(aliases, migs[d.part()]...)))
		}
		points[i].Attrs = labelled[key]
	}
}

// A part is a MIG instance of a GPU, or with no instance the whole of it.
type part struct{ uuid, instance string }

func (d device) part() part { return part{d.uuid, d.instance} }

// learn takes in which MIG devices there are, and returns their UUIDs by the
// part that they are of. One that was destroyed is forgotten; that nothing was
// read destroys none.
func (p *Pods) learn(points []collector.Point) map[part][]string {
	if len(points) == 0 {
		return nil
	}
	maps.DeleteFunc(p.devices, func(alias string, _ device) bool { return strings.HasPrefix(alias, "MIG-") })
	m := map[part][]string{}
	for _, x := range points {
		if x.Metric != collector.Instance {
			continue
		}
		d, _ := deviceOfPoint(x.Attrs)
		mig, compute := x.Attr("MIG_UUID"), x.Attr("GPU_CI_ID")
		// Drivers before 470 name a MIG device by where it is.
		for _, alias := range []string{mig, "MIG-" + d.uuid + "/" + d.instance + "/" + compute} {
			if alias != "" {
				p.devices[alias] = d
				m[d.part()] = append(m[d.part()], alias)
			}
		}
	}
	return m
}

// aliases are what a kubelet may call d besides the UUID of a MIG device:
// NVIDIA's plugin names a GPU by its UUID, GKE's and DRA by its number.
func (d device) aliases(number string) []string {
	if d.instance != "" {
		return []string{number + "/gi" + d.instance}
	}
	return []string{d.uuid, number, "gpu-" + d.gpu}
}

// only returns the one holder of what is called by the aliases, nil where
// there is none or more than one.
func only(holders map[string][]Holder, aliases []string) *Holder {
	all := map[Holder]bool{}
	for _, a := range aliases {
		for _, h := range holders[a] {
			all[h] = true
		}
	}
	if len(all) != 1 {
		return nil
	}
	for h := range maps.Keys(all) {
		return &h
	}
	return nil
}

func with(attrs []collector.Attr, h *Holder) []collector.Attr {
	if h == nil {
		return attrs
	}
	return append(slices.Clip(attrs), collector.Attr{Key: "namespace", Value: h.Namespace},
		collector.Attr{Key: "pod", Value: h.Pod}, collector.Attr{Key: "container", Value: h.Container})
}

// deviceOfPoint reads what a point is about from its labels, and the device's
// number as /dev has it: nvidia0.
func deviceOfPoint(attrs []collector.Attr) (d device, number string) {
	for _, a := range attrs {
		switch a.Key {
		case "UUID":
			d.uuid = a.Value
		case "gpu":
			d.gpu = a.Value
		case "device":
			number = a.Value
		case "GPU_I_ID":
			d.instance = a.Value
		case "GPU_I_PROFILE":
			d.profile = a.Value
		}
	}
	return d, number
}

// holdingsOf reads the kubelet's answer: what the device plugin handed out, and
// what was claimed through DRA.
func holdingsOf(resp *podresources.ListPodResourcesResponse) []holding {
	var all []holding
	for _, pod := range resp.GetPodResources() {
		for _, c := range pod.GetContainers() {
			h := Holder{pod.GetNamespace(), pod.GetName(), c.GetName()}
			for _, d := range c.GetDevices() {
				for _, id := range d.GetDeviceIds() {
					if ours(d.GetResourceName()) {
						all = append(all, holding{h, d.GetResourceName(), deviceOf(id)})
					}
				}
			}
			for _, r := range c.GetDynamicResources() {
				for _, claimed := range r.GetClaimResources() {
					if ours(claimed.GetDriverName()) {
						all = append(all, holding{h, claimed.GetDriverName(), claimed.GetDeviceName()})
					}
				}
			}
		}
	}
	slices.SortFunc(all, func(a, b holding) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Pod, b.Pod), cmp.Compare(a.Container, b.Container),
			cmp.Compare(a.resource, b.resource), cmp.Compare(a.device, b.device))
	})
	return slices.Compact(all)
}

func ours(name string) bool {
	return slices.ContainsFunc(vendors, func(v string) bool { return strings.HasPrefix(name, v) })
}

// deviceOf returns the device that an ID of a device plugin is a share of:
// GPU-1::3 of NVIDIA's plugin, nvidia0/vgpu3 of GKE's.
func deviceOf(id string) string {
	id, _, _ = strings.Cut(id, "::")
	if i := strings.Index(id, "/vgpu"); i >= 0 {
		id = id[:i]
	}
	return id
}
