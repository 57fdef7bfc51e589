package simulate

import (
	"context"
	"math"
	"strconv"
	"time"

	"vedette.dev/collector"
	"vedette.dev/rules/catalog"
)

// Cluster returns what the API server shows, as kube-state-metrics' series,
// vLLM's series, and events: every object at the first look and then each
// change, the cluster's events, and the lines that containers wrote. There is
// one stream of events: it is for one reader.
func (w *World) Cluster() collector.Source {
	return collector.SourceFunc(func(context.Context) (collector.Batch, error) {
		w.mu.Lock()
		defer w.mu.Unlock()

		if !w.record.listed {
			w.list()
		}
		s := &shelf{at: w.now}
		for _, n := range w.nodes {
			n.series(w, s)
		}
		for _, wl := range w.workloads {
			wl.series(s)
		}
		for _, o := range w.record.objects {
			switch o := o.(type) {
			case *job:
				o.series(s)
			case *quota:
				for kind, n := range map[string]int{"hard": o.spec.GPUs, "used": o.used(w)} {
					s.gauge("kube_resourcequota", float64(n), "namespace", o.spec.Namespace, "resourcequota", quotaName, "resource", "requests.nvidia.com/gpu", "type", kind)
				}
			}
		}
		for _, p := range w.pods {
			p.series(s)
			p.memory(w, s)
		}
		events := w.record.waiting
		w.record.waiting = nil
		return collector.Batch{Points: s.points, Events: events}, nil
	})
}

func (n *node) series(w *World, s *shelf) {
	provider := ""
	if w.sc.Cluster.Provider == "eks" {
		provider = "aws:///us-east-1a/" + n.instanceID(w)
	}
	s.gauge("kube_node_info", 1, "node", n.name, "internal_ip", n.ip, "kernel_version", kernelVersion, "os_image", osImage,
		"container_runtime_version", runtimeVersion, "kubelet_version", w.sc.Cluster.Version, "provider_id", provider, "system_uuid", n.uid)
	if provider != "" {
		s.gauge("kube_node_labels", 1, "node", n.name, "label_node_kubernetes_io_instance_type", n.pool.InstanceType,
			"label_topology_kubernetes_io_region", "us-east-1", "label_eks_amazonaws_com_nodegroup", n.pool.Name)
	}
	s.gauge("kube_node_created", float64(n.created.Unix()), "node", n.name)
	s.gauge("kube_node_spec_unschedulable", number(n.cordoned), "node", n.name)
	for _, c := range n.conditions() {
		for _, status := range [...]string{"true", "false", "unknown"} {
			s.gauge("kube_node_status_condition", number(status == lower(string(c.Status))), "node", n.name, "condition", string(c.Type), "status", status)
		}
	}
	for _, side := range [...]struct {
		gpus     int
		reserved int64
	}{{len(n.gpus), 0}, {n.allocatable(), 1}} {
		put := func(value float64, resource, unit string) {
			if side.reserved == 0 {
				s.gauge("kube_node_status_capacity", value, "node", n.name, "resource", resource, "unit", unit)
				return
			}
			s.gauge("kube_node_status_allocatable", value, "node", n.name, "resource", resource, "unit", unit)
		}
		put(float64(n.cpus()-side.reserved), "cpu", "core")
		put(float64(n.memory()-side.reserved*(n.memory()/50)), "memory", "byte")
		put(maxPods, "pods", "integer")
		if len(n.gpus) > 0 && n.pool.MIG == "" {
			put(float64(side.gpus), "nvidia_com_gpu", "integer")
		}
	}
}

func (wl *workload) series(s *shelf) {
	ns, name := wl.spec.Namespace, wl.spec.Name
	ready := float64(len(wl.readyPods()))
	switch wl.spec.Kind {
	case Deployment:
		s.gauge("kube_deployment_spec_replicas", float64(wl.replicas), "namespace", ns, "deployment", name)
		s.gauge("kube_deployment_status_replicas_available", ready, "namespace", ns, "deployment", name)
		s.gauge("kube_replicaset_owner", 1, "namespace", ns, "replicaset", wl.set.name, "owner_kind", "Deployment", "owner_name", name, "owner_is_controller", "true")
	case StatefulSet:
		s.gauge("kube_statefulset_replicas", float64(wl.replicas), "namespace", ns, "statefulset", name)
		s.gauge("kube_statefulset_status_replicas_ready", ready, "namespace", ns, "statefulset", name)
	}
	if wl.spec.Kind == DaemonSet {
		s.gauge("kube_daemonset_status_desired_number_scheduled", float64(wl.replicas), "namespace", ns, "daemonset", name)
		s.gauge("kube_daemonset_status_number_ready", ready, "namespace", ns, "daemonset", name)
	}
	if wl.spec.Profile != Inference {
		return
	}
	model := wl.spec.Model
	if model == "" {
		model = name
	}
	for _, p := range wl.pods {
		if !p.ready {
			continue
		}
		mood := 0.0
		if len(p.gpus) > 0 {
			mood = float64(p.gpus[0].mood)
		}
		on := min(wl.spec.Demand.PerReplica, max(0, wl.demand.each*(1+0.05*mood)))
		s.gauge("vllm:num_requests_running", math.Round(on), "model_name", model, "namespace", ns, "pod", p.name)
		s.gauge("vllm:num_requests_waiting", math.Round(max(0, wl.demand.queued*(1+0.05*mood))), "model_name", model, "namespace", ns, "pod", p.name)
	}
}

func (o *job) series(s *shelf) {
	ns := o.wl.spec.Namespace
	active, _ := o.count()
	s.gauge("kube_job_status_active", float64(active), "namespace", ns, "job_name", o.name)
	s.gauge("kube_job_status_failed", float64(o.failed), "namespace", ns, "job_name", o.name)
	s.gauge("kube_job_status_succeeded", float64(o.succeeded), "namespace", ns, "job_name", o.name)
	if o.wl.spec.Profile == Batch {
		s.gauge("kube_job_owner", 1, "namespace", ns, "job_name", o.name, "owner_kind", "CronJob", "owner_name", o.wl.spec.Name, "owner_is_controller", "true")
	}
}

func (p *pod) series(s *shelf) {
	ns := p.workload.spec.Namespace
	creator := p.workload.creator(p.job).ref()
	host := ""
	if p.node != nil {
		host = p.node.ip
	}
	s.gauge("kube_pod_info", 1, "namespace", ns, "pod", p.name, "uid", p.uid, "node", p.hostname(), "host_ip", host, "pod_ip", p.ip,
		"created_by_kind", creator.Kind, "created_by_name", creator.Name, "host_network", "false", "priority_class", p.workload.priorityClass())
	for _, ph := range [...]phase{pending, running, succeeded, failed, "Unknown"} {
		s.gauge("kube_pod_status_phase", number(p.phase == ph), "namespace", ns, "pod", p.name, "uid", p.uid, "phase", string(ph))
	}
	s.gauge("kube_pod_status_ready", number(p.ready), "namespace", ns, "pod", p.name, "uid", p.uid, "condition", "true")
	for _, at := range [...]struct {
		metric catalog.ID
		time   time.Time
	}{{"kube_pod_created", p.created}, {"kube_pod_status_scheduled_time", p.bound}, {"kube_pod_status_ready_time", p.shown}} {
		if !at.time.IsZero() && (p.ready || at.metric != "kube_pod_status_ready_time") {
			s.gauge(at.metric, float64(at.time.Unix()), "namespace", ns, "pod", p.name, "uid", p.uid)
		}
	}
	if p.workload.balloon() {
		s.gauge("kube_pod_labels", 1, "namespace", ns, "pod", p.name, "uid", p.uid, "label_vedette_dev_standby", "true")
	}
	if p.unschedulable != "" {
		s.gauge("kube_pod_status_unschedulable", 1, "namespace", ns, "pod", p.name, "uid", p.uid)
	}
	container := p.workload.container()
	gpus := p.workload.spec.GPUsPerPod
	cpus, memory := p.workload.asks()
	request := func(value float64, resource, unit string) {
		s.gauge("kube_pod_container_resource_requests", value, "namespace", ns, "pod", p.name, "uid", p.uid, "container", container,
			"node", p.hostname(), "resource", resource, "unit", unit)
	}
	request(float64(cpus)/1000, "cpu", "core")
	request(float64(memory), "memory", "byte")
	if gpus > 0 {
		request(float64(gpus), "nvidia_com_gpu", "integer")
	}
	if p.node == nil {
		return
	}
	s.counter("kube_pod_container_status_restarts_total", float64(p.restarts), "namespace", ns, "pod", p.name, "uid", p.uid, "container", container)
	if p.waiting != "" {
		s.gauge("kube_pod_container_status_waiting_reason", 1, "namespace", ns, "pod", p.name, "uid", p.uid, "container", container, "reason", p.waiting)
	}
	if !p.over() {
		return
	}
	s.gauge("kube_pod_container_status_terminated_reason", 1, "namespace", ns, "pod", p.name, "uid", p.uid, "container", container, "reason", p.reason)
}

// memory puts down what cAdvisor says of p's container.
func (p *pod) memory(w *World, s *shelf) {
	if !p.running() || p.node == nil || p.containerID == "" {
		return
	}
	_, limit := p.workload.asks()
	labels := []string{"namespace", p.workload.spec.Namespace, "pod", p.name, "container", p.workload.container()}
	h := w.hash("memory", p.uid)
	share := 0.3 + 0.3*float64(h[0])/255 + 0.01*float64(w.now.Unix()/30%7)/7
	if span := p.bursts.Sub(p.swells); span > 0 && w.now.After(p.swells) {
		share += (0.995 - share) * min(1, float64(w.now.Sub(p.swells))/float64(span))
	}
	s.gauge("container_memory_working_set_bytes", math.Floor(share*float64(limit)), labels...)
	s.gauge("container_spec_memory_limit_bytes", float64(limit), labels...)
}

// lower makes a condition's status a label value.
func lower(status string) string {
	b, err := strconv.ParseBool(status)
	if err != nil {
		return "unknown"
	}
	return strconv.FormatBool(b)
}
