package facts

import (
	"fmt"
	"slices"
	"strings"

	"vedette.dev/analyzer"
	"vedette.dev/analyzer/snapshot"
	"vedette.dev/rules/catalog"
)

// What node_exporter says of disks, fabric ports and connections.
const (
	diskReadOnly   catalog.ID = "node_filesystem_readonly"
	diskFree       catalog.ID = "node_filesystem_avail_bytes"
	diskSize       catalog.ID = "node_filesystem_size_bytes"
	fabricState    catalog.ID = "node_infiniband_state_id"
	hostPortState  catalog.ID = "node_infiniband_state_id" // the same, of node_exporter
	fabricDowned   catalog.ID = "node_infiniband_link_downed_total"
	connections    catalog.ID = "node_nf_conntrack_entries"
	maxConnections catalog.ID = "node_nf_conntrack_entries_limit"
)

const (
	portActive  = 4    // InfiniBand's own number for a port that works
	fullOfDisk  = 0.05 // the kubelet evicts below 10 or 15 %, so that less is left means it does not keep up
	fullOfFlows = 0.97 // new connections are dropped when none is left; the gauge is sampled
)

// readNodeMetrics reads what node_exporter says at the end of the snapshot.
func (w *World) readNodeMetrics() {
	add := func(m snapshot.Series, name string, weight float64, is func(float64) bool, text string) {
		if at, n := runStart(m, is); n > 0 && w.fresh(m) {
			w.addOnce(Fact{Fact: analyzer.Fact{Subject: analyzer.Node(nodeOf(m)), Name: name, At: at, Standing: true, Source: m.Source, Text: text}, Kind: metricKind(m.Name()), Weight: weight, Lag: spacing(m)})
		}
	}
	for _, m := range w.s.Series(string(diskReadOnly)) {
		// Some systems mount their root read-only on purpose: what is at fault was
		// writable before, or is on its peers.
		was := slices.ContainsFunc(m.Samples, func(p snapshot.Sample) bool { return p.Value == 0 })
		if was || slices.ContainsFunc(w.s.Series(string(diskReadOnly)), func(o snapshot.Series) bool {
			return o.Labels["mountpoint"] == m.Labels["mountpoint"] && o.Labels["fstype"] == m.Labels["fstype"] && o.Last().Value == 0
		}) {
			add(m, "fs-readonly", 2, func(v float64) bool { return v == 1 }, "the file system at "+m.Labels["mountpoint"]+" is read-only")
		}
	}
	limits := byNode(w.s.Series(string(maxConnections)))
	for _, m := range w.s.Series(string(connections)) {
		if limit, ok := limits[nodeOf(m)]; ok && limit.Last().Value > 0 {
			add(m, "conntrack-full", 2, func(v float64) bool { return v >= fullOfFlows*limit.Last().Value }, fmt.Sprintf("%.0f of at most %.0f connections are tracked", m.Last().Value, limit.Last().Value))
		}
	}
	for _, m := range w.portStates() {
		// A port that was never up has no cable.
		if slices.ContainsFunc(m.Samples, func(p snapshot.Sample) bool { return p.Value == portActive }) || w.peersActive(m) {
			add(m, "fabric-port-down", 2, func(v float64) bool { return v != portActive }, fmt.Sprintf("port %s of %s is not active", m.Labels["port"], m.Labels["device"]))
		}
	}
	for _, m := range w.s.Series(string(fabricDowned)) {
		if from, to := m.Samples[0], m.Last(); to.Value > from.Value {
			at, _ := runStart(m, func(v float64) bool { return v > from.Value })
			w.addOnce(Fact{Fact: analyzer.Fact{Subject: analyzer.Node(nodeOf(m)), Name: "fabric-link-downed", At: at, Standing: w.fresh(m), Source: m.Source,
				Text: fmt.Sprintf("the link of %s port %s went down %.0f times", m.Labels["device"], m.Labels["port"], to.Value-from.Value)}, Kind: metricKind(m.Name()), Weight: 1, Lag: spacing(m)})
		}
	}
	w.readFullDisks()
	w.readPackets()
}

// readFullDisks records nodes whose root or image file system is all but full.
func (w *World) readFullDisks() {
	sizes := map[string]float64{}
	key := func(m snapshot.Series) string {
		return nodeOf(m) + " " + m.Labels["mountpoint"] + " " + m.Labels["device"]
	}
	for _, m := range w.s.Series(string(diskSize)) {
		sizes[key(m)] = m.Last().Value
	}
	for _, m := range w.s.Series(string(diskFree)) {
		size := sizes[key(m)]
		switch m.Labels["mountpoint"] {
		case "/", "/var", "/var/lib", "/var/lib/kubelet", "/var/lib/containerd", "/var/lib/containers", "/var/lib/docker", "/mnt/stateful_partition", "/sysroot":
		default:
			continue
		}
		if at, n := runStart(m, func(v float64) bool { return v < fullOfDisk*size }); size > 0 && n >= 2 && w.fresh(m) {
			w.addOnce(Fact{Fact: analyzer.Fact{Subject: analyzer.Node(nodeOf(m)), Name: "node-disk-full", At: at, Standing: true, Source: m.Source,
				Text: fmt.Sprintf("%.1f %% of the file system at %s are free", 100*m.Last().Value/size, m.Labels["mountpoint"])}, Kind: metricKind(m.Name()), Weight: 1})
		}
	}
}

// portStates returns what is measured of the ports of the fabric, by either exporter.
func (w *World) portStates() []snapshot.Series {
	return slices.Concat(w.s.Series(string(fabricState)), w.s.Series(string(hostPortState)))
}

// peersActive reports whether another port of the same device type of another node is active under the same name.
func (w *World) peersActive(m snapshot.Series) bool {
	for _, o := range w.portStates() {
		if nodeOf(o) != nodeOf(m) && o.Labels["device"] == m.Labels["device"] && o.Last().Value == portActive {
			return true
		}
	}
	return false
}

// nodeOf returns the node that a series of node_exporter is about.
func nodeOf(m snapshot.Series) string {
	for _, k := range []string{"node", "nodename", "kubernetes_node"} {
		if m.Labels[k] != "" {
			return m.Labels[k]
		}
	}
	host, _, _ := strings.Cut(m.Labels["instance"], ":")
	return host
}

func byNode(all []snapshot.Series) map[string]snapshot.Series {
	of := map[string]snapshot.Series{}
	for _, m := range all {
		of[nodeOf(m)] = m
	}
	return of
}
