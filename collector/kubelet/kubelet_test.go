package kubelet_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protojson"
	podresources "k8s.io/kubelet/pkg/apis/podresources/v1"

	"vedette.dev/collector"
	"vedette.dev/collector/kubelet"
)

var update = flag.Bool("update", false, "rewrite what testdata wants")

// A fake is a kubelet's PodResources service on a real socket. It is strict:
// it answers List alone, and only on one connection at a time.
type fake struct {
	podresources.UnimplementedPodResourcesListerServer
	socket string

	mu     sync.Mutex
	answer *podresources.ListPodResourcesResponse
	asked  int
	slow   chan struct{} // List waits until it is closed
	peers  map[string]bool
	server *grpc.Server
}

func (f *fake) List(ctx context.Context, _ *podresources.ListPodResourcesRequest) (*podresources.ListPodResourcesResponse, error) {
	f.mu.Lock()
	answer, slow := f.answer, f.slow
	f.asked++
	f.mu.Unlock()
	if slow != nil {
		select {
		case <-slow:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return answer, nil
}

// Accept counts connections.
type counted struct {
	net.Listener
	n *int
}

func (c counted) Accept() (net.Conn, error) {
	conn, err := c.Listener.Accept()
	if err == nil {
		*c.n++
	}
	return conn, err
}

// start serves at the fake's socket and returns how many connections were made
// when it is stopped.
func (f *fake) start(t *testing.T) (stop func() int) {
	t.Helper()
	l, err := net.Listen("unix", f.socket)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	f.server = grpc.NewServer()
	podresources.RegisterPodResourcesListerServer(f.server, f)
	done := make(chan struct{})
	go func() { defer close(done); f.server.Serve(counted{l, &n}) }()
	return sync.OnceValue(func() int { f.server.Stop(); <-done; return n })
}

func newFake(t *testing.T, answer string) *fake {
	t.Helper()
	dir, err := os.MkdirTemp("", "kubelet") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	f := &fake{socket: filepath.Join(dir, "kubelet.sock"), answer: &podresources.ListPodResourcesResponse{}}
	if err := protojson.Unmarshal([]byte(answer), f.answer); err != nil {
		t.Fatal(err)
	}
	return f
}

// node is a source of two GPUs, with a reading, a counter and a gauge of ours each.
func node(err error) collector.Source {
	return collector.SourceFunc(func(context.Context) (collector.Batch, error) {
		var b collector.Batch
		for gpu := range 2 {
			attrs := []collector.Attr{{Key: "Hostname", Value: "n"}, {Key: "device", Value: fmt.Sprint("nvidia", gpu)}, {Key: "gpu", Value: fmt.Sprint(gpu)}, {Key: "UUID", Value: fmt.Sprint("GPU-", gpu)}}
			b.Points = append(b.Points, collector.Point{Metric: "DCGM_FI_DEV_GPU_TEMP", Value: 60, Attrs: attrs}, collector.Point{Metric: "DCGM_FI_DEV_GPU_UTIL", Value: 9, Attrs: attrs},
				collector.Point{Metric: "vedette_gpu_lost", Attrs: attrs[:3]})
		}
		return b, err
	})
}

// cut is node with its second GPU cut into two MIG instances, of which the
// second has two compute instances.
func cut(context.Context) (collector.Batch, error) {
	b, err := node(nil).Collect(context.Background())
	for gi, migs := range map[string][]string{"1": {"MIG-a"}, "2": {"MIG-b", "MIG-c"}} {
		of := []collector.Attr{{Key: "device", Value: "nvidia1"}, {Key: "gpu", Value: "1"}, {Key: "UUID", Value: "GPU-1"}, {Key: "GPU_I_PROFILE", Value: "3g.40gb"}, {Key: "GPU_I_ID", Value: gi}}
		b.Points = append(b.Points, collector.Point{Metric: "DCGM_FI_DEV_FB_USED", Attrs: of})
		for ci, mig := range migs {
			b.Points = append(b.Points, collector.Point{Metric: collector.Instance, Value: 1,
				Attrs: append(slices.Clone(of[1:]), collector.Attr{Key: "GPU_CI_ID", Value: fmt.Sprint(ci)}, collector.Attr{Key: "MIG_UUID", Value: mig})})
		}
	}
	return b, err
}

// text writes points a line each, sorted.
func text(points []collector.Point) string {
	var lines []string
	for _, p := range points {
		m := map[string]string{}
		for _, a := range p.Attrs {
			m[a.Key] = a.Value
		}
		var kvs []string
		for _, k := range slices.Sorted(maps.Keys(m)) {
			if k != "Hostname" {
				kvs = append(kvs, k+"="+m[k])
			}
		}
		lines = append(lines, fmt.Sprintf("%s %s\n", p.Metric, strings.Join(kvs, " ")))
	}
	slices.Sort(lines)
	return strings.Join(lines, "")
}

func pods(t *testing.T, socket string, now func() time.Time) *kubelet.Pods {
	t.Helper()
	p, err := kubelet.New(socket, "n", now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

// look reads s labelled, then the pods themselves, as an agent does.
func look(t *testing.T, p *kubelet.Pods, s collector.Source) (string, error) {
	t.Helper()
	b, _ := p.Label(s).Collect(t.Context())
	own, err := p.Collect(t.Context())
	return text(append(b.Points, own.Points...)), err
}

// TestCases runs testdata/cases.txtar: what the kubelet answers, as JSON, and
// the series that two GPUs then give, of which one is cut where the case says so.
func TestCases(t *testing.T) {
	const file = "testdata/cases.txtar"
	ar, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(ar.Files); i += 2 {
		t.Run(ar.Files[i].Name, func(t *testing.T) {
			f := newFake(t, string(ar.Files[i].Data))
			defer f.start(t)()
			source := node(nil)
			if strings.HasPrefix(ar.Files[i].Name, "cut ") {
				source = collector.SourceFunc(cut)
			}
			got, err := look(t, pods(t, f.socket, time.Now), source)
			if err != nil {
				t.Fatal(err)
			}
			if *update {
				ar.Files[i+1].Data = []byte(got)
				return
			}
			if diff := cmp.Diff(string(ar.Files[i+1].Data), got); diff != "" {
				t.Errorf("series (-want +got):\n%s", diff)
			}
		})
	}
	if *update {
		if err := os.WriteFile(file, txtar.Format(ar), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

const oneHolder = `{"podResources":[{"name":"train-0","namespace":"ml","containers":[{"name":"main","devices":[{"resourceName":"nvidia.com/gpu","deviceIds":["GPU-0"]}]}]}]}`

// askEvery is how often a kubelet is asked at most.
const askEvery = time.Second

// Who looks ten times a second asks the kubelet once, and is told of the pods each time.
func TestAskedOnceASecond(t *testing.T) {
	now := time.Unix(1000, 0)
	f := newFake(t, oneHolder)
	defer f.start(t)()
	p := pods(t, f.socket, func() time.Time { return now })
	for range 25 {
		if got, err := look(t, p, node(nil)); err != nil || !strings.Contains(got, "pod=train-0") {
			t.Fatalf("error %v, series:\n%s", err, got)
		}
		now = now.Add(100 * time.Millisecond)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.asked != 3 {
		t.Errorf("asked %d times in 2.5 s, want 3", f.asked)
	}
}

// Whatever the kubelet does, the readings come; and it is asked over one connection.
func TestFaults(t *testing.T) {
	now := time.Unix(1000, 0)
	f := newFake(t, oneHolder)
	p := pods(t, f.socket, func() time.Time { return now })
	has := func(what string, pod bool, wrong string) {
		t.Helper()
		now = now.Add(askEvery)
		got, err := look(t, p, node(errors.New("GPU 3 is gone")))
		if n := strings.Count(got, "DCGM_FI_"); n != 4 {
			t.Errorf("%s: %d readings, want 4", what, n)
		}
		if strings.Contains(got, "DCGM_FI_DEV_GPU_TEMP UUID=GPU-0 container=main device=nvidia0 gpu=0 namespace=ml pod=train-0") != pod {
			t.Errorf("%s: the pod is there: %v, want %v:\n%s", what, !pod, pod, got)
		}
		if wrong == "" && err != nil || wrong != "" && (err == nil || !strings.Contains(err.Error(), wrong)) {
			t.Errorf("%s: error %v, want %q", what, err, wrong)
		}
	}
	has("nobody listens", false, "list pod resources")

	stop := f.start(t)
	p.Close() // grpc waits before it dials again; a fresh client does not
	p = pods(t, f.socket, func() time.Time { return now })
	for range 5 {
		has("it answers", true, "")
	}
	f.mu.Lock()
	f.slow = make(chan struct{})
	f.mu.Unlock()
	has("it hangs", true, "DeadlineExceeded")
	now = now.Add(3 * time.Minute)
	has("it hangs for long", false, "DeadlineExceeded")
	f.mu.Lock()
	close(f.slow)
	f.slow = nil
	f.mu.Unlock()
	has("it answers again", true, "")

	if n := stop(); n != 1 {
		t.Errorf("%d connections were made, want 1", n)
	}
	has("it is restarting", true, "list pod resources")
	defer f.start(t)()
	for limit := time.After(time.Minute); ; {
		now = now.Add(askEvery)
		if _, err := look(t, p, node(nil)); err == nil {
			break
		}
		select {
		case <-limit:
			t.Fatal("it was restarted, and is not asked any more")
		case <-time.After(10 * time.Millisecond):
		}
	}
	has("it was restarted", true, "")
}

// A node of many containers answers with more than gRPC's usual 4 MiB.
func TestALargeAnswer(t *testing.T) {
	f := newFake(t, oneHolder)
	for i := range 20_000 {
		f.answer.PodResources = append(f.answer.PodResources, &podresources.PodResources{Name: fmt.Sprintf("pod-%d-%s", i, strings.Repeat("x", 150)), Namespace: "crowd",
			Containers: []*podresources.ContainerResources{{Name: strings.Repeat("c", 60)}}})
	}
	defer f.start(t)()
	got, err := look(t, pods(t, f.socket, time.Now), node(nil))
	if err != nil || !strings.Contains(got, "pod=train-0") {
		t.Errorf("error %v, series:\n%s", err, got)
	}
}
