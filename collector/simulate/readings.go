package simulate

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"vedette.dev/collector"
	"vedette.dev/rules/catalog"
)

// A reading is a metric and how it is read.
type reading[T any] struct {
	metric  catalog.ID
	counter bool
	value   func(T) float64
}

// gpuReadings are DCGM's fields under dcgm-exporter's names, in DCGM's units.
func gpuReadings() []reading[*gpu] {
	const dev, prof = "DCGM_FI_DEV_", "DCGM_FI_PROF_"
	return []reading[*gpu]{
		{dev + "GPU_UTIL", false, func(g *gpu) float64 { return math.Round(100 * g.util) }},
		{dev + "MEM_COPY_UTIL", false, func(g *gpu) float64 { return math.Round(100 * g.memUtil) }},
		{dev + "FB_USED", false, func(g *gpu) float64 { return g.used }},
		{dev + "FB_FREE", false, func(g *gpu) float64 { return float64(g.model.memory-g.model.reserved) - g.used }},
		{dev + "FB_RESERVED", false, func(g *gpu) float64 { return float64(g.model.reserved) }},
		{dev + "FB_TOTAL", false, func(g *gpu) float64 { return float64(g.model.memory) }},
		{dev + "GPU_TEMP", false, func(g *gpu) float64 { return math.Round(g.temp) }},
		{dev + "MEMORY_TEMP", false, func(g *gpu) float64 { return math.Round(g.memTemp) }},
		{dev + "POWER_USAGE", false, func(g *gpu) float64 { return math.Round(1000*g.power) / 1000 }},
		{dev + "TOTAL_ENERGY_CONSUMPTION", true, func(g *gpu) float64 { return math.Floor(g.energy) }},
		{dev + "SM_CLOCK", false, func(g *gpu) float64 { return 15 * math.Round(g.clock/15) }}, // clocks come in steps of 15 MHz
		{dev + "MEM_CLOCK", false, func(g *gpu) float64 { return float64(g.model.memClock) }},
		{dev + "XID_ERRORS", false, func(g *gpu) float64 { return float64(g.lastXid) }},
		{dev + "PCIE_REPLAY_COUNTER", true, func(*gpu) float64 { return 0 }},
		{dev + "NVLINK_BANDWIDTH_TOTAL", true, func(g *gpu) float64 { return g.nvlinkKiB }},
		{dev + "ECC_SBE_VOL_TOTAL", true, func(g *gpu) float64 { return g.sbe }},
		{dev + "ECC_DBE_VOL_TOTAL", true, func(g *gpu) float64 { return g.dbe }},
		{dev + "CORRECTABLE_REMAPPED_ROWS", true, func(g *gpu) float64 { return g.remappedCE }},
		{dev + "UNCORRECTABLE_REMAPPED_ROWS", true, func(g *gpu) float64 { return g.remappedUE }},
		{dev + "ROW_REMAP_FAILURE", false, func(g *gpu) float64 { return number(g.remapFailed) }},
		{dev + "ROW_REMAP_PENDING", false, func(g *gpu) float64 { return number(g.remapPending) }},
		{dev + "NVLINK_CRC_FLIT_ERROR_COUNT_TOTAL", true, func(g *gpu) float64 { return g.linkCRC }},
		{dev + "NVLINK_REPLAY_ERROR_COUNT_TOTAL", true, func(g *gpu) float64 { return g.linkReplay }},
		{dev + "NVLINK_RECOVERY_ERROR_COUNT_TOTAL", true, func(g *gpu) float64 { return g.linkRecovery }},
		{dev + "CLOCKS_EVENT_REASONS", false, func(g *gpu) float64 { return float64(g.reasons) }},
		{dev + "THERMAL_VIOLATION", true, func(g *gpu) float64 { return math.Floor(g.thermalNanos) }},
		{dev + "POWER_VIOLATION", true, func(g *gpu) float64 { return math.Floor(g.powerNanos) }},
		{prof + "GR_ENGINE_ACTIVE", false, func(g *gpu) float64 { return ratio(g.engine) }},
		{prof + "PIPE_TENSOR_ACTIVE", false, func(g *gpu) float64 { return ratio(g.tensor) }},
		{prof + "DRAM_ACTIVE", false, func(g *gpu) float64 { return ratio(g.dram) }},
	}
}

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// ratio rounds to the six digits that dcgm-exporter prints.
func ratio(v float64) float64 { return math.Round(v*1e6) / 1e6 }

// units returns the systemd units of n that are looked at.
func (n *node) units() []string {
	units := []string{"containerd.service", "kubelet.service"}
	if len(n.gpus) > 0 {
		units = append(units, "nvidia-persistenced.service")
		if n.gpus[0].model.nvlink {
			units = append(units, "nvidia-fabricmanager.service")
		}
	}
	return units
}

// errLost is NVML's word for a GPU that is off the bus.
// lost says of every GPU whether it no longer answers, as collector/dcgm does.
const lost catalog.ID = "vedette_gpu_lost"

// identity returns the labels that are a GPU's own, whatever runs on it.
func (g *gpu) identity() []collector.Attr {
	return []collector.Attr{{Key: "Hostname", Value: g.node.name}, {Key: "gpu", Value: strconv.Itoa(g.index)}, {Key: "UUID", Value: g.uuid}}
}

var errLost = errors.New("GPU is lost")

// GPUs returns the GPUs of node as dcgm-exporter would show them. Of a GPU
// that has fallen off the bus only the last Xid is left, which DCGM heard of
// by an event; the rest comes with an error that says so.
func (w *World) GPUs(node string) collector.Source {
	readings := gpuReadings()
	return collector.SourceFunc(func(context.Context) (collector.Batch, error) {
		w.mu.Lock()
		defer w.mu.Unlock()

		n, ok := w.node(node)
		if !ok {
			return collector.Batch{}, w.noNode("GPUs", node)
		}
		var errs []error
		points := make([]collector.Point, 0, len(readings)*len(n.gpus))
		for _, g := range n.gpus {
			labels := g.seriesLabels()
			points = append(points, collector.Point{Metric: lost, Value: number(g.lost), At: w.now, Attrs: g.identity()})
			if g.lost {
				errs = append(errs, fmt.Errorf("read GPU %d (%s) of %s: %w", g.index, g.pciBusID(), node, errLost))
			}
			for _, r := range readings {
				if g.lost && r.metric != "DCGM_FI_DEV_XID_ERRORS" || strings.HasPrefix(string(r.metric), "DCGM_FI_DEV_NVLINK_") && !g.model.nvlink {
					continue
				}
				points = append(points, collector.Point{Metric: r.metric, Counter: r.counter, Value: r.value(g), At: w.now, Attrs: labels})
			}
		}
		return collector.Batch{Points: points}, errors.Join(errs...)
	})
}

func (w *World) noNode(what, node string) error {
	return fmt.Errorf("read the %s of %s: cluster %s has no such node", what, node, w.sc.Cluster.Name)
}

// seriesLabels returns dcgm-exporter's labels. They are shared by the points
// of many batches, and clipped, so that adding to them copies.
func (g *gpu) seriesLabels() []collector.Attr {
	if g.labels != nil && g.labelsFor == g.pod {
		return g.labels
	}
	g.labelsFor = g.pod
	g.labels = []collector.Attr{
		{Key: "gpu", Value: strconv.Itoa(g.index)}, {Key: "UUID", Value: g.uuid}, {Key: "pci_bus_id", Value: g.pciBusID()},
		{Key: "device", Value: "nvidia" + strconv.Itoa(g.index)}, {Key: "modelName", Value: g.model.name}, {Key: "Hostname", Value: g.node.name}, {Key: "DCGM_FI_DRIVER_VERSION", Value: driverVersion},
	}
	if p := g.pod; p != nil {
		g.labels = append(g.labels, collector.Attr{Key: "container", Value: p.workload.container()},
			collector.Attr{Key: "namespace", Value: p.workload.spec.Namespace}, collector.Attr{Key: "pod", Value: p.name})
	}
	g.labels = g.labels[:len(g.labels):len(g.labels)]
	return g.labels
}

// Host returns what node_exporter would show of node.
func (w *World) Host(node string) collector.Source {
	return collector.SourceFunc(func(context.Context) (collector.Batch, error) {
		w.mu.Lock()
		defer w.mu.Unlock()

		n, ok := w.node(node)
		if !ok {
			return collector.Batch{}, w.noNode("host", node)
		}
		s := shelf{at: w.now}
		for cpu := range shownCPUs {
			for mode, name := range cpuModes {
				s.counter("node_cpu_seconds_total", math.Round(100*n.cpuSeconds[mode])/100, "instance", node, "cpu", strconv.Itoa(cpu), "mode", name)
			}
		}
		total := float64(n.memory())
		s.gauge("node_memory_MemTotal_bytes", total, "instance", node)
		s.gauge("node_memory_MemAvailable_bytes", math.Floor(total*(0.93-0.55*n.busy)), "instance", node)
		s.gauge("node_load1", math.Round(100*n.busy*float64(n.cpus()))/100, "instance", node)
		s.gauge("node_boot_time_seconds", float64(n.boot.Unix()), "instance", node)
		root := []string{"instance", node, "device", "/dev/nvme0n1p1", "fstype", "xfs", "mountpoint", "/"}
		s.gauge("node_filesystem_size_bytes", rootFilesystem, root...)
		s.gauge("node_filesystem_avail_bytes", math.Floor(rootFilesystem*(1-n.diskUsed)), root...)
		s.counter("node_network_receive_bytes_total", math.Floor(n.receivedBytes), "instance", node, "device", "ens32")
		s.counter("node_network_transmit_bytes_total", math.Floor(n.sentBytes), "instance", node, "device", "ens32")
		for _, unit := range n.units() {
			for _, state := range [...]string{"active", "failed", "inactive"} {
				down := n.unitsDown[unit]
				s.gauge("node_systemd_unit_state", number(!down && state == "active" || down && state == "failed"), "instance", node, "name", unit, "state", state, "type", "simple")
			}
		}
		return collector.Batch{Points: s.points}, nil
	})
}

// A shelf gathers points of one moment.
type shelf struct {
	at     time.Time
	points []collector.Point
}

func (s *shelf) gauge(metric catalog.ID, value float64, labels ...string) {
	s.put(collector.Point{Metric: metric, Value: value}, labels)
}

func (s *shelf) counter(metric catalog.ID, value float64, labels ...string) {
	s.put(collector.Point{Metric: metric, Value: value, Counter: true}, labels)
}

func (s *shelf) put(p collector.Point, labels []string) {
	p.At = s.at
	p.Attrs = make([]collector.Attr, 0, len(labels)/2)
	for i := 0; i < len(labels); i += 2 {
		p.Attrs = append(p.Attrs, collector.Attr{Key: labels[i], Value: labels[i+1]})
	}
	s.points = append(s.points, p)
}
