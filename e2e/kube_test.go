//go:build e2e

package e2e

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	appsv1 "k8s.io/api/apps/v1"
	authv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"

	"vedette.dev/analyzer/history"
)

// A kube is a real API server on its own etcd.
type kube struct {
	kubernetes.Interface
	etcd   *process
	server *process
	addr   string // of the API server
	dir    string
	etcdAt string
}

// startKube runs etcd and an API server until the test ends.
func startKube(t *testing.T) *kube {
	t.Helper()
	k := &kube{dir: t.TempDir(), addr: freePort(t), etcdAt: "http://" + freePort(t)}
	peer := "http://" + freePort(t)
	k.etcd = start(t, "../bin/etcd", "--data-dir", filepath.Join(k.dir, "etcd"), "--unsafe-no-fsync", "--log-level", "error",
		"--listen-client-urls", k.etcdAt, "--advertise-client-urls", k.etcdAt,
		"--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", "default="+peer)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(k.dir, "sa.key"), string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})))
	write(t, filepath.Join(k.dir, "tokens"), "root,admin,1,system:masters\n")
	k.boot(t)
	k.Interface, err = kubernetes.NewForConfig(&rest.Config{Host: "https://" + k.addr, BearerToken: "root", TLSClientConfig: rest.TLSClientConfig{Insecure: true}, QPS: -1})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// boot starts the API server; a second call starts it anew on the same etcd.
func (k *kube) boot(t *testing.T) {
	t.Helper()
	_, port, _ := net.SplitHostPort(k.addr)
	in := func(name string) string { return filepath.Join(k.dir, name) }
	k.server = start(t, "../bin/kube-apiserver", "--etcd-servers", k.etcdAt, "--secure-port", port, "--bind-address", "127.0.0.1", "--cert-dir", in("certs"),
		"--service-account-issuer", "https://kubernetes.default.svc", "--service-account-key-file", in("sa.key"), "--service-account-signing-key-file", in("sa.key"),
		"--authorization-mode", "RBAC", "--token-auth-file", in("tokens"), "--service-cluster-ip-range", "10.0.0.0/24",
		"--disable-admission-plugins", "ServiceAccount", "-v", "0")
	k.server.within(t, "ready API server", patience, func() bool { return k.ready() })
}

func (k *kube) ready() bool {
	req, err := http.NewRequest(http.MethodGet, "https://"+k.addr+"/readyz", nil)
	if err != nil {
		return false
	}
	req.Header.Set("Authorization", "Bearer root")
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return false
	}
	resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// config writes a kubeconfig that leads to addr with a token.
func (k *kube) config(t *testing.T, addr, token string) string {
	t.Helper()
	return write(t, filepath.Join(t.TempDir(), "kubeconfig"), fmt.Sprintf(`apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "https://%s", insecure-skip-tls-verify: true}}]
users: [{name: u, user: {token: "%s"}}]
contexts: [{name: x, context: {cluster: c, user: u}}]
current-context: x
`, addr, token))
}

// admit makes the role and the account that are shipped, and returns a token of the account.
func (k *kube) admit(t *testing.T) string {
	t.Helper()
	k.namespace(t, "vedette")
	k.grant(t, "../deploy/server-rbac.yaml")
	tr, err := k.CoreV1().ServiceAccounts("vedette").CreateToken(t.Context(), "vedette", &authv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return tr.Status.Token
}

// grant makes what a file of accounts and roles says.
func (k *kube) grant(t *testing.T, path string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	for doc := range strings.SplitSeq(string(data), "\n---\n") {
		js, err := yaml.YAMLToJSON([]byte(doc))
		if err != nil {
			t.Fatal(err)
		}
		o, _, err := scheme.Codecs.UniversalDeserializer().Decode(js, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		switch o := o.(type) {
		case *corev1.ServiceAccount:
			_, err = k.CoreV1().ServiceAccounts(o.Namespace).Create(ctx, o, metav1.CreateOptions{})
		case *rbacv1.ClusterRole:
			_, err = k.RbacV1().ClusterRoles().Create(ctx, o, metav1.CreateOptions{})
		case *rbacv1.ClusterRoleBinding:
			_, err = k.RbacV1().ClusterRoleBindings().Create(ctx, o, metav1.CreateOptions{})
		case *rbacv1.Role:
			_, err = k.RbacV1().Roles(o.Namespace).Create(ctx, o, metav1.CreateOptions{})
		case *rbacv1.RoleBinding:
			_, err = k.RbacV1().RoleBindings(o.Namespace).Create(ctx, o, metav1.CreateOptions{})
		default:
			t.Fatalf("%s has a %T", path, o)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func (k *kube) namespace(t *testing.T, name string) {
	t.Helper()
	if _, err := k.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

func (k *kube) node(ctx context.Context, name string) error {
	n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{corev1.LabelInstanceTypeStable: "p5.48xlarge",
		"topology.kubernetes.io/region": "us-east-1", "eks.amazonaws.com/nodegroup": "gpu", "eks.amazonaws.com/capacityType": "ON_DEMAND"}}}
	n.Status.Allocatable = corev1.ResourceList{"nvidia.com/gpu": quantity("8"), "cpu": quantity("96"), "memory": quantity("1Ti"), "pods": quantity("110")}
	n.Status.Capacity = n.Status.Allocatable
	n.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue, LastTransitionTime: metav1.Now()}}
	_, err := k.CoreV1().Nodes().Create(ctx, n, metav1.CreateOptions{})
	return err
}

// pod makes a pod that asks for GPUs, on a node or pending, and says its status.
func (k *kube) pod(t *testing.T, name, node string, gpus string, owner *metav1.OwnerReference, status corev1.PodStatus) {
	t.Helper()
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "ml"}}
	if owner != nil {
		p.OwnerReferences = []metav1.OwnerReference{*owner}
	}
	p.Spec.NodeName = node
	res := corev1.ResourceList{"nvidia.com/gpu": quantity(gpus)}
	p.Spec.Containers = []corev1.Container{{Name: "main", Image: "registry.example/train:1", Resources: corev1.ResourceRequirements{Requests: res, Limits: res}}}
	made, err := k.CoreV1().Pods("ml").Create(t.Context(), p, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	made.Status = status
	if _, err := k.CoreV1().Pods("ml").UpdateStatus(t.Context(), made, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// watching is the configuration of a server that watches by a kubeconfig.
func watching(kubeconfig string) string {
	return fmt.Sprintf("kubernetes: {kubeconfig: %q, period: 1s}\n", kubeconfig)
}

var running = corev1.PodStatus{Phase: corev1.PodRunning}

// TestCluster: with the rights of the role that is shipped, the server sees
// what there is and what changes, and says why a pod waits.
func TestCluster(t *testing.T) {
	k := startKube(t)
	token := k.admit(t)
	k.namespace(t, "ml")
	for _, name := range []string{"gpu-01", "gpu-02"} {
		if err := k.node(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	yes := true
	set, err := k.AppsV1().ReplicaSets("ml").Create(t.Context(), replicaSet("api-5d"), metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	owner := &metav1.OwnerReference{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: set.Name, UID: set.UID, Controller: &yes}
	k.pod(t, "api-5d-1", "gpu-01", "8", owner, running)
	k.pod(t, "api-5d-2", "gpu-02", "8", owner, running)

	c := startServerAt(t, t.TempDir(), "", "127.0.0.1:0", "127.0.0.1:0", watching(k.config(t, k.addr, token)))
	c.within(t, "the pods' series", patience, func() bool { return len(c.query(`kube_pod_status_phase{phase="Running"} == 1`)) == 2 })
	for expr, want := range map[string]int{
		`kube_node_status_allocatable{resource="nvidia_com_gpu"} == 8`:                        2,
		`kube_pod_container_resource_requests{resource="nvidia_com_gpu"} == 8`:                2,
		`vedette_pod_workload{namespace="ml", workload="api-5d", workload_kind="ReplicaSet"}`: 2,
		`kube_node_labels{label_node_kubernetes_io_instance_type="p5.48xlarge", label_topology_kubernetes_io_region="us-east-1", label_eks_amazonaws_com_nodegroup="gpu", label_eks_amazonaws_com_capacity_type="ON_DEMAND"}`: 2, // what a cost report goes by
		`kube_pod_owner{owner_kind="ReplicaSet"}`:                                                         2,
		`kube_replicaset_spec_replicas{namespace="ml"}`:                                                   1,
		`kube_namespace_status_phase{namespace="ml", phase="Active"} == 1`:                                1,
		`{__name__=~"kube_.*|vedette_pod_.*", job=~".+"}`:                                                 0,
		`count(vedette_source_up{source=~"kube/.*"} == 1) == count(vedette_source_up{source=~"kube/.*"})`: 1,
	} {
		if got := len(c.query(expr)); got != want {
			t.Errorf("%s: %d series, want %d: %v", expr, got, want, c.query(expr))
		}
	}

	// A pod that no node can take.
	k.pod(t, "train-0", "", "8", nil, corev1.PodStatus{Phase: corev1.PodPending, Conditions: []corev1.PodCondition{{Type: corev1.PodScheduled,
		Status: corev1.ConditionFalse, Reason: corev1.PodReasonUnschedulable, LastTransitionTime: metav1.Now(), Message: insufficient}}})
	_, err = k.CoreV1().Events("ml").Create(t.Context(), &corev1.Event{ObjectMeta: metav1.ObjectMeta{Name: "train-0.1", Namespace: "ml"},
		InvolvedObject: corev1.ObjectReference{Kind: "Pod", Namespace: "ml", Name: "train-0"}, Type: corev1.EventTypeWarning,
		Reason: "FailedScheduling", Message: insufficient, FirstTimestamp: metav1.Now(), LastTimestamp: metav1.Now(), Count: 1,
		Source: corev1.EventSource{Component: "default-scheduler"}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	c.within(t, "the pending pod", patience, func() bool { return len(c.query(`kube_pod_status_unschedulable{pod="train-0"} == 1`)) == 1 })
	said := ""
	c.within(t, "why the pod waits", patience, func() bool {
		said, _, _ = run(t, vedette, "--server", c.url, "--token-file", c.apiFile, "ask", "why is pod train-0 pending")
		return strings.Contains(said, "nvidia.com/gpu")
	})
	t.Log(said)
	if !strings.Contains(said, "history#") {
		t.Errorf("it says why without a source:\n%s", said)
	}

	// One that goes is gone, not there for five minutes more.
	now := int64(0)
	if err := k.CoreV1().Pods("ml").Delete(t.Context(), "api-5d-2", metav1.DeleteOptions{GracePeriodSeconds: &now}); err != nil {
		t.Fatal(err)
	}
	c.within(t, "the end of the deleted pod", patience, func() bool {
		return len(c.query(`kube_pod_info{pod="api-5d-2"}`)) == 0 && len(c.query(`kube_pod_info{pod="api-5d-1"}`)) == 1
	})
}

const insufficient = "0/2 nodes are available: 2 Insufficient nvidia.com/gpu. preemption: 0/2 nodes are available: 2 No preemption victims found for incoming pod."

// TestNoRights: what may not be seen is told by its name, once, and costs only itself.
func TestNoRights(t *testing.T) {
	k := startKube(t)
	if err := k.node(t.Context(), "gpu-01"); err != nil {
		t.Fatal(err)
	}
	token := k.admit(t)
	role, err := k.RbacV1().ClusterRoles().Get(t.Context(), "vedette-eyes", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	all := role.Rules
	role.Rules = []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"nodes"}, Verbs: []string{"list", "watch"}}}
	if _, err := k.RbacV1().ClusterRoles().Update(t.Context(), role, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	c := startServerAt(t, t.TempDir(), "", "127.0.0.1:0", "127.0.0.1:0", watching(k.config(t, k.addr, token)))
	c.within(t, "the node", patience, func() bool { return len(c.query(`kube_node_info`)) == 1 })
	c.find(t, `(watch of pods fails.*forbidden)`)
	c.within(t, "that it is said in a report", patience, func() bool {
		said, _, _ := run(t, vedette, "--server", c.url, "--token-file", c.apiFile, "ask", "what is wrong with the cluster")
		return strings.Contains(said, "pods of now")
	})
	c.within(t, "the watch that is down", patience, func() bool {
		return len(c.query(`vedette_source_up{source="kube/pods"} == 0`)) == 1 && len(c.query(`vedette_source_up{source="kube/nodes"} == 1`)) == 1
	})
	if n := strings.Count(c.output(), "watch of pods fails"); n != 1 {
		t.Errorf("it is told %d times that pods may not be watched", n)
	}

	if role, err = k.RbacV1().ClusterRoles().Get(t.Context(), "vedette-eyes", metav1.GetOptions{}); err != nil {
		t.Fatal(err)
	}
	role.Rules = all
	if _, err := k.RbacV1().ClusterRoles().Update(t.Context(), role, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	c.find(t, `(watch of pods is well again)`)
}

// A cable is a TCP connection to somewhere that can be pulled out.
type cable struct {
	net.Listener
	to string

	mu    sync.Mutex
	out   bool
	conns map[net.Conn]bool
}

func newCable(t *testing.T, to string) *cable {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cable{Listener: l, to: to, conns: map[net.Conn]bool{}}
	var g sync.WaitGroup
	g.Go(func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", to)
			if err != nil || !c.hold(in, out) {
				in.Close()
				continue
			}
			g.Go(func() { io.Copy(out, in); out.Close(); in.Close() })
			g.Go(func() { io.Copy(in, out); in.Close(); out.Close() })
		}
	})
	t.Cleanup(func() { l.Close(); c.pull(); g.Wait() })
	return c
}

// hold keeps a pair of connections, or closes the far one where the cable is out.
func (c *cable) hold(in, out net.Conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.out {
		out.Close()
		return false
	}
	c.conns[in], c.conns[out] = true, true
	return true
}

func (c *cable) pull() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.out = true
	for conn := range c.conns {
		conn.Close()
	}
	clear(c.conns)
}

func (c *cable) plug() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.out = false
}

// TestWatchLoss: the connection is lost, things change, the API server starts
// anew and has forgotten where the watches were: everything is told that a
// watcher who was there would have been told, except for what came and went.
// The same holds for a server that was down meanwhile.
func TestWatchLoss(t *testing.T) {
	k := startKube(t)
	k.namespace(t, "ml")
	line := newCable(t, k.addr)
	kubeconfig := k.config(t, line.Addr().String(), "root")
	k.pod(t, "stays", "gpu-01", "1", nil, running)
	k.pod(t, "goes", "gpu-01", "1", nil, running)
	dir := t.TempDir()
	c := startServerAt(t, dir, "", "127.0.0.1:0", "127.0.0.1:0", watching(kubeconfig))
	pods := func(names ...string) func() bool {
		return func() bool {
			got := c.query(`last_over_time(kube_pod_info[5s])`) // after a restart, what ended meanwhile has no mark of it
			all := fmt.Sprint(got)
			for _, name := range names {
				if !strings.Contains(all, "pod:"+name+" ") {
					return false
				}
			}
			return len(got) == len(names)
		}
	}
	c.within(t, "two pods", patience, pods("stays", "goes"))

	line.pull()
	c.find(t, `(API server https://\S+ fails)`)
	c.within(t, "the API server that is away", patience, func() bool { return len(c.query(`vedette_source_up{source="kube"} == 0`)) == 1 })
	k.remove(t, "goes")
	k.pod(t, "comes", "gpu-01", "1", nil, running)
	k.server.stop(t)
	k.boot(t)
	line.plug()
	c.within(t, "the pods of now", patience, pods("stays", "comes"))
	c.find(t, `(API server https://\S+ is well again)`)
	if n := strings.Count(c.output(), " fails"); n > 2 {
		t.Errorf("an API server that is away is told %d times:\n%s", n, c.output())
	}

	c.stop(t)
	k.remove(t, "comes")
	k.pod(t, "returns", "gpu-01", "1", nil, running)
	c = startServerAt(t, dir, "", "127.0.0.1:0", "127.0.0.1:0", watching(kubeconfig))
	c.within(t, "the pods after a restart", patience, pods("stays", "returns"))
	c.stop(t)

	past, err := history.Open(filepath.Join(dir, "data"))
	if err != nil {
		t.Fatal(err)
	}
	defer past.Close()
	rs, err := past.Select(t.Context(), history.Want{Kind: history.KubeObject, Limit: 100_000})
	if err != nil {
		t.Fatal(err)
	}
	verbs := map[string]string{}
	for _, r := range rs {
		if r.Subject.Kind == "pod" {
			verbs[r.Subject.Name] += " " + r.Attrs[history.AttrVerb]
		}
	}
	for name, want := range map[string]string{"goes": "DELETED", "comes": "DELETED", "stays": "", "returns": ""} {
		if got := verbs[name]; strings.HasSuffix(got, " DELETED") != (want == "DELETED") || strings.Count(got, "ADDED")+strings.Count(got, "MODIFIED") == 0 {
			t.Errorf("of pod %s is told%s", name, got)
		}
		if n := strings.Count(verbs[name], " "); n > 4 {
			t.Errorf("pod %s is told %d times:%s", name, n, verbs[name])
		}
	}
}

func (k *kube) remove(t *testing.T, pod string) {
	t.Helper()
	now := int64(0)
	if err := k.CoreV1().Pods("ml").Delete(t.Context(), pod, metav1.DeleteOptions{GracePeriodSeconds: &now}); err != nil {
		t.Fatal(err)
	}
}

// TestManyNodes: a cluster of 5,000 nodes.
func TestManyNodes(t *testing.T) {
	const nodes = 5000
	k := startKube(t)
	g, ctx := errgroup.WithContext(t.Context())
	g.SetLimit(16)
	for i := range nodes {
		g.Go(func() error { return k.node(ctx, fmt.Sprintf("gpu-%04d", i)) })
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	c := startServerAt(t, t.TempDir(), "", "127.0.0.1:0", "127.0.0.1:0",
		fmt.Sprintf("kubernetes: {kubeconfig: %q, period: 5s}\n", k.config(t, k.addr, "root")))
	began := time.Now()
	total := fmt.Sprintf(`sum(kube_node_status_allocatable{resource="nvidia_com_gpu"}) == %d`, 8*nodes)
	c.within(t, "the GPUs of all nodes", patience, func() bool { return len(c.query(total)) == 1 })
	took := time.Since(began)
	if err := k.CoreV1().Nodes().Delete(t.Context(), "gpu-2500", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	c.within(t, "a node less", patience, func() bool { return len(c.query(fmt.Sprintf(`count(kube_node_info) == %d`, nodes-1))) == 1 })
	t.Logf("%d nodes: %v series after %s, %s resident", nodes, c.query(`count({__name__=~"kube_.*"})`), took.Round(100*time.Millisecond), c.memory(t))
}

// memory is what the process holds, as the kernel tells it.
func (p *process) memory(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(data), "VmRSS:")
	line, _, _ := strings.Cut(after, "\n")
	return strings.TrimSpace(line)
}

func quantity(s string) resource.Quantity { return resource.MustParse(s) }

func replicaSet(name string) *appsv1.ReplicaSet {
	labels := map[string]string{"app": name}
	s := &appsv1.ReplicaSet{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "ml"}}
	s.Spec.Selector = &metav1.LabelSelector{MatchLabels: labels}
	s.Spec.Template.Labels = labels
	s.Spec.Template.Spec.Containers = []corev1.Container{{Name: "main", Image: "registry.example/api:1"}}
	return s
}
