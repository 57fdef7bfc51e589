package simulate

import (
	"context"
	"fmt"
	"math"
	"time"

	corev1 "k8s.io/api/core/v1"

	"vedette.dev/collector"
)

const (
	driverVersion  = "570.124.06"
	rootFilesystem = 500 << 30 // bytes: the root volume of a node
	shownCPUs      = 4         // whose seconds are read; they are alike
)

// A node is one machine.
type node struct {
	meta
	name     string
	pool     *Pool
	rack     int
	ip       string
	gpus     []*gpu
	cordoned bool

	moreTaints []corev1.Taint
	unitsDown  map[string]bool
	pluginDown bool
	migFailed  bool

	boot time.Time

	klog    []string // kernel records that nobody has read yet
	klogSeq int

	cpu           wobble
	busy          float64 // share of the CPUs, 0..1
	cpuSeconds    [4]float64
	receivedBytes float64
	sentBytes     float64
	diskBase      float64 // share of the root file system at the start
	diskGrowth    float64 // share a day
	diskFloor     float64 // what a fault has filled it to
	diskUsed      float64
	diskPressure  bool
	pressureAt    time.Time
	labels        []collector.Attr
}

var cpuModes = [4]string{"idle", "iowait", "system", "user"}

// pciBuses are the buses of the eight GPUs of a p5.48xlarge.
var pciBuses = [...]byte{0x53, 0x64, 0x75, 0x86, 0x97, 0xa8, 0xb9, 0xca}

// furnish makes the nodes and their GPUs.
func (w *World) furnish() {
	for i := range w.sc.Cluster.Pools {
		pool := &w.sc.Cluster.Pools[i]
		for k := range pool.Nodes {
			w.nodes = append(w.nodes, w.newNode(pool, k))
		}
	}
}

func (w *World) newNode(pool *Pool, k int) *node {
	rack := 0
	if pool.RackSize > 0 {
		rack = k / pool.RackSize
	}
	name := pool.nodeName(k)
	n := &node{name: name, pool: pool, rack: rack, ip: fmt.Sprintf("10.0.%d.%d", 1+len(w.nodes)/200, 11+len(w.nodes)%200)}
	n.meta = w.newMeta(w.start.Add(-21*24*time.Hour-time.Duration(k)*7*time.Minute), "node", name)
	n.boot = n.created.Add(-3 * time.Minute)
	n.diskBase = 0.38 + 0.06*w.rng.Float64()
	n.diskGrowth = w.sc.Cluster.DiskGrowth[name]
	n.labels = []collector.Attr{{Key: "instance", Value: name}}
	up := w.start.Sub(n.boot).Seconds()
	n.cpuSeconds = [4]float64{up * 0.85, up * 0.002, up * 0.03, up * 0.11}
	n.receivedBytes, n.sentBytes = up*2e7, up*1.4e7
	for g := range pool.GPUsPerNode {
		n.gpus = append(n.gpus, w.newGPU(n, g))
	}
	n.kernel(w, n.boot.Add(9*time.Second), 6, "nvidia: loading out-of-tree module taints kernel.")
	n.kernel(w, n.boot.Add(10*time.Second), 6, "NVRM: loading NVIDIA UNIX Open Kernel Module for x86_64  "+driverVersion+"  Release Build")
	return n
}

// kernel writes a line to n's kernel log.
func (n *node) kernel(w *World, at time.Time, priority int, line string) {
	const kept = 4096 // records that wait for a reader; the kernel's ring is about as long
	n.klogSeq++
	n.klog = append(n.klog, fmt.Sprintf("%d,%d,%d,-;%s", priority, n.klogSeq, at.Sub(n.boot).Microseconds(), line))
	if len(n.klog) > kept {
		n.klog = n.klog[len(n.klog)-kept:]
	}
}

// free returns the GPUs of n that a pod could have.
func (n *node) free() []*gpu {
	var free []*gpu
	if n.pluginDown || n.pool.MIG != "" {
		return nil
	}
	for _, g := range n.gpus {
		if g.pod == nil && !g.unhealthy {
			free = append(free, g)
		}
	}
	return free
}

func (n *node) allocatable() int {
	healthy := 0
	if n.pluginDown {
		return 0
	}
	for _, g := range n.gpus {
		if !g.unhealthy {
			healthy++
		}
	}
	return healthy
}

// live moves n and its GPUs on.
func (n *node) live(w *World, air air) {
	work := 0.0
	for _, g := range n.gpus {
		g.live(w, air)
		work += g.util
	}
	if len(n.gpus) > 0 {
		work /= float64(len(n.gpus))
	}
	dt := air.dt
	n.busy = min(0.98, max(0.01, 0.03+0.17*work+0.012*n.cpu.next(w.rng, air.keep, air.fresh)))
	n.cpuSeconds[0] += dt * (1 - n.busy - 0.002)
	n.cpuSeconds[1] += dt * 0.002
	n.cpuSeconds[2] += dt * n.busy * 0.2
	n.cpuSeconds[3] += dt * n.busy * 0.8
	n.receivedBytes += dt * (2e6 + 9e7*work)
	n.sentBytes += dt * (1e6 + 7e7*work)

	days := w.now.Sub(w.start).Hours() / 24
	rotation := math.Mod(days+float64(n.rack)*0.3, 1) // logs grow over a day, and are rotated
	n.diskUsed = min(0.999, max(n.diskBase+n.diskGrowth*days+0.012*rotation, n.diskFloor))
	n.feelDisk(w)
}

// feelDisk sets the condition DiskPressure at the kubelet's default threshold, nodefs.available<10%.
func (n *node) feelDisk(w *World) {
	pressure := n.diskUsed > 0.9
	if pressure == n.diskPressure {
		return
	}
	n.diskPressure, n.pressureAt = pressure, w.now
	reason := "NodeHasNoDiskPressure"
	if pressure {
		reason = "NodeHasDiskPressure"
	}
	w.touch(n)
	w.event(n, "Normal", reason, "kubelet", n.name, fmt.Sprintf("Node %s status is now: %s", n.name, reason))
	if pressure {
		w.event(n, "Warning", "EvictionThresholdMet", "kubelet", n.name, "Attempting to reclaim ephemeral-storage")
	}
}

// Cordon makes node unschedulable. Doing so twice is as doing it once. It
// fails only where there is no such node.
func (w *World) Cordon(node string) error { return w.setCordon(node, true) }

// Uncordon undoes [World.Cordon].
func (w *World) Uncordon(node string) error { return w.setCordon(node, false) }

func (w *World) setCordon(name string, cordoned bool) error {
	w.mu.Lock()
	defer w.mu.Unlock()

	n, ok := w.node(name)
	if !ok {
		return fmt.Errorf("cordon %s: cluster %s has no such node", name, w.sc.Cluster.Name)
	}
	w.cordon(n, cordoned)
	w.reviseObjects()
	return nil
}

func (w *World) cordon(n *node, cordoned bool) {
	if n.cordoned == cordoned {
		return
	}
	n.cordoned = cordoned
	reason := "NodeSchedulable"
	if cordoned {
		reason = "NodeNotSchedulable"
	}
	w.touch(n)
	w.event(n, "Normal", reason, "kubelet", n.name, fmt.Sprintf("Node %s status is now: %s", n.name, reason))
}

func (w *World) node(name string) (*node, bool) {
	for _, n := range w.nodes {
		if n.name == name {
			return n, true
		}
	}
	return nil, false
}

// Boot returns when node booted, or the zero time where there is no such node.
func (w *World) Boot(node string) time.Time {
	n, ok := w.node(node)
	if !ok {
		return time.Time{}
	}
	return n.boot
}

// Kernel returns a reader of node's kernel log: the records of /dev/kmsg that
// came since its last call, each once. All readers of a node share its log.
func (w *World) Kernel(node string) func(ctx context.Context) ([]string, error) {
	return func(context.Context) ([]string, error) {
		w.mu.Lock()
		defer w.mu.Unlock()

		n, ok := w.node(node)
		if !ok {
			return nil, fmt.Errorf("read the kernel log of %s: cluster %s has no such node", node, w.sc.Cluster.Name)
		}
		records := n.klog
		n.klog = nil
		return records, nil
	}
}
