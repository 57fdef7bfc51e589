package api

import (
	"context"
	"fmt"
	"maps"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"vedette.dev/analyzer"
	"vedette.dev/analyzer/series"
)

const (
	// fresh is how old a reading may be to stand for now: three of the longest usual periods.
	fresh = 90 * time.Second
	// remembered is how long a GPU that no longer answers is shown as lost.
	remembered = time.Hour
	// thermal are the bits of the clocks' event reasons that mean heat: HW
	// slowdown, SW thermal, HW thermal (NVML's nvmlClocksEventReason…).
	thermal = 0x08 | 0x20 | 0x40
)

// readings are the metrics of a GPU's cell.
var readings = []string{"DCGM_FI_DEV_GPU_UTIL", "DCGM_FI_DEV_GPU_TEMP", "DCGM_FI_DEV_POWER_USAGE",
	"DCGM_FI_DEV_FB_USED", "DCGM_FI_DEV_FB_FREE", "DCGM_FI_DEV_FB_TOTAL", "DCGM_FI_DEV_CLOCKS_EVENT_REASONS"}

func (a *Routes) fleet(_ http.ResponseWriter, r *http.Request) (any, error) {
	return a.Fleet(r.Context(), a.Now())
}

// Fleet reads every GPU of every node as it is at now.
func (a *Routes) Fleet(ctx context.Context, now time.Time) (Fleet, error) {
	b := fleetBuilder{gpus: map[string]*GPU{}, nodes: map[string]*Node{}, byBus: map[string]*GPU{}}
	names := strings.Join(readings, "|")
	for _, q := range []struct {
		expr string
		take func(series.Series, float64)
	}{
		{fmt.Sprintf(`last_over_time(DCGM_FI_DEV_GPU_TEMP[%ds])`, int(remembered.Seconds())), b.known},
		{fmt.Sprintf(`last_over_time({__name__=~%q}[%ds])`, names, int(fresh.Seconds())), b.reading},
		{`vedette_gpu_lost > 0`, b.lost},
		{`((vedette_xid_errors_total unless vedette_xid_errors_total offset 1h) or increase(vedette_xid_errors_total[1h])) > 0`, b.xid},
		{`max by (Hostname, UUID) (vedette_anomaly_score)`, b.score},
		{`kube_node_info`, b.node},
		{`kube_node_labels`, b.node},
		{`kube_node_status_condition{condition="Ready",status="true"}`, b.ready},
		{`kube_node_spec_unschedulable`, b.cordoned},
	} {
		ss, err := a.Querier.Query(ctx, q.expr, series.Instant(now))
		if err != nil {
			return Fleet{}, err
		}
		for _, s := range ss {
			if v := s.Values[0]; !math.IsNaN(v) {
				q.take(s, v)
			}
		}
	}
	open, err := a.Book.List(ctx, listed)
	if err != nil {
		return Fleet{}, err
	}
	b.incidents(open)
	return b.fleet(now), nil
}

// fleetBuilder puts the answers of the queries together.
type fleetBuilder struct {
	gpus  map[string]*GPU // by node and UUID
	byBus map[string]*GPU // by node and PCI bus
	nodes map[string]*Node
}

func hostname(l map[string]string) string {
	if l["Hostname"] != "" {
		return l["Hostname"]
	}
	return l["hostname"]
}

// known makes a cell for every GPU that answered within the hour; it is lost
// unless a fresh reading says otherwise.
func (b *fleetBuilder) known(s series.Series, _ float64) {
	l := s.Labels
	g := &GPU{Index: l["gpu"], UUID: l["UUID"], Model: l["modelName"], Lost: true, Subject: analyzer.GPU(hostname(l), l["UUID"])}
	b.at(hostname(l))
	b.gpus[hostname(l)+"/"+l["UUID"]] = g
	b.byBus[hostname(l)+"/"+l["pci_bus_id"]] = g
}

func (b *fleetBuilder) reading(s series.Series, v float64) {
	l := s.Labels
	g := b.gpus[hostname(l)+"/"+l["UUID"]]
	if g == nil {
		return // a GPU whose temperature cannot be read: a MIG slice of one that has a cell
	}
	g.Lost = false
	part := l["GPU_I_ID"] != "" // a MIG instance, whose pod is not the GPU's
	if l["pod"] != "" && !part {
		g.Namespace, g.Pod = l["namespace"], l["pod"]
	}
	switch l["__name__"] {
	case "DCGM_FI_DEV_GPU_UTIL":
		g.Util = &v
	case "DCGM_FI_DEV_GPU_TEMP":
		g.Temp = &v
	case "DCGM_FI_DEV_POWER_USAGE":
		g.Power = &v
	case "DCGM_FI_DEV_FB_USED":
		add(&g.MemUsed, v, part)
	case "DCGM_FI_DEV_FB_TOTAL":
		add(&g.MemTotal, v, part)
	case "DCGM_FI_DEV_FB_FREE":
		add(&g.memFree, v, part)
	case "DCGM_FI_DEV_CLOCKS_EVENT_REASONS":
		g.Throttled = uint64(v)&thermal != 0
	}
}

// add sets a GPU's reading, or adds to it that of a part.
func add(to **float64, v float64, part bool) {
	if part && *to != nil {
		v += **to
	}
	*to = &v
}

func (b *fleetBuilder) lost(s series.Series, _ float64) {
	l := s.Labels
	b.at(hostname(l))
	key := hostname(l) + "/" + l["UUID"]
	if b.gpus[key] == nil {
		b.gpus[key] = &GPU{Index: l["gpu"], UUID: l["UUID"], Model: l["modelName"], Subject: analyzer.GPU(hostname(l), l["UUID"])}
	}
	b.gpus[key].Lost = true
}

func (b *fleetBuilder) xid(s series.Series, _ float64) {
	if g := b.byBus[hostname(s.Labels)+"/"+s.Labels["pci_bus_id"]]; g != nil {
		if code, err := strconv.Atoi(s.Labels["xid"]); err == nil {
			g.Xid = code
		}
	}
}

func (b *fleetBuilder) score(s series.Series, v float64) {
	if g := b.gpus[s.Labels["Hostname"]+"/"+s.Labels["UUID"]]; g != nil {
		g.Score = &v
	}
}

// at returns the node, making it where it is new. A node is ready until
// Kubernetes says otherwise: a plain machine has nobody to say so.
func (b *fleetBuilder) at(name string) *Node {
	n := b.nodes[name]
	if n == nil {
		n = &Node{Name: name, Ready: true}
		b.nodes[name] = n
	}
	return n
}

func (b *fleetBuilder) node(s series.Series, _ float64) {
	n, l := b.at(s.Labels["node"]), s.Labels
	for _, k := range []string{"label_node_kubernetes_io_instance_type", "instance_type"} {
		if l[k] != "" {
			n.Type = l[k]
		}
	}
	for _, k := range []string{"label_eks_amazonaws_com_nodegroup", "label_karpenter_sh_nodepool", "label_cloud_google_com_gke_nodepool", "label_agentpool"} {
		if l[k] != "" {
			n.Pool = l[k]
		}
	}
}

func (b *fleetBuilder) ready(s series.Series, v float64)    { b.at(s.Labels["node"]).Ready = v == 1 }
func (b *fleetBuilder) cordoned(s series.Series, v float64) { b.at(s.Labels["node"]).Cordoned = v == 1 }

func (b *fleetBuilder) incidents(ins []analyzer.Incident) {
	for _, in := range ins {
		if !in.Open() {
			continue
		}
		about := []analyzer.Subject{in.Subject}
		for _, f := range in.Findings {
			about = append(about, f.Subject)
		}
		for _, s := range about {
			if g := b.gpus[s.Name]; s.Kind == "gpu" && g != nil {
				g.Incident = in.ID
			}
		}
	}
}

func (b *fleetBuilder) fleet(now time.Time) Fleet {
	for _, key := range slices.Sorted(maps.Keys(b.gpus)) {
		node, _, _ := strings.Cut(key, "/")
		if g := b.gpus[key]; g.MemTotal == nil && g.MemUsed != nil && g.memFree != nil {
			total := *g.MemUsed + *g.memFree // dcgm-exporter's default counters have no total
			g.MemTotal = &total
		}
		b.nodes[node].GPUs = append(b.nodes[node].GPUs, *b.gpus[key])
	}
	f := Fleet{At: now.UTC(), Nodes: []Node{}}
	for _, name := range slices.Sorted(maps.Keys(b.nodes)) {
		n := b.nodes[name]
		slices.SortStableFunc(n.GPUs, func(a, b GPU) int {
			i, _ := strconv.Atoi(a.Index)
			j, _ := strconv.Atoi(b.Index)
			return i - j
		})
		n.GPUs = notNil(n.GPUs)
		f.Nodes = append(f.Nodes, *n)
	}
	return f
}
