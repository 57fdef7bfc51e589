package placement

import (
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func node(name, zone string, gpus int64) *corev1.Node {
	return &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"zone": zone}},
		Status: corev1.NodeStatus{Allocatable: corev1.ResourceList{"nvidia.com/gpu": *resource.NewQuantity(gpus, resource.DecimalSI), corev1.ResourcePods: resource.MustParse("10")},
			Capacity: corev1.ResourceList{"nvidia.com/gpu": *resource.NewQuantity(gpus, resource.DecimalSI)}}}
}

func pod(name, on string, gpus string) *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "ml", Name: name, Labels: map[string]string{"app": "a"}}, Spec: corev1.PodSpec{NodeName: on, Containers: []corev1.Container{{Name: "main"}}}}
	if gpus != "" {
		p.Spec.Containers[0].Resources.Limits = corev1.ResourceList{"nvidia.com/gpu": resource.MustParse(gpus)}
	}
	return p
}

func apart(p *corev1.Pod, key string) *corev1.Pod {
	p.Spec.Affinity = &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{
		{TopologyKey: key, LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "a"}}}}}}
	return p
}

// TestFits says what keeps a pod off each of four nodes: two with GPUs in one
// zone, one whose plug-in is down, one of the control plane.
func TestFits(t *testing.T) {
	head := node("head", "y", 8)
	head.Labels[controlPlane] = ""
	cordoned := node("b", "x", 8)
	cordoned.Spec.Unschedulable = true
	tainted := node("c", "y", 0)
	tainted.Spec.Taints = []corev1.Taint{{Key: "team", Value: "x", Effect: corev1.TaintEffectNoSchedule}}
	nodes := []*corev1.Node{node("a", "x", 8), cordoned, tainted, head}
	runs := []*corev1.Pod{pod("holder", "a", "6")}
	c := New(nodes, runs, func(n *corev1.Node, _ corev1.ResourceName) bool { return n.Name == "c" }, func(*corev1.Pod) []*corev1.PersistentVolume { return nil })

	tests := []struct {
		name string
		pod  *corev1.Pod
		want string
	}{
		{"room", pod("p", "", "2"), "a[] b[cordoned] c[taint nvidia.com/gpu]"},
		{"short", pod("p", "", "3"), "a[nvidia.com/gpu] b[cordoned] c[taint nvidia.com/gpu]"},
		{"apart by host", apart(pod("p", "", ""), "host"), "a[anti-affinity] b[cordoned] c[taint]"},
		{"apart by zone", apart(pod("p", "", ""), "zone"), "a[anti-affinity] b[cordoned anti-affinity] c[taint]"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, f := range c.Fits(tt.pod) {
				got = append(got, fmt.Sprintf("%s%v", f.Node.Name, f.Blocked))
			}
			if s := strings.Join(got, " "); s != tt.want {
				t.Errorf("got %s, want %s", s, tt.want)
			}
		})
	}
}

// TestNever tells what is short or taken now from what could never take the pod.
func TestNever(t *testing.T) {
	nodes := []*corev1.Node{node("a", "x", 8), node("b", "x", 4), node("c", "y", 8)}
	other := pod("other", "c", "")
	other.Labels = map[string]string{"app": "b"}
	runs := []*corev1.Pod{pod("holder", "a", "6"), other}
	c := New(nodes, runs, func(n *corev1.Node, _ corev1.ResourceName) bool { return false }, func(*corev1.Pod) []*corev1.PersistentVolume { return nil })
	stranger := apart(pod("p", "", ""), "zone")
	stranger.Labels = map[string]string{"app": "c"}

	tests := []struct {
		name string
		pod  *corev1.Pod
		want string
	}{
		{"too large for one, even empty", pod("p", "", "6"), "b"},
		{"apart from its own", apart(pod("p", "", ""), "zone"), "a b"},
		{"apart from others, who may go", stranger, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, f := range c.Fits(tt.pod) {
				if f.Never {
					got = append(got, f.Node.Name)
				}
			}
			if s := strings.Join(got, " "); s != tt.want {
				t.Errorf("never on %q, want %q", s, tt.want)
			}
		})
	}
}
