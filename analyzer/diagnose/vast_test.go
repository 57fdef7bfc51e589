package diagnose

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"text/template"
	"time"
)

// A vast is a cluster that is made up, of any size, to be written as a
// snapshot; the same size gives the same bytes. Every eighth node has eight
// GPUs. Its objects are those of testdata/vast, as kubectl prints them. What is
// wrong in it:
//
//   - a GPU falls off the bus under a job, and its pods fail
//   - the image of a Deployment does not exist
//   - the pods of a Deployment are killed for their memory
//   - a node stops to answer
//   - a job asks for more GPUs than are free
//   - pods that repel each other are more than there are zones for
type vast struct {
	nodes, placed, workloads int
	rnd                      *rand.Rand
	forms                    *template.Template
	files                    map[string]*bytes.Buffer
}

// A vastPod is what the forms of testdata/vast say of a pod and its owner.
type vastPod struct {
	Namespace, Workload, Name         string
	OwnerVersion, OwnerKind, Owner    string
	Node, State, Phase, Restart       string
	Image, Digest, UID, Message, Zone string
	Version, Kind                     string
	Ready                             any // of a pod whether, of its owner how many
	Revision, GPUs, Replicas          int
	Lost                              bool
	Images, Pressures                 []string
}

var vastStart = time.Date(2026, 3, 1, 11, 0, 0, 0, time.UTC)

// writeVast writes a cluster of so many nodes and pods below dir.
func writeVast(t testing.TB, dir string, nodes, pods int) {
	t.Helper()
	v := &vast{nodes: nodes, rnd: rand.New(rand.NewPCG(1, 2)), files: map[string]*bytes.Buffer{},
		forms: template.Must(template.ParseGlob("testdata/vast/*.tmpl"))}
	v.line("snapshot.json", `{"apiVersion":"vedette.dev/v1","kind":"Snapshot","capturedAt":"2026-03-01T12:00:00Z","cluster":{"name":"vast"}}`)
	v.addNodes()
	v.addIncidents()
	for v.placed < pods {
		v.addWorkload(vastPod{Namespace: fmt.Sprintf("shop-%d", v.workloads%max(2, nodes/5)), Workload: fmt.Sprintf("service-%d", v.workloads), Replicas: 10})
	}
	v.addMetrics()
	if err := v.write(dir); err != nil {
		t.Fatal(err)
	}
}

func (v *vast) write(dir string) error {
	for name, b := range v.files {
		if strings.HasPrefix(name, "objects/") {
			b.WriteString("\n    ],\n    \"kind\": \"List\"\n}\n")
		}
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(name, b.Bytes(), 0o644); err != nil {
			return err
		}
	}
	return nil
}

func (v *vast) file(name string) *bytes.Buffer {
	if v.files[name] == nil {
		v.files[name] = &bytes.Buffer{}
	}
	return v.files[name]
}

func (v *vast) line(file, format string, args ...any) {
	fmt.Fprintf(v.file(file), format+"\n", args...)
}

// object adds what the form of the resource makes of x.
func (v *vast) object(form, resource string, x vastPod) {
	b := v.file("objects/" + resource + ".json")
	if b.Len() == 0 {
		b.WriteString("{\n    \"apiVersion\": \"v1\",\n    \"items\": [\n")
	} else {
		b.WriteString(",\n")
	}
	if err := v.forms.ExecuteTemplate(b, form+".json.tmpl", x); err != nil {
		panic(err)
	}
	b.Truncate(len(bytes.TrimRight(b.Bytes(), "\n")))
}

func (v *vast) digest() string {
	return fmt.Sprintf("%016x%016x%016x%016x", v.rnd.Uint64(), v.rnd.Uint64(), v.rnd.Uint64(), v.rnd.Uint64())
}

func (v *vast) uid() string {
	return fmt.Sprintf("%08x-%04x-4aaa-9bbb-%012x", v.rnd.Uint32(), v.rnd.Uint32()%(1<<16), v.rnd.Uint64()%(1<<48))
}

func vastNode(i int) string { return fmt.Sprintf("ip-10-0-%d-%d.ec2.internal", i/256, i%256) }

func hasGPUs(i int) bool { return i%8 == 7 }

func (v *vast) addNodes() {
	for i := range v.nodes {
		n := vastPod{Name: vastNode(i), UID: v.uid(), Zone: string(rune('a' + i%3)), Lost: i == v.nodes/2, Pressures: []string{"Memory", "Disk", "PID"}}
		if hasGPUs(i) {
			n.GPUs, n.Ready = 8, 8
		}
		if i == 7 {
			n.Ready = 7 // of which it lost one
		}
		for range 20 {
			n.Images = append(n.Images, v.digest())
		}
		v.object("nodes", "nodes", n)
		for j := range 100 { // what kernels say on a quiet day
			at := vastStart.Add(time.Duration(j) * 30 * time.Second).Format(time.RFC3339Nano)
			v.line("nodes/"+n.Name+"/kmsg.log", "%s [%5d.%06d] %s", at, 4000+30*j, v.rnd.IntN(1e6), kernelTalk[v.rnd.IntN(len(kernelTalk))])
		}
	}
	v.line("nodes/"+vastNode(7)+"/kmsg.log", "2026-03-01T11:40:00Z NVRM: Xid (PCI:0000:10:00): 79, pid='<unknown>', name=<unknown>, GPU has fallen off the bus.")
}

var kernelTalk = []string{
	"eth0: renamed from tmp2f3a1",
	"IPv6: ADDRCONF(NETDEV_CHANGE): eni4f5a7c11b: link becomes ready",
	"cni0: port 17(veth51a3f0c2) entered forwarding state",
	"audit: type=1400 audit(1772359140.250:41): apparmor=\"STATUS\" operation=\"profile_replace\" name=\"cri-containerd.apparmor.d\" pid=4711",
	"overlayfs: upperdir is in-use as upperdir/workdir of another mount, accessing files from both mounts will result in undefined behavior.",
	"systemd[1]: Started cri-containerd-7f3c9b.scope - libcontainer container 7f3c9b.",
	"nvidia-nvlink: Nvlink Core is being initialized, major device number 237",
}

// addIncidents adds the workloads of which something is wrong, and the agents
// of every node.
func (v *vast) addIncidents() {
	for _, agent := range []string{"kube-proxy", "aws-node", "log-shipper", "ebs-csi-node"} {
		v.addWorkload(vastPod{Namespace: "kube-system", Workload: agent, OwnerKind: "DaemonSet", Replicas: v.nodes})
	}
	v.addWorkload(vastPod{Namespace: "shop-0", Workload: "newest", State: "imageless", Replicas: 10})
	v.addWorkload(vastPod{Namespace: "shop-1", Workload: "greedy", State: "killed", Replicas: 10})
	v.addWorkload(vastPod{Namespace: "shop-0", Workload: "aloof", State: "repelled", Replicas: max(2, v.nodes/10)})
	v.addWorkload(vastPod{Namespace: "ml", Workload: "pretrain", OwnerKind: "Job", State: "failed", GPUs: 8, Replicas: 8})
	for i := range (v.nodes - 1) / 64 {
		v.addWorkload(vastPod{Namespace: "ml", Workload: fmt.Sprintf("tune-%d", i), OwnerKind: "Job", GPUs: 8, Replicas: 8})
	}
	v.addWorkload(vastPod{Namespace: "ml", Workload: "waiting", OwnerKind: "Job", State: "pending", GPUs: 8, Replicas: max(8, v.nodes/16)})
}

// addWorkload adds the pods of w with their owners, and what events, logs and
// revisions of them there are.
func (v *vast) addWorkload(w vastPod) {
	w.Revision = v.workloads % 10
	v.workloads++
	w.UID, w.Digest = v.uid(), v.digest()
	w.Image = fmt.Sprintf("registry.example/shop/%s:4.%d.2", w.Workload, w.Revision)
	w.Restart, w.OwnerVersion, w.Owner, w.Phase = "Always", "apps/v1", w.Workload, "Running"
	ready := w.Replicas
	switch w.State {
	case "imageless", "killed", "failed", "pending":
		ready = 0
	}
	o := w
	o.Ready, o.Name, o.Version, o.Owner = ready, w.Workload, "apps/v1", ""
	switch w.OwnerKind {
	case "":
		o.Kind = "Deployment"
		v.object("controllers", "deployments.apps", o)
		w.OwnerKind, w.Owner = "ReplicaSet", w.Workload+"-7c9f6d8b5"
		o.Kind, o.Name, o.Owner = "ReplicaSet", w.Owner, w.Workload
		v.object("controllers", "replicasets.apps", o)
		v.object("services", "services", o)
		if v.workloads%10 == 0 {
			o.Namespace = fmt.Sprintf("shop-%d", v.workloads/10)
			v.object("resourcequotas", "resourcequotas", o)
		}
	case "Job":
		w.Restart, w.OwnerVersion, o.Version, o.Kind = "Never", "batch/v1", "batch/v1", "Job"
		v.object("controllers", "jobs.batch", o)
	default:
		o.Kind = w.OwnerKind
		v.object("controllers", strings.ToLower(w.OwnerKind)+"s.apps", o)
	}
	for i := range w.Replicas {
		v.addPod(w, i)
	}
}

func (v *vast) addPod(w vastPod, i int) {
	w.Name, w.UID, w.Digest = fmt.Sprintf("%s-%05x", w.Owner, i), v.uid(), v.digest()
	node := v.placed % v.nodes
	switch {
	case w.OwnerKind == "DaemonSet":
		node = i
	case w.GPUs > 0:
		node = 7 + 8*((v.gpuPods()+i)%max(1, v.nodes/8))
	case hasGPUs(node):
		node-- // services keep off machines with GPUs
	}
	v.placed++
	w.Node = vastNode(node)
	at := vastStart.Add(time.Duration(v.rnd.IntN(3500)) * time.Second).Format(time.RFC3339)
	w.Ready = node != v.nodes/2
	switch {
	case w.State == "pending":
		w.Node, w.Phase, w.Ready, w.Message = "", "Pending", false, "8 Insufficient nvidia.com/gpu."
		v.event(w, at, "Warning", "FailedScheduling", "0/%d nodes are available: %d Insufficient nvidia.com/gpu.", v.nodes, v.nodes)
	case w.State == "repelled" && i > 2:
		w.Node, w.Phase, w.Ready, w.Message = "", "Pending", false, "1000 node(s) didn't match pod anti-affinity rules."
		v.event(w, at, "Warning", "FailedScheduling", "0/%d nodes are available: %d node(s) didn't match pod anti-affinity rules.", v.nodes, v.nodes)
	case w.State == "imageless":
		w.Phase, w.Ready = "Pending", false
		v.event(w, at, "Warning", "Failed", "Failed to pull image \"%s\": rpc error: code = NotFound desc = failed to pull and unpack image \"%s\": %s: not found", w.Image, w.Image, w.Image)
	case w.State == "killed":
		w.Ready = false
		v.event(w, at, "Warning", "BackOff", "Back-off restarting failed container main in pod %s_%s(%s)", w.Name, w.Namespace, w.UID)
	case w.State == "failed" && i == 0:
		w.Phase, w.Ready = "Failed", false
	case w.State == "failed":
		w.State = ""
	case i == 0 && w.OwnerKind != "DaemonSet":
		v.event(w, at, "Normal", "Pulled", "Container image \"%s\" already present on machine", w.Image)
		v.event(w, at, "Normal", "Created", "Created container: main")
		v.event(w, at, "Normal", "Started", "Started container main")
	case v.rnd.IntN(20) == 0:
		v.event(w, at, "Warning", "Unhealthy", "Readiness probe failed: Get \"http://10.64.3.7:8080/readyz\": context deadline exceeded (Client.Timeout exceeded while awaiting headers)")
	}
	v.object("pods", "pods", w)
	if w.State == "failed" || i == 1 && v.workloads%10 == 0 {
		v.addLog(w)
	}
}

// gpuPods counts the pods with GPUs before this workload; each job has a node for each of its pods.
func (v *vast) gpuPods() int { return 8 * max(0, v.workloads-8) }

func (v *vast) event(w vastPod, at, kind, reason, format string, args ...any) {
	v.line("events.jsonl", `{"apiVersion":"v1","count":2,"eventTime":null,"firstTimestamp":%q,"involvedObject":{"apiVersion":"v1","fieldPath":"spec.containers{main}","kind":"Pod","name":%q,"namespace":%q,"resourceVersion":"98172634","uid":%q},"kind":"Event","lastTimestamp":%q,"message":%q,"metadata":{"creationTimestamp":%q,"name":"%s.18a3f","namespace":%q,"resourceVersion":"98172634","uid":%q},"reason":%q,"reportingComponent":"kubelet","reportingInstance":%q,"source":{"component":"kubelet","host":%q},"type":%q}`,
		at, w.Name, w.Namespace, w.UID, at, fmt.Sprintf(format, args...), at, w.Name, w.Namespace, v.uid(), reason, w.Node, w.Node, kind)
}

func (v *vast) addLog(w vastPod) {
	file := fmt.Sprintf("logs/%s/%s/main.log", w.Namespace, w.Name)
	for i := range 1000 {
		at := vastStart.Add(time.Duration(i) * 3 * time.Second).Format(time.RFC3339Nano)
		v.line(file, "%s %s", at, serviceTalk(v.rnd, i))
	}
	if w.State == "failed" {
		v.line(file, "2026-03-01T11:40:07Z RuntimeError: CUDA error: unspecified launch failure")
	}
}

// serviceTalk makes up a line of a service's log.
func serviceTalk(rnd *rand.Rand, i int) string {
	switch rnd.IntN(8) {
	case 0:
		return fmt.Sprintf(`level=info msg="request done" method=GET path=/api/v1/products/%d status=200 duration=%dms trace_id=%016x`, rnd.IntN(1e5), rnd.IntN(400), rnd.Uint64())
	case 1:
		return fmt.Sprintf(`{"ts":"2026-03-01T11:%02d:%02dZ","level":"warn","caller":"cart/store.go:118","msg":"cache miss, reading from the database","key":"cart:%d","took_ms":%d}`, i/60%60, i%60, rnd.IntN(1e6), rnd.IntN(90))
	case 2:
		return fmt.Sprintf(`2026-03-01 11:%02d:%02d.%03d  INFO 1 --- [nio-8080-exec-%d] o.s.web.servlet.DispatcherServlet        : Completed initialization in %d ms`, i/60%60, i%60, rnd.IntN(1000), rnd.IntN(20), rnd.IntN(9))
	case 3:
		return fmt.Sprintf(`[2026-03-01 11:%02d:%02d] step %d | loss 2.%04d | lr 3.0e-04 | grad norm 0.%03d | tokens/s %d`, i/60%60, i%60, i, rnd.IntN(1e4), rnd.IntN(1000), 40000+rnd.IntN(2000))
	case 4:
		return fmt.Sprintf(`10.64.3.7 - - [01/Mar/2026:11:%02d:%02d +0000] "POST /checkout HTTP/1.1" 200 %d "-" "Mozilla/5.0 (X11; Linux x86_64)" upstream_response_time=0.%03d`, i/60%60, i%60, rnd.IntN(9000), rnd.IntN(1000))
	case 5:
		return fmt.Sprintf(`I0301 11:%02d:%02d.%06d       1 controller.go:231] "Reconciled" controller="orders" namespace="shop" name="order-%d" error="connection to peer was slow"`, i/60%60, i%60, rnd.IntN(1e6), rnd.IntN(1e6))
	case 6:
		return fmt.Sprintf(`DEBUG rpc finished: service=payments.v1.Charges method=Create code=OK peer=10.100.%d.%d:8080 bytes=%d`, rnd.IntN(256), rnd.IntN(256), rnd.IntN(1e5))
	}
	return fmt.Sprintf(`INFO  consumer poll returned %d records in %d ms, lag=%d partition=%d`, rnd.IntN(500), rnd.IntN(50), rnd.IntN(1000), rnd.IntN(64))
}

// vastMetrics are the fields whose series a snapshot of the running system has.
var vastMetrics = []struct {
	name        string
	from, swing float64
}{
	{"DCGM_FI_DEV_GPU_TEMP", 55, 8}, {"DCGM_FI_DEV_SM_CLOCK", 1900, 80}, {"DCGM_FI_DEV_GPU_UTIL", 92, 8}, {"DCGM_FI_PROF_GR_ENGINE_ACTIVE", 0.9, 0.1},
	{"DCGM_FI_DEV_CLOCKS_EVENT_REASONS", 0, 0}, {"DCGM_FI_DEV_THERMAL_VIOLATION", 0, 0}, {"DCGM_FI_DEV_POWER_VIOLATION", 0, 0}, {"DCGM_FI_DEV_XID_ERRORS", 0, 0},
	{"DCGM_FI_DEV_ROW_REMAP_FAILURE", 0, 0}, {"DCGM_FI_DEV_ECC_DBE_VOL_TOTAL", 0, 0},
}

// addMetrics adds half an hour of the GPUs, at a minute's step.
func (v *vast) addMetrics() {
	for node := 7; node < v.nodes; node += 8 {
		for gpu := range 8 {
			for _, m := range vastMetrics {
				for i := range 30 {
					at := vastStart.Add(time.Duration(30+i) * time.Minute).Unix()
					if node == 7 && gpu == 0 && i > 9 {
						break // it fell off the bus at 11:40
					}
					v.line("metrics.om", `%s{gpu="%d",UUID="GPU-%08x-0000-4000-8000-%012x",pci_bus_id="00000000:%x0:00.0",device="nvidia%d",modelName="NVIDIA H100 80GB HBM3",Hostname="%s"} %.4g %d`,
						m.name, gpu, node, gpu, gpu+1, gpu, vastNode(node), m.from+m.swing*v.rnd.Float64(), at)
				}
			}
		}
	}
	v.line("metrics.om", "# EOF")
}
