// Package placement says what keeps a pod off each node: it runs the
// scheduler's predicates again over the nodes and pods as they were. It knows
// those that a snapshot can decide: readiness, cordons, taints, selectors,
// affinity, anti-affinity, host ports, spread, where volumes are, and resources.
//
// What a reader would get wrong: it does not say which of them is to blame. A
// node that lacks both memory and a label says nothing about either.
package placement

import (
	"encoding/json"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// A Blocker is a predicate of the scheduler that keeps a pod off a node. A
// resource that is short is a blocker under its own name.
type Blocker string

// The blockers that are no resources.
const (
	NotReady   Blocker = "not-ready"
	Cordoned   Blocker = "cordoned"
	Tainted    Blocker = "taint"
	Unselected Blocker = "selector"
	Unaffine   Blocker = "affinity"
	AntiAffine Blocker = "anti-affinity"
	PortTaken  Blocker = "host-port"
	Uneven     Blocker = "topology-spread"
	OtherZone  Blocker = "volume-zone"
)

const (
	controlPlane = "node-role.kubernetes.io/control-plane"
	oldMaster    = "node-role.kubernetes.io/master"
)

// A Fit is what keeps one pod off one node.
type Fit struct {
	Node    *corev1.Node
	Blocked []Blocker
	Free    map[corev1.ResourceName]resource.Quantity // of what the pod requests
	Taint   corev1.Taint                              // the first one that is not tolerated
	Never   bool                                      // too small even when empty, or taken by the pod's own kind, which keeps apart
}

// By reports whether b is among what keeps the pod off the node.
func (f Fit) By(b Blocker) bool { return slices.Contains(f.Blocked, b) }

// Only reports whether b alone keeps the pod off the node.
func (f Fit) Only(b Blocker) bool { return len(f.Blocked) == 1 && f.Blocked[0] == b }

// A Cluster is nodes and what runs on them.
type Cluster struct {
	nodes   []*corev1.Node
	byName  map[string]*corev1.Node
	pods    []*corev1.Pod
	used    map[string]corev1.ResourceList // by node
	lends   func(*corev1.Node, corev1.ResourceName) bool
	volumes func(*corev1.Pod) []*corev1.PersistentVolume
	decided map[string][]Fit // by what of a pod decides
}

// New returns the cluster of the nodes and pods. Lends reports whether a node
// has a device although it offers none, as one whose plug-in is down; volumes
// returns those that a pod's claims are bound to.
func New(nodes []*corev1.Node, pods []*corev1.Pod, lends func(*corev1.Node, corev1.ResourceName) bool, volumes func(*corev1.Pod) []*corev1.PersistentVolume) *Cluster {
	c := &Cluster{nodes: nodes, byName: map[string]*corev1.Node{}, pods: pods, used: used(pods), lends: lends, volumes: volumes, decided: map[string][]Fit{}}
	for _, n := range nodes {
		c.byName[n.Name] = n
	}
	return c
}

// Fits returns what keeps p off each node that is meant for it, in the order
// of the nodes. Pods that ask for the same share the answer: do not change it.
func (c *Cluster) Fits(p *corev1.Pod) []Fit {
	wants := Requests(p)
	volumes := c.volumes(p)
	var names []string
	for _, v := range volumes {
		names = append(names, v.Name)
	}
	ports := hostPorts(p)
	asks := []any{p.Namespace, p.Spec.NodeSelector, p.Spec.Tolerations, p.Spec.Affinity, wants, names, len(ports), ports}
	if len(p.Spec.TopologySpreadConstraints) > 0 || p.Spec.Affinity != nil {
		asks = append(asks, p.Labels, p.Spec.TopologySpreadConstraints)
	}
	key, err := json.Marshal(asks)
	if err == nil && c.decided[string(key)] != nil {
		return c.decided[string(key)]
	}
	repels, taken, spreads := c.repulsions(p), c.taken(ports), c.spreads(p)
	all := make([]Fit, 0, len(c.nodes))
	for _, n := range c.nodes {
		f := Fit{Node: n, Free: map[corev1.ResourceName]resource.Quantity{}}
		f.Blocked, f.Taint = gates(p, n, repels)
		f.Never = slices.ContainsFunc(repels, func(r repulsion) bool { return r.own && r.from(n) })
		if taken[n.Name] {
			f.Blocked = append(f.Blocked, PortTaken)
		}
		if slices.ContainsFunc(spreads, func(s spread) bool { return s.exceededOn(n) }) {
			f.Blocked = append(f.Blocked, Uneven)
		}
		if slices.ContainsFunc(volumes, func(v *corev1.PersistentVolume) bool { return !reaches(v, n) }) {
			f.Blocked = append(f.Blocked, OtherZone)
		}
		for _, r := range sorted(wants) {
			free := n.Status.Allocatable[r].DeepCopy()
			free.Sub(c.used[n.Name][r])
			f.Free[r] = free
			want, whole := wants[r], n.Status.Allocatable[r]
			if free.Cmp(want) < 0 {
				f.Blocked = append(f.Blocked, Blocker(r))
			}
			f.Never = f.Never || whole.Cmp(want) < 0 && !c.lends(n, r)
		}
		all = append(all, f)
	}
	c.decided[string(key)] = c.meant(wants, all)
	return c.decided[string(key)]
}

// meant leaves out nodes that are not meant for a pod: those of the control
// plane and those without the device that it asks for, unless no other is left.
func (c *Cluster) meant(wants corev1.ResourceList, fits []Fit) []Fit {
	others := func(drop func(Fit) bool) {
		if rest := slices.DeleteFunc(slices.Clone(fits), drop); len(rest) > 0 {
			fits = rest
		}
	}
	others(func(f Fit) bool {
		return f.Taint.Key == controlPlane || f.Taint.Key == oldMaster || controls(f.Node)
	})
	for _, r := range decisive(wants) {
		others(func(f Fit) bool {
			has := f.Node.Status.Capacity[r]
			return has.IsZero() && !c.lends(f.Node, r)
		})
	}
	return fits
}

// decisive returns the devices that say which nodes a pod is meant for: GPUs
// where it wants any. A network card that a GPU node lacks is a fault of the node.
func decisive(wants corev1.ResourceList) []corev1.ResourceName {
	var devices, gpus []corev1.ResourceName
	for _, r := range sorted(wants) {
		if Device(r) {
			devices = append(devices, r)
			if vendor, _, _ := strings.Cut(string(r), "/"); slices.Contains(gpuVendors, vendor) {
				gpus = append(gpus, r)
			}
		}
	}
	if len(gpus) > 0 {
		return gpus
	}
	return devices
}

// gpuVendors are the domains of resources that are GPUs.
var gpuVendors = []string{"nvidia.com", "amd.com", "gpu.intel.com"}

// controls reports whether a node is labelled as one of the control plane, as
// kubeadm does and as distributions without its taint do.
func controls(n *corev1.Node) bool {
	_, now := n.Labels[controlPlane]
	_, once := n.Labels[oldMaster]
	return now || once || n.Labels["kubernetes.io/role"] == "master"
}
