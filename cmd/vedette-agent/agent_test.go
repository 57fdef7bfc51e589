package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"google.golang.org/grpc"
	podresources "k8s.io/kubelet/pkg/apis/podresources/v1"

	"vedette.dev/fixtures/dcgmstub"
)

// The tests run the agent as a process of its own: this program, told so by
// the environment. Whether there is a DCGM library is decided for a whole process.
const asAgent = "VEDETTE_AGENT_TEST_RUN"

func TestMain(m *testing.M) {
	if os.Getenv(asAgent) != "" {
		main()
	}
	os.Exit(m.Run())
}

// A receiver is an OTLP server that keeps what it gets, as lines of text.
type receiver struct {
	address string

	mu      sync.Mutex
	lines   map[string]float64 // series and its newest value
	logs    []string
	from    string // the resource of the newest push
	pushes  int
	changed chan struct{} // closed when something came
}

type metricService struct {
	pmetricotlp.UnimplementedGRPCServer
	*receiver
}

type logService struct {
	plogotlp.UnimplementedGRPCServer
	*receiver
}

func listen(t *testing.T) *receiver {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &receiver{address: l.Addr().String(), lines: map[string]float64{}, changed: make(chan struct{})}
	s := grpc.NewServer()
	pmetricotlp.RegisterGRPCServer(s, &metricService{receiver: r})
	plogotlp.RegisterGRPCServer(s, &logService{receiver: r})
	go s.Serve(l)
	t.Cleanup(s.Stop)
	return r
}

func (r *receiver) note(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f()
	close(r.changed)
	r.changed = make(chan struct{})
}

// Export implements [pmetricotlp.GRPCServer].
func (s *metricService) Export(_ context.Context, in pmetricotlp.ExportRequest) (pmetricotlp.ExportResponse, error) {
	s.note(func() {
		s.pushes++
		for _, rm := range in.Metrics().ResourceMetrics().All() {
			s.from = labels(rm.Resource().Attributes())
			for _, sm := range rm.ScopeMetrics().All() {
				for _, m := range sm.Metrics().All() {
					var points pmetric.NumberDataPointSlice
					switch m.Type() {
					case pmetric.MetricTypeSum:
						points = m.Sum().DataPoints()
					case pmetric.MetricTypeGauge:
						points = m.Gauge().DataPoints()
					}
					for _, p := range points.All() {
						s.lines[m.Name()+labels(p.Attributes())] = p.DoubleValue()
					}
				}
			}
		}
	})
	return pmetricotlp.NewExportResponse(), nil
}

// Export implements [plogotlp.GRPCServer].
func (s *logService) Export(_ context.Context, in plogotlp.ExportRequest) (plogotlp.ExportResponse, error) {
	s.note(func() {
		for _, rl := range in.Logs().ResourceLogs().All() {
			for _, sl := range rl.ScopeLogs().All() {
				for _, l := range sl.LogRecords().All() {
					s.logs = append(s.logs, l.EventName()+" "+l.Timestamp().AsTime().Format(time.RFC3339Nano)+" "+l.Body().AsString()+" "+labels(l.Attributes()))
				}
			}
		}
	})
	return plogotlp.NewExportResponse(), nil
}

func labels(m pcommon.Map) string {
	var kvs []string
	for k, v := range m.All() {
		kvs = append(kvs, fmt.Sprintf("%s=%q", k, v.AsString()))
	}
	slices.Sort(kvs)
	return "{" + strings.Join(kvs, ",") + "}"
}

// wait returns when ok holds of what was received.
func (r *receiver) wait(t *testing.T, what string, ok func() bool) {
	t.Helper()
	limit := time.After(30 * time.Second)
	for {
		r.mu.Lock()
		done, changed := ok(), r.changed
		r.mu.Unlock()
		if done {
			return
		}
		select {
		case <-changed:
		case <-limit:
			t.Fatalf("still no %s; logs %v", what, r.logs)
		}
	}
}

// series returns how many series start with prefix, and the value of one of them.
func (r *receiver) series(prefix string) (n int, value float64) {
	for line, v := range r.lines {
		if strings.HasPrefix(line, prefix) {
			n, value = n+1, v
		}
	}
	return n, value
}

// A process is a running agent.
type process struct {
	*exec.Cmd
	output, errors bytes.Buffer // what it printed and logged; read them when the process has ended
}

func start(t *testing.T, env []string, args ...string) *process {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{Cmd: exec.Command(self, args...)}
	p.Env = append(os.Environ(), append(env, asAgent+"=1")...)
	p.Stdout, p.Stderr = &p.output, &p.errors
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Process.Kill() })
	return p
}

// end tells the agent to end and returns what it logged. Its exit status must be 0.
func (p *process) end(t *testing.T) string {
	t.Helper()
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := p.Wait(); err != nil {
		t.Errorf("the agent ended with %v:\n%s", err, p.errors.String())
	}
	return p.errors.String()
}

// nodeRoots lays out the made-up node of collector/host's tests.
func nodeRoots(t *testing.T) (proc, sys string) {
	t.Helper()
	a, err := txtar.ParseFile("../../collector/host/testdata/node.txtar")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, f := range a.Files {
		path := filepath.Join(dir, f.Name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, f.Data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.RemoveAll(filepath.Join(dir, "sys/bus")); err != nil { // no NVIDIA device: whose library is not there is no trouble
		t.Fatal(err)
	}
	return filepath.Join(dir, "proc"), filepath.Join(dir, "sys")
}

// A node without GPUs: its own readings, and in the last push, when the agent
// is told to end, what its kernel logged since the first.
func TestNode(t *testing.T) {
	proc, sys := nodeRoots(t)
	kernel := filepath.Join(t.TempDir(), "kmsg")
	if err := os.WriteFile(kernel, []byte("2,1,1,-;NVRM: Xid (PCI:0000:4e:00): 13, from before the agent\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(sys, "class/dmi/id/sys_vendor"), []byte("Amazon EC2\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	r := listen(t)
	agent := start(t, []string{"OTEL_RESOURCE_ATTRIBUTES=cloud.region=us-east-1"}, "--endpoint", r.address, "--insecure", "--node", "gpu-node-1", "--cluster", "prod", "--period", "1h",
		"--proc-root", proc, "--sys-root", sys, "--kmsg", kernel, "--dcgm", "auto")
	r.wait(t, "first push", func() bool { return r.pushes == 1 })

	f, err := os.OpenFile(kernel, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString("2,2,60000000,-;NVRM: Xid (PCI:0000:4e:00): 79, GPU has fallen off the bus.\n"); err != nil {
		t.Fatal(err)
	}
	logged := agent.end(t)

	r.mu.Lock()
	defer r.mu.Unlock()
	if r.pushes != 2 {
		t.Errorf("%d pushes, want the first and the last", r.pushes)
	}
	const want = `kernel 2025-11-22T08:27:40Z NVRM: Xid (PCI:0000:4e:00): 79, GPU has fallen off the bus. ` +
		`{k8s.node.name="gpu-node-1",nvidia.pci.bus_id="00000000:4E:00.0",nvidia.xid="79",vedette.class="xid"}`
	if len(r.logs) != 1 || r.logs[0] != want {
		t.Errorf("logs %q, want %q", r.logs, want)
	}
	for series, want := range map[string]float64{
		`node_load1{cluster="prod",instance="gpu-node-1"}`:                                                                    1.25,
		`node_cpu_seconds_total{cluster="prod",cpu="1",instance="gpu-node-1",mode="user"}`:                                    2,
		`vedette_source_up{cluster="prod",instance="gpu-node-1",source="dcgm"}`:                                               1,
		`vedette_source_up{cluster="prod",instance="gpu-node-1",source="kmsg"}`:                                               1,
		`vedette_xid_errors_total{Hostname="gpu-node-1",cluster="prod",pci_bus_id="00000000:4E:00.0",xid="79"}`:               1,
		`vedette_agent_events_dropped_total{cluster="prod",instance="gpu-node-1"}`:                                            0,
		`node_infiniband_state_id{cluster="prod",device="mlx5_0",instance="gpu-node-1",port="1"}`:                             4,
		`node_network_receive_bytes_total{cluster="prod",device="eth0",instance="gpu-node-1"}`:                                9000,
		`node_filesystem_readonly{cluster="prod",device="/dev/nvme0n1p1",fstype="ext4",instance="gpu-node-1",mountpoint="/"}`: 0,
	} {
		if got, ok := r.lines[series]; !ok || got != want {
			t.Errorf("%s is %v (%v), want %v", series, got, ok, want)
		}
	}
	const from = `{cloud.platform="aws_ec2",cloud.provider="aws",cloud.region="us-east-1",host.name="gpu-node-1",host.type="p5.48xlarge",` +
		`k8s.cluster.name="prod",k8s.node.name="gpu-node-1",service.name="vedette-agent"}`
	if r.from != from {
		t.Errorf("it comes from %s, want %s", r.from, from)
	}
	if n := strings.Count(logged, "no usable libdcgm.so.4"); n != 1 {
		t.Errorf("the missing library is logged %d times, want once:\n%s", n, logged)
	}
	if !strings.Contains(logged, "msg=ended") {
		t.Errorf("no orderly end:\n%s", logged)
	}
}

// standIn builds the stand-in libdcgm with n GPUs of 60 °C and more. It returns
// their script, what puts a changed script into force, and the environment in
// which an agent finds both.
func standIn(t *testing.T, n int) (script *dcgmstub.Script, write func(), env []string) {
	t.Helper()
	dir := t.TempDir()
	lib, err := dcgmstub.Build(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(lib, filepath.Join(dir, "libdcgm.so.4")); err != nil {
		t.Fatal(err)
	}
	script, path := dcgmstub.NewScript(n), filepath.Join(dir, "script")
	for g := range n {
		script.Set(g, 150, 60+g)
	}
	write = func() {
		t.Helper()
		if err := script.Write(path); err != nil {
			t.Fatal(err)
		}
	}
	write()
	return script, write, []string{"LD_LIBRARY_PATH=" + dir, dcgmstub.Env + "=" + path}
}

// A node of eight GPUs, whose driver is scripted.
func TestGPUNode(t *testing.T) {
	script, write, env := standIn(t, 8)

	proc, sys := nodeRoots(t)
	r := listen(t)
	agent := start(t, env, "--endpoint", r.address, "--insecure", "--node", "gpu-node-1",
		"--period", "1s", "--proc-root", proc, "--sys-root", sys, "--kmsg", "", "--dcgm", "embedded")
	r.wait(t, "temperature of eight GPUs", func() bool { n, _ := r.series("DCGM_FI_DEV_GPU_TEMP{"); return n == 8 })

	script.Set(3, 150, 91)
	script.Xid(3, 79)
	write()
	const gpu3 = `{DCGM_FI_DRIVER_VERSION="570.86.15",Hostname="gpu-node-1",UUID="GPU-7ede77e3-5d1c-4f7a-9c3e-000000000003",device="nvidia3",gpu="3",` +
		`modelName="NVIDIA H100 80GB HBM3",pci_bus_id="00000000:4B:00.0"}`
	r.wait(t, "Xid of GPU 3", func() bool {
		return len(r.logs) > 0 && r.lines["DCGM_FI_DEV_XID_ERRORS"+gpu3] == 79 &&
			r.lines[`vedette_xid_errors_total{Hostname="gpu-node-1",pci_bus_id="00000000:4B:00.0",xid="79"}`] == 1
	})
	script.Lose(3)
	write()
	r.wait(t, "loss of GPU 3", func() bool {
		_, v := r.series(`vedette_gpu_lost{Hostname="gpu-node-1",UUID="GPU-7ede77e3`)
		return v == 1
	})
	logged := agent.end(t)

	r.mu.Lock()
	defer r.mu.Unlock()
	if got := r.lines["DCGM_FI_DEV_GPU_TEMP"+gpu3]; got != 91 {
		t.Errorf("the temperature of GPU 3 is %v, want 91", got)
	}
	if len(r.logs) != 1 || !strings.Contains(r.logs[0], `nvidia.pci.bus_id="00000000:4B:00.0",nvidia.xid="79"`) {
		t.Errorf("logs %v, want the Xid, once", r.logs)
	}
	if strings.Contains(logged, "level=WARN") {
		t.Errorf("the agent complains:\n%s", logged)
	}
}

// A holder is a kubelet that says that one pod holds GPU 0.
type holder struct {
	podresources.UnimplementedPodResourcesListerServer
}

// List implements the kubelet's PodResources API.
func (holder) List(context.Context, *podresources.ListPodResourcesRequest) (*podresources.ListPodResourcesResponse, error) {
	return &podresources.ListPodResourcesResponse{PodResources: []*podresources.PodResources{{Name: "train-0", Namespace: "ml", Containers: []*podresources.ContainerResources{{
		Name: "main", Devices: []*podresources.ContainerDevices{{ResourceName: "nvidia.com/gpu", DeviceIds: []string{"GPU-7ede77e0-5d1c-4f7a-9c3e-000000000000"}}}}}}}}, nil
}

// TestDropIn runs the agent in dcgm-exporter's place: its counter file, its
// page, its labels, and the file changed while it is scraped.
func TestDropIn(t *testing.T) {
	dir, err := os.MkdirTemp("", "drop-in") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	script, put, env := standIn(t, 2)
	for g := range 2 {
		script.Set(g, 203, 90+g)
	}
	put()
	counters := filepath.Join(dir, "counters.csv")
	write := func(text string) {
		t.Helper()
		if err := errors.Join(os.WriteFile(counters+".new", []byte(text), 0o644), os.Rename(counters+".new", counters)); err != nil {
			t.Fatal(err)
		}
	}
	const temperature = "DCGM_FI_DEV_GPU_TEMP, gauge, GPU temperature (in C).\nDCGM_FI_DRIVER_VERSION, label, Driver\n"
	write(temperature)
	socket := filepath.Join(dir, "kubelet.sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	kubelet := grpc.NewServer()
	podresources.RegisterPodResourcesListerServer(kubelet, holder{})
	go kubelet.Serve(l)
	t.Cleanup(kubelet.Stop)

	proc, sys := nodeRoots(t)
	port, err := net.Listen("tcp", "127.0.0.1:0") // one that is free
	if err != nil {
		t.Fatal(err)
	}
	address := port.Addr().String()
	port.Close()
	agent := start(t, env, "--listen", address, "--node", "gpu-node-1", "--period", "1s",
		"--proc-root", proc, "--sys-root", sys, "--kmsg", "", "--dcgm", "embedded", "-f", counters, "--hostname-label", "hostname", "--kubelet", socket)
	scrape := func() string {
		resp, err := http.Get("http://" + address + "/metrics")
		if err != nil {
			return ""
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	until := func(what string, each func(page string), wants ...string) {
		t.Helper()
		limit := time.After(30 * time.Second)
		for {
			page := scrape()
			each(page)
			if !slices.ContainsFunc(wants, func(w string) bool { return !strings.Contains(page, w) }) {
				return
			}
			select {
			case <-limit:
				t.Fatalf("still no %s:\n%s", what, page)
			case <-time.After(50 * time.Millisecond):
			}
		}
	}
	until("readings", func(string) {},
		"# HELP DCGM_FI_DEV_GPU_TEMP GPU temperature (in C).\n# TYPE DCGM_FI_DEV_GPU_TEMP gauge\n",
		`DCGM_FI_DEV_GPU_TEMP{DCGM_FI_DRIVER_VERSION="570.86.15",UUID="GPU-7ede77e0-5d1c-4f7a-9c3e-000000000000",container="main",device="nvidia0",gpu="0",hostname="gpu-node-1",modelName="NVIDIA H100 80GB HBM3",namespace="ml",pci_bus_id="00000000:18:00.0",pod="train-0"} 60`,
		`DCGM_FI_DEV_GPU_TEMP{DCGM_FI_DRIVER_VERSION="570.86.15",UUID="GPU-7ede77e1-5d1c-4f7a-9c3e-000000000001",device="nvidia1",gpu="1",hostname="gpu-node-1",modelName="NVIDIA H100 80GB HBM3",`)
	if page := scrape(); strings.Contains(page, "DCGM_FI_DEV_GPU_UTIL") {
		t.Errorf("what the file does not ask for is there:\n%s", page)
	}

	never := func(page string) {
		t.Helper()
		if n := strings.Count(page, "\nDCGM_FI_DEV_GPU_TEMP{"); n != 2 {
			t.Errorf("a scrape during the change has %d temperatures, want 2", n)
		}
	}
	write(temperature + "DCGM_FI_DEV_GPU_UTIL, gauge, Utilization.\n")
	until("utilization", never, `DCGM_FI_DEV_GPU_UTIL{`, " 91\n")
	write("DCGM_FI_DEV_WARMTH, gauge, h\n")
	looks := map[string]bool{}
	clock := regexp.MustCompile(`(?m)^node_time_seconds\{.*$`)
	for len(looks) < 4 { // by the third the bad file has been seen
		until("look", never, "node_time_seconds{")
		looks[clock.FindString(scrape())] = true
	}
	if logged := agent.end(t); strings.Count(logged, "DCGM_FI_DEV_WARMTH") != 1 {
		t.Errorf("the bad file is told of %d times, want once:\n%s", strings.Count(logged, "DCGM_FI_DEV_WARMTH"), logged)
	}
}

// Without an endpoint there is the page.
func TestListen(t *testing.T) {
	proc, sys := nodeRoots(t)
	l, err := net.Listen("tcp", "127.0.0.1:0") // a port that is free
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	var out, errs bytes.Buffer
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan int)
	go func() {
		done <- run(ctx, []string{"--listen", address, "--node", "n1", "--proc-root", proc, "--sys-root", sys, "--kmsg", "", "--dcgm", "off", "--period", "1h"}, &out, &errs)
	}()
	for { // until it listens and has looked
		res, err := http.Get("http://" + address + "/readyz")
		if err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				break
			}
		}
		select {
		case code := <-done:
			t.Fatalf("run = %d: %s", code, errs.String())
		case <-time.After(5 * time.Millisecond):
		}
	}
	for path, want := range map[string]string{"/metrics": `node_load1{instance="n1"} 1.25`, "/livez": "ok"} {
		res, err := http.Get("http://" + address + path)
		if err != nil {
			t.Fatal(err)
		}
		var body bytes.Buffer
		body.ReadFrom(res.Body)
		res.Body.Close()
		if !strings.Contains(body.String(), want) {
			t.Errorf("%s has no %q", path, want)
		}
	}
	cancel()
	if code := <-done; code != exitDone {
		t.Errorf("run = %d: %s", code, errs.String())
	}
}
