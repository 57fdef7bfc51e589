package simulate

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func (*pod) resource() string { return "pods" }

func (p *pod) ref() corev1.ObjectReference { return reference("v1", "Pod", p.workload, p.name) }

func (p *pod) encode(*World) json.RawMessage {
	wl := p.workload
	labels := wl.labels()
	var owner object = wl.creator(p.job)
	switch {
	case p.job != nil:
		labels["batch.kubernetes.io/job-name"] = p.job.name
		labels["batch.kubernetes.io/job-completion-index"] = strconv.Itoa(p.index)
	case wl.set != nil:
		labels["pod-template-hash"] = wl.set.hash
	default:
		labels["apps.kubernetes.io/pod-index"] = strconv.Itoa(p.index)
	}
	tm, om := heading(p, labels, owner)
	if p.job != nil {
		om.Annotations = map[string]string{"batch.kubernetes.io/job-completion-index": strconv.Itoa(p.index)}
	}
	spec := wl.podSpec()
	spec.NodeName = p.hostname()
	return marshal(&corev1.Pod{TypeMeta: tm, ObjectMeta: om, Spec: spec, Status: p.status()})
}

func (p *pod) status() corev1.PodStatus {
	s := corev1.PodStatus{Phase: corev1.PodPhase(p.phase), QOSClass: corev1.PodQOSBurstable, Conditions: p.conditions()}
	if p.node == nil {
		return s
	}
	s.HostIP, s.StartTime = p.node.ip, new(metav1.NewTime(p.bound))
	if !p.ran.IsZero() {
		s.PodIP = p.ip
	}
	s.ContainerStatuses = []corev1.ContainerStatus{p.containerStatus()}
	return s
}

func (p *pod) containerStatus() corev1.ContainerStatus {
	wl := p.workload
	up := p.running() && !p.ran.IsZero()
	s := corev1.ContainerStatus{Name: wl.container(), Image: wl.spec.Image, Ready: p.ready, RestartCount: int32(p.restarts), Started: &up}
	if p.containerID != "" {
		s.ContainerID = "containerd://" + p.containerID
	}
	ended := &corev1.ContainerStateTerminated{ExitCode: int32(p.exit), Reason: p.reason, StartedAt: metav1.NewTime(p.ran),
		FinishedAt: metav1.NewTime(p.ended), ContainerID: s.ContainerID, Message: p.message}
	switch {
	case p.over():
		s.State.Terminated = ended
	case p.waiting != "":
		s.State.Waiting = &corev1.ContainerStateWaiting{Reason: p.waiting,
			Message: fmt.Sprintf("back-off restarting failed container=%s pod=%s_%s(%s)", wl.container(), p.name, wl.spec.Namespace, p.uid)}
	case up:
		s.State.Running = &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(p.ran)}
	default:
		s.State.Waiting = &corev1.ContainerStateWaiting{Reason: "ContainerCreating"}
	}
	if !p.ended.IsZero() && !p.over() {
		s.LastTerminationState.Terminated = ended
	}
	return s
}

func (p *pod) conditions() []corev1.PodCondition {
	condition := func(kind corev1.PodConditionType, is bool, at time.Time, reason, message string) corev1.PodCondition {
		c := corev1.PodCondition{Type: kind, Status: corev1.ConditionFalse, LastTransitionTime: metav1.NewTime(at), Reason: reason, Message: message}
		if is {
			c.Status, c.Reason, c.Message = corev1.ConditionTrue, "", ""
		}
		return c
	}
	if p.node == nil {
		return []corev1.PodCondition{condition(corev1.PodScheduled, false, p.created, corev1.PodReasonUnschedulable, p.unschedulable)}
	}
	changed, reason, message := p.ran, "ContainersNotReady", "containers with unready status: ["+p.workload.container()+"]"
	if p.ended.After(p.ran) {
		changed = p.ended
	}
	if changed.IsZero() {
		changed = p.bound
	}
	if p.phase == failed {
		reason, message = "PodFailed", ""
	}
	if p.phase == succeeded {
		reason, message = "PodCompleted", ""
	}
	return []corev1.PodCondition{
		condition(corev1.PodScheduled, true, p.bound, "", ""),
		condition(corev1.PodInitialized, true, p.bound, "", ""),
		condition(corev1.ContainersReady, p.ready, changed, reason, message),
		condition(corev1.PodReady, p.ready, changed, reason, message),
	}
}

func (*node) resource() string { return "nodes" }

func (n *node) ref() corev1.ObjectReference {
	return corev1.ObjectReference{APIVersion: "v1", Kind: "Node", Name: n.name}
}

func (n *node) encode(w *World) json.RawMessage {
	c := w.sc.Cluster
	labels := map[string]string{
		"kubernetes.io/hostname": n.name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64",
		"node.kubernetes.io/instance-type": n.pool.InstanceType, "vedette.dev/rack": n.rackName(), "nvidia.com/gpu.present": strconv.FormatBool(len(n.gpus) > 0),
	}
	if len(n.gpus) > 0 {
		labels["nvidia.com/gpu.product"] = dashed(n.gpus[0].model.name)
		if n.pool.MIG != "" {
			labels["nvidia.com/mig.capable"], labels["nvidia.com/mig.config"], labels["nvidia.com/mig.config.state"] = "true", "all-"+n.pool.MIG, "success"
			if n.migFailed {
				labels["nvidia.com/mig.config.state"] = "failed"
			}
		}
		labels["nvidia.com/gpu.count"] = strconv.Itoa(len(n.gpus))
		labels["nvidia.com/gpu.memory"] = strconv.Itoa(n.gpus[0].model.memory)
		labels["nvidia.com/cuda.driver-version.full"] = driverVersion
	}
	spec := corev1.NodeSpec{Unschedulable: n.cordoned, Taints: n.taints()}
	if c.Provider == "eks" {
		labels["eks.amazonaws.com/nodegroup"] = n.pool.Name
		labels["topology.kubernetes.io/region"] = "us-east-1"
		labels["topology.kubernetes.io/zone"] = "us-east-1a"
		labels["topology.k8s.aws/network-node-layer-3"] = fmt.Sprintf("nn-%x", networkNode(w, n))
		spec.ProviderID = "aws:///us-east-1a/" + n.instanceID(w)
	}
	tm, om := heading(n, labels, nil)
	return marshal(&corev1.Node{TypeMeta: tm, ObjectMeta: om, Spec: spec, Status: corev1.NodeStatus{
		Capacity: n.resources(len(n.gpus), 0), Allocatable: n.resources(n.allocatable(), 1), Conditions: n.conditions(),
		Addresses: []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: n.ip}, {Type: corev1.NodeHostName, Address: n.name}},
		NodeInfo: corev1.NodeSystemInfo{MachineID: fmt.Sprintf("ec2%x", networkNode(w, n)), SystemUUID: n.uid, BootID: w.uuid("boot", n.name),
			KernelVersion: kernelVersion, OSImage: osImage, ContainerRuntimeVersion: runtimeVersion,
			KubeletVersion: c.Version, OperatingSystem: "linux", Architecture: "amd64"},
	}})
}

const (
	kernelVersion  = "6.1.141-155.222.amzn2023.x86_64"
	osImage        = "Amazon Linux 2023.7.20250623"
	runtimeVersion = "containerd://1.7.27"
)

func (n *node) rackName() string { return fmt.Sprintf("%s-r%d", n.pool.Name, n.rack+1) }

func (n *node) instanceID(w *World) string {
	h := w.hash("instance", n.name)
	return fmt.Sprintf("i-0%x", h[:8])
}

func networkNode(w *World, n *node) []byte {
	h := w.hash("rack", n.rackName())
	return h[:8]
}

func (n *node) taints() []corev1.Taint {
	var taints []corev1.Taint
	if len(n.gpus) > 0 {
		taints = append(taints, corev1.Taint{Key: "nvidia.com/gpu", Value: "present", Effect: corev1.TaintEffectNoSchedule})
	}
	if n.cordoned {
		taints = append(taints, corev1.Taint{Key: "node.kubernetes.io/unschedulable", Effect: corev1.TaintEffectNoSchedule})
	}
	if n.diskPressure {
		taints = append(taints, corev1.Taint{Key: "node.kubernetes.io/disk-pressure", Effect: corev1.TaintEffectNoSchedule})
	}
	return append(taints, n.moreTaints...)
}

// resources returns the node's, with gpus of them healthy, less reserved CPUs and 2 % of memory for each.
func (n *node) resources(gpus int, reserved int64) corev1.ResourceList {
	r := corev1.ResourceList{
		corev1.ResourceCPU:              *resource.NewQuantity(n.cpus()-reserved, resource.DecimalSI),
		corev1.ResourceMemory:           *resource.NewQuantity(n.memory()-reserved*(n.memory()/50), resource.BinarySI),
		corev1.ResourceEphemeralStorage: *resource.NewQuantity(rootFilesystem-reserved*(rootFilesystem/10), resource.BinarySI),
		corev1.ResourcePods:             *resource.NewQuantity(maxPods, resource.DecimalSI),
	}
	if len(n.gpus) > 0 && n.pool.MIG == "" {
		r["nvidia.com/gpu"] = *resource.NewQuantity(int64(gpus), resource.DecimalSI)
	}
	if n.pool.MIG != "" && !n.migFailed {
		r[corev1.ResourceName("nvidia.com/mig-"+n.pool.MIG)] = *resource.NewQuantity(int64(n.slices()), resource.DecimalSI)
	}
	return r
}

// slicesPerGPU is how many instances of the smallest profile there are on one GPU.
const slicesPerGPU = 7

// slices returns how many slices n's GPUs are cut into.
func (n *node) slices() int {
	if n.pool.MIG == "" || n.migFailed || n.pluginDown {
		return 0
	}
	return slicesPerGPU * len(n.gpus)
}

const maxPods = 110

func (n *node) cpus() int64 {
	if n.pool.CPUs > 0 {
		return int64(n.pool.CPUs)
	}
	return int64(24 * max(1, len(n.gpus)))
}

func (n *node) memory() int64 {
	if n.pool.MemoryGiB > 0 {
		return int64(n.pool.MemoryGiB) << 30
	}
	return int64(256*max(1, len(n.gpus))) << 30
}

func (n *node) conditions() []corev1.NodeCondition {
	condition := func(kind corev1.NodeConditionType, status corev1.ConditionStatus, at time.Time, reason, message string) corev1.NodeCondition {
		return corev1.NodeCondition{Type: kind, Status: status, Reason: reason, Message: message,
			LastHeartbeatTime: metav1.NewTime(at), LastTransitionTime: metav1.NewTime(at)}
	}
	disk := condition(corev1.NodeDiskPressure, corev1.ConditionFalse, n.created, "KubeletHasNoDiskPressure", "kubelet has no disk pressure")
	if n.diskPressure {
		disk = condition(corev1.NodeDiskPressure, corev1.ConditionTrue, n.pressureAt, "KubeletHasDiskPressure", "kubelet has disk pressure")
	}
	return []corev1.NodeCondition{
		condition(corev1.NodeMemoryPressure, corev1.ConditionFalse, n.created, "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
		disk,
		condition(corev1.NodePIDPressure, corev1.ConditionFalse, n.created, "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
		condition(corev1.NodeReady, corev1.ConditionTrue, n.created.Add(40*time.Second), "KubeletReady", "kubelet is posting ready status"),
	}
}

// dashed makes a label value of a GPU's name, as GPU feature discovery does.
func dashed(name string) string {
	b := []byte(name)
	for i := range b {
		if b[i] == ' ' {
			b[i] = '-'
		}
	}
	return string(b)
}
