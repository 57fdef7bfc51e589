package cost

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"vedette.dev/analyzer/series"
)

// zone finds the zone and its region in an AWS provider ID: aws:///us-east-1a/i-0.
var zone = regexp.MustCompile(`^aws:///(([a-z]+(?:-[a-z]+)+-\d+)[a-z])/`)

// nodes reads what machines there were.
func (r *reader) nodes(ctx context.Context) error {
	put := func(name string, change func(n *Node)) {
		if name == "" {
			return
		}
		n := r.Nodes[name]
		n.Name = name
		change(&n)
		r.Nodes[name], r.names[name] = n, name
	}
	err := r.labelled(ctx, "kube_node_info", func(l map[string]string) {
		put(l["node"], func(n *Node) {
			n.ID = l["provider_id"][strings.LastIndex(l["provider_id"], "/")+1:]
			if m := zone.FindStringSubmatch(l["provider_id"]); m != nil {
				n.Zone, n.Region = m[1], m[2]
			}
		})
	})
	if err != nil {
		return err
	}
	err = r.labelled(ctx, "kube_node_labels", func(l map[string]string) {
		put(l["node"], func(n *Node) {
			n.Instance = cmp.Or(said("nodes", "instance", l), n.Instance)
			n.Region = cmp.Or(said("nodes", "region", l), n.Region)
			n.Pool = cmp.Or(said("nodes", "pool", l), n.Pool)
			n.Spot = n.Spot || strings.EqualFold(said("nodes", "capacity", l), "spot")
		})
		if h := said("nodes", "hostname", l); h != "" && r.names[h] == "" {
			r.names[h] = l["node"]
		}
	})
	if err != nil {
		return err
	}
	return r.labelled(ctx, "vedette_gpus_expected", func(l map[string]string) { // the agent reads the machine's type itself
		if name := cmp.Or(r.names[l["instance"]], l["instance"]); l["instance_type"] != "" {
			put(name, func(n *Node) { n.Instance = cmp.Or(n.Instance, l["instance_type"]) })
		}
	})
}

// pods reads whose pods there were.
func (r *reader) pods(ctx context.Context) error {
	sets, jobs, teams := map[string]Workload{}, map[string]Workload{}, map[string]string{}
	owner := func(into map[string]Workload, name string) func(l map[string]string) {
		return func(l map[string]string) {
			if l["owner_name"] != "" && l["owner_name"] != "<none>" {
				into[l["namespace"]+"/"+l[name]] = Workload{l["namespace"], l["owner_kind"], l["owner_name"]}
			}
		}
	}
	for _, read := range []struct {
		metric string
		take   func(l map[string]string)
	}{
		{"kube_replicaset_owner", owner(sets, "replicaset")},
		{"kube_job_owner", owner(jobs, "job_name")},
		{"kube_namespace_labels", func(l map[string]string) { teams[l["namespace"]] = said("namespaces", "team", l) }},
		{"kube_pod_info", func(l map[string]string) {
			w := Workload{l["namespace"], l["created_by_kind"], l["created_by_name"]}
			key := w.Namespace + "/" + w.Name
			switch above, ok := sets[key]; {
			case w.Name == "" || w.Name == "<none>":
				w.Kind, w.Name = "Pod", l["pod"]
			case w.Kind == "ReplicaSet" && ok:
				w = above
			case w.Kind == "Job" && jobs[key].Name != "":
				w = jobs[key]
			}
			r.pod(l, func(p *Pod) { p.Workload, p.Node, p.Team = w, cmp.Or(l["node"], p.Node), teams[l["namespace"]] })
		}},
		{"vedette_pod_workload", func(l map[string]string) {
			r.pod(l, func(p *Pod) { p.Workload = Workload{l["namespace"], l["workload_kind"], l["workload"]} })
		}},
		{"kube_pod_labels", func(l map[string]string) {
			r.pod(l, func(p *Pod) {
				p.Team = cmp.Or(said("pods", "team", l), p.Team)
				p.Standby = p.Standby || said("pods", "standby", l) == "true"
			})
		}},
	} {
		if err := r.labelled(ctx, read.metric, read.take); err != nil {
			return err
		}
	}
	return nil
}

func (r *reader) pod(l map[string]string, change func(p *Pod)) {
	name := PodName{l["namespace"], l["pod"]}
	p := r.Pods[name]
	change(&p)
	r.Pods[name] = p
}

// requests reads what pods ask for, of those that are gone too, and what nodes
// have left.
func (r *reader) requests(ctx context.Context) error {
	const asks = "kube_pod_container_resource_requests"
	took := map[PodName]Size{}
	ss, err := r.q.Query(ctx, fmt.Sprintf(`sum by (namespace, pod, node, resource) (last_over_time(%s[%s]))`, asks, span(r.To.Sub(r.From))), series.Instant(r.To))
	if err != nil {
		return err
	}
	for _, s := range ss {
		size := took[PodName{s.Labels["namespace"], s.Labels["pod"]}]
		size.put(s.Labels["resource"], s.Values[0])
		took[PodName{s.Labels["namespace"], s.Labels["pod"]}] = size
	}
	for name, size := range took {
		r.pod(map[string]string{"namespace": name.Namespace, "pod": name.Name}, func(p *Pod) { p.Asks = size })
	}
	err = r.now(ctx, "kube_node_status_allocatable", func(l map[string]string, v float64) {
		n := r.Nodes[l["node"]]
		n.Capacity.put(l["resource"], v)
		r.Nodes[l["node"]] = n
	})
	if err != nil {
		return err
	}
	for name, n := range r.Nodes {
		n.Free = n.Capacity
		r.Nodes[name] = n
	}
	return r.now(ctx, `kube_pod_status_phase{phase=~"Running|Pending"} == 1`, func(l map[string]string, _ float64) {
		r.pod(l, func(p *Pod) {
			p.Running = p.Node != ""
			if n, ok := r.Nodes[p.Node]; ok {
				n.Free.GPUs -= p.Asks.GPUs
				n.Free.CPUs -= p.Asks.CPUs
				n.Free.MemoryBytes -= p.Asks.MemoryBytes
				r.Nodes[p.Node] = n
			}
		})
	})
}

// put sets what a resource of kube-state-metrics is of a size.
func (s *Size) put(resource string, v float64) {
	switch resource {
	case "cpu":
		s.CPUs = v
	case "memory":
		s.MemoryBytes = v
	case "nvidia_com_gpu":
		s.GPUs = v
	}
}

func itoa(n int) string { return strconv.Itoa(n) }
