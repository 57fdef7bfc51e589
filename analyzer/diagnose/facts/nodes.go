package facts

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"vedette.dev/analyzer"
	"vedette.dev/analyzer/diagnose/placement"
	"vedette.dev/analyzer/snapshot"
	"vedette.dev/rules/catalog"
)

// gpuResource is what pods request a whole GPU by.
const gpuResource = "nvidia.com/gpu"

// pressures are the conditions by which a kubelet says what it is short of.
var pressures = []struct {
	condition corev1.NodeConditionType
	fact      string
}{
	{corev1.NodeMemoryPressure, "node-memory-pressure"},
	{corev1.NodeDiskPressure, "node-disk-pressure"},
	{corev1.NodePIDPressure, "node-pid-pressure"},
}

// conditionFacts are the conditions that node problem detector and the EKS node
// monitoring agent set, and what they tell.
var conditionFacts = map[string]string{
	"ReadonlyFilesystem=True": "fs-readonly", "StorageReady=False": "fs-readonly", "KernelDeadlock=True": "kernel-hang", "KernelReady=False": "kernel-hang",
	"NetworkUnavailable=True": "cni-not-ready", "ContainerRuntimeUnhealthy=True": "runtime-unreachable", "ContainerRuntimeReady=False": "runtime-unreachable",
	"KubeletUnhealthy=True": "unit-kubelet-down", "KubeletProblem=True": "unit-kubelet-down",
	"GPUMissing=True": "gpu-missing-said", "NVLinkStatusInactive=True": "nvlink-inactive-said", "IBLinkFlapping=True": "fabric-link-down", // AKS
}

// agentHardware is the condition by which the EKS node monitoring agent says how GPUs are.
const agentHardware corev1.NodeConditionType = "AcceleratedHardwareReady"

// units are the services of a node whose end is a fact.
var units = map[string]string{
	"kubelet.service": "unit-kubelet-down", "containerd.service": "unit-runtime-down", "crio.service": "unit-runtime-down",
	"cri-o.service": "unit-runtime-down", "docker.service": "unit-runtime-down", "snap.kubelet.daemon.service": "unit-kubelet-down",
	"kube-proxy.service": "unit-kube-proxy-down", "kube-scheduler.service": "unit-kube-scheduler-down",
	"nvidia-fabricmanager.service": "unit-fabricmanager-down",
}

func (w *World) readNodes() {
	for _, n := range w.nodes {
		w.readConditions(n)
		w.readAllocatable(n)
	}
	w.readUnits()
	w.readNodeMetrics()
}

func (w *World) readConditions(n snapshot.Typed[corev1.Node]) {
	self := analyzer.Node(n.Object.Name)
	for _, c := range n.Object.Status.Conditions {
		said := strings.TrimSuffix(fmt.Sprintf("%s is %s (%s: %s)", c.Type, c.Status, c.Reason, c.Message), ": )")
		f := Fact{Fact: analyzer.Fact{Subject: self, At: c.LastTransitionTime.Time, Standing: true, Source: n.Source, Text: said},
			Kind: ObjectKind, Detail: map[string]string{"message": c.Message}}
		switch {
		case c.Type == corev1.NodeReady && c.Status != corev1.ConditionTrue:
			f.Name, f.Weight, f.Standing = "node-not-ready", 3, !w.joining(&n.Object)
			w.readStatus(c.Reason+": "+c.Message, w.add(f))
		case conditionFacts[string(c.Type)+"="+string(c.Status)] != "":
			f.Name, f.Weight = conditionFacts[string(c.Type)+"="+string(c.Status)], 1
			w.addOnce(f)
		case c.Type == agentHardware && c.Status == corev1.ConditionFalse:
			f.Name = "agent-hardware-not-ready"
			w.add(f)
		}
		for _, p := range pressures {
			if c.Type == p.condition && c.Status == corev1.ConditionTrue {
				f.Name, f.Weight = p.fact, 1
				w.add(f)
			}
		}
	}
}

// joinTime is how long a node may take to get ready after it has registered:
// its network plug-in is a pod that must be pulled and started there first.
const joinTime = 2 * time.Minute

// joining reports whether the node registered so lately that it need not be ready
// yet. One that has stopped reporting has been there, however young its object.
func (w *World) joining(n *corev1.Node) bool {
	silent := slices.ContainsFunc(n.Status.Conditions, func(c corev1.NodeCondition) bool {
		return c.Type == corev1.NodeReady && c.Status == corev1.ConditionUnknown
	})
	return !silent && w.now.Sub(n.CreationTimestamp.Time) < joinTime
}

// readAllocatable compares the GPUs that a node has with those it offers.
func (w *World) readAllocatable(n snapshot.Typed[corev1.Node]) {
	self := analyzer.Node(n.Object.Name)
	has := w.gpusOf(&n.Object)
	offers := gpus(n.Object.Status.Allocatable)
	plugin, broken := w.devicePlugin(n.Object.Name)
	if broken && has > 0 {
		w.add(Fact{Fact: analyzer.Fact{Subject: self, Name: "device-plugin-not-ready", At: plugin.since(), Standing: true,
			Text: fmt.Sprintf("the device plug-in's pod %s/%s is not ready", plugin.Namespace, plugin.Name), Source: plugin.source}, Kind: ObjectKind, Detail: map[string]string{"pod": plugin.subject.String()}})
	}
	if slicesGPUs(n.Object) || offers >= has {
		return
	}
	name := "node-gpus-short"
	if offers == 0 {
		name = "node-gpus-none"
	}
	w.add(Fact{Fact: analyzer.Fact{Subject: self, Name: name, Standing: true, Source: n.Source,
		Text: fmt.Sprintf("the node offers %d of its %d GPUs", offers, has)}, Kind: ObjectKind, Weight: 2})
}

// slicesGPUs reports whether the node offers parts of GPUs instead of whole ones.
func slicesGPUs(n corev1.Node) bool {
	for r := range n.Status.Allocatable {
		if strings.HasPrefix(string(r), "nvidia.com/mig-") || strings.HasPrefix(string(r), "nvidia.com/gpu.shared") {
			return true
		}
	}
	return false
}

// gpuCounts are the labels by which GPU feature discovery, Karpenter and EKS say
// how many GPUs a node has; hasGPU are those by which a node says that it has any.
var (
	gpuCounts = []string{"nvidia.com/gpu.count", "karpenter.k8s.aws/instance-gpu-count", "eks.amazonaws.com/instance-gpu-count"}
	hasGPU    = []string{"nvidia.com/gpu.present", "feature.node.kubernetes.io/pci-10de.present", "feature.node.kubernetes.io/pci-0302_10de.present"}
)

// gpusOf returns how many GPUs the node has, whether it offers them or not: by
// the kubelet, by their metrics, by labels that outlive both, and where those
// say that there are some, by what another machine of its type offers.
func (w *World) gpusOf(n *corev1.Node) int64 {
	has := max(gpus(n.Status.Capacity), int64(len(w.Graph.GPUs(n.Name))))
	if slicesGPUs(*n) {
		return has
	}
	for _, l := range gpuCounts {
		if labelled, err := strconv.ParseInt(n.Labels[l], 10, 64); err == nil {
			has = max(has, labelled)
		}
	}
	if has == 0 && slices.ContainsFunc(hasGPU, func(l string) bool { return n.Labels[l] == "true" }) {
		return w.ofType[n.Labels[corev1.LabelInstanceTypeStable]]
	}
	return has
}

// gpusByType returns how many GPUs machines of each type offer. What does not
// say its type says nothing of others.
func gpusByType(nodes []snapshot.Typed[corev1.Node]) map[string]int64 {
	by := map[string]int64{}
	for _, n := range nodes {
		if t := n.Object.Labels[corev1.LabelInstanceTypeStable]; t != "" {
			by[t] = max(by[t], gpus(n.Object.Status.Capacity))
		}
	}
	return by
}

func gpus(r corev1.ResourceList) int64 {
	q := r[gpuResource]
	return q.Value()
}

// gpuRequest returns how many whole GPUs the pod asks for.
func gpuRequest(p *pod) int64 { return gpus(placement.Requests(p.Pod)) }

// devicePlugin returns the NVIDIA device plug-in's pod on the node and whether
// it is there and not ready.
func (w *World) devicePlugin(node string) (*pod, bool) {
	for _, p := range w.placed[node] {
		if !p.gone && (strings.Contains(p.Name, "nvidia-device-plugin") || strings.Contains(p.Name, "gpu-device-plugin")) {
			return p, !p.ready()
		}
	}
	return nil, false
}

// unitState is node_exporter's metric of systemd's units.
const unitState catalog.ID = "node_systemd_unit_state"

// readUnits reads node_exporter's view of systemd at the end of the snapshot.
func (w *World) readUnits() {
	for _, m := range w.s.Series(string(unitState)) {
		name := units[m.Labels["name"]]
		if name == "" || m.Labels["state"] != "active" && m.Labels["state"] != "failed" {
			continue
		}
		down := func(v float64) bool { return v == 0 == (m.Labels["state"] == "active") }
		at, n := runStart(m, down)
		if n == 0 {
			continue
		}
		w.addOnce(Fact{Fact: analyzer.Fact{Subject: analyzer.Node(nodeOf(m)), Name: name, At: at, Standing: true, Source: m.Source,
			Text: fmt.Sprintf("unit %s is not active", m.Labels["name"])}, Kind: metricKind(m.Name()), Weight: 2})
	}
}
