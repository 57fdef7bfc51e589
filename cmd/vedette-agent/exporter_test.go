package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"math"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/rogpeppe/go-internal/txtar"
	"google.golang.org/grpc"
	podresources "k8s.io/kubelet/pkg/apis/podresources/v1"

	"vedette.dev/fixtures/dcgmstub"
	"vedette.dev/rules/strictcsv"
)

// A difference is a row of testdata/exporter/differences.csv.
type difference struct {
	recording, metric, label, theirs, ours string
}

func differences(t *testing.T) (ds []difference) {
	t.Helper()
	const file = "testdata/exporter/differences.csv"
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	err = strictcsv.Each(file, f, "recording,metric,label,theirs,ours,why", func(rec []string) error {
		if rec[5] == "" {
			return fmt.Errorf("%s: no why", rec[2])
		}
		ds = append(ds, difference{rec[0], rec[1], rec[2], rec[3], rec[4]})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return ds
}

// pods is a kubelet that says that so many pods share each of two GPUs.
type pods struct {
	podresources.UnimplementedPodResourcesListerServer
	answer podresources.ListPodResourcesResponse
}

// List implements the kubelet's PodResources API.
func (p *pods) List(context.Context, *podresources.ListPodResourcesRequest) (*podresources.ListPodResourcesResponse, error) {
	return &p.answer, nil
}

func servePods(t *testing.T, socket string, n int) {
	t.Helper()
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	p := &pods{}
	for gpu := range 2 {
		for k := range n {
			id := dcgmstub.UUID(gpu)
			if n > 1 {
				id = fmt.Sprintf("%s::%d", id, k)
			}
			p.answer.PodResources = append(p.answer.PodResources, &podresources.PodResources{Name: fmt.Sprintf("train-%d-%d", gpu, k), Namespace: "ml",
				Containers: []*podresources.ContainerResources{{Name: "main", Devices: []*podresources.ContainerDevices{{ResourceName: "nvidia.com/gpu", DeviceIds: []string{id}}}}}})
		}
	}
	s := grpc.NewServer()
	podresources.RegisterPodResourcesListerServer(s, p)
	go s.Serve(l)
	t.Cleanup(s.Stop)
}

// TestSameAsExporter compares the agent's page with those that NVIDIA's
// dcgm-exporter served for the same GPUs, counters and pods: metrics, types,
// help texts, labels and values. Each difference is a row of differences.csv,
// and each row is a difference.
func TestSameAsExporter(t *testing.T) {
	ar, err := txtar.ParseFile("testdata/exporter/pages.txtar")
	if err != nil {
		t.Fatal(err)
	}
	ds := differences(t)
	seen := map[int]bool{}
	for _, f := range ar.Files {
		recording, _, _ := strings.Cut(f.Name, " ")
		t.Run(recording, func(t *testing.T) {
			theirs := parsePage(t, f.Data)
			holders := map[string]int{"pods": 1, "shared": 3, "shared-virtual": 3}[recording]
			ours := parsePage(t, ourPage(t, holders))
			maps.DeleteFunc(ours, func(name string, _ *dto.MetricFamily) bool { return !strings.HasPrefix(name, "DCGM_FI_") })
			if got, want := slices.Sorted(maps.Keys(ours)), slices.Sorted(maps.Keys(theirs)); !slices.Equal(got, want) {
				t.Fatalf("metrics %v, want %v", got, want)
			}
			for name, family := range theirs {
				if got := ours[name]; got.GetType() != family.GetType() || got.GetHelp() != family.GetHelp() {
					t.Errorf("%s: %v %q, want %v %q", name, got.GetType(), got.GetHelp(), family.GetType(), family.GetHelp())
				}
				compare(t, recording, ours[name], family, ds, seen)
			}
		})
	}
	for i, d := range ds {
		if !seen[i] {
			t.Errorf("differences.csv: %s of %s in %s is no difference", d.label, d.metric, d.recording)
		}
	}
}

// Whoever changes over finds every flag of dcgm-exporter in the table.
func TestEveryFlagIsTold(t *testing.T) {
	flags, err := os.ReadFile("testdata/exporter/flags.txt")
	if err != nil {
		t.Fatal(err)
	}
	guide, err := os.ReadFile("../../deploy/from-dcgm-exporter.md")
	if err != nil {
		t.Fatal(err)
	}
	for flag := range strings.FieldsSeq(string(flags)) {
		if !strings.HasPrefix(flag, "--") || strings.HasPrefix(flag, "--help") {
			continue // of the comment
		}
		if !strings.Contains(string(guide), flag+"`") && !strings.Contains(string(guide), flag+" ") {
			t.Errorf("deploy/from-dcgm-exporter.md does not say what becomes of %s", flag)
		}
	}
}

// compare compares the series of a metric, by the GPU that they are of.
func compare(t *testing.T, recording string, ours, theirs *dto.MetricFamily, ds []difference, seen map[int]bool) {
	t.Helper()
	of := map[string]*dto.Metric{}
	for _, m := range ours.Metric {
		of[labelsOf(m)["UUID"]] = m
	}
	for _, m := range theirs.Metric {
		want := labelsOf(m)
		mine := of[want["UUID"]]
		if mine == nil {
			t.Errorf("%s: no series of %s", theirs.GetName(), want["UUID"])
			continue
		}
		got := labelsOf(mine)
		names := maps.Clone(want)
		maps.Copy(names, got)
		for name := range names {
			if got[name] != want[name] && !explained(recording, theirs.GetName(), name, want[name], got[name], ds, seen) {
				t.Errorf("%s: %s of %s is %q, want %q", theirs.GetName(), name, want["UUID"], got[name], want[name])
			}
		}
		// dcgm-exporter writes fractions with six digits.
		if g, w := valueOf(mine), valueOf(m); math.Abs(g-w) > 5e-7 &&
			!explained(recording, theirs.GetName(), "value", fmt.Sprint(w), fmt.Sprint(g), ds, seen) {
			t.Errorf("%s of %s is %v, want %v", theirs.GetName(), want["UUID"], g, w)
		}
	}
	if n := len(of); n != len(ours.Metric) {
		t.Errorf("%s: %d series of %d GPUs", theirs.GetName(), len(ours.Metric), n)
	}
}

// explained reports whether a row says why theirs is not ours, and notes that it does.
func explained(recording, metric, label, theirs, ours string, ds []difference, seen map[int]bool) bool {
	matches := func(pattern, s string) bool { return pattern == "*" || pattern == s }
	i := slices.IndexFunc(ds, func(d difference) bool {
		return matches(d.recording, recording) && matches(d.metric, metric) && d.label == label && matches(d.theirs, theirs) && matches(d.ours, ours)
	})
	if i >= 0 {
		seen[i] = true
	}
	return i >= 0
}

func labelsOf(m *dto.Metric) map[string]string {
	labels := map[string]string{}
	for _, l := range m.Label {
		labels[l.GetName()] = l.GetValue()
	}
	return labels
}

func valueOf(m *dto.Metric) float64 { return m.GetGauge().GetValue() + m.GetCounter().GetValue() }

func parsePage(t *testing.T, text []byte) map[string]*dto.MetricFamily {
	t.Helper()
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(text))
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return families
}

// freeAddress is one that nobody listens at.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// ourPage is the agent's page for the GPUs and counters of the recordings,
// each held by so many pods.
func ourPage(t *testing.T, holders int) []byte {
	t.Helper()
	dir, err := os.MkdirTemp("", "page") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	_, _, env := standIn(t, 2)
	script, err := filepath.Abs("testdata/exporter/script")
	if err != nil {
		t.Fatal(err)
	}
	env = append(env, dcgmstub.Env+"="+script)
	socket := "off"
	if holders > 0 {
		socket = filepath.Join(dir, "kubelet.sock")
		servePods(t, socket, holders)
	}
	address := freeAddress(t)
	agent := start(t, env, "--listen", address, "--node", "gpu-node-1", "--period", "100ms", "--host", "off", "--kmsg", "", "--dcgm", "embedded",
		"-f", "testdata/exporter/default-counters.csv", "--hostname-label", "hostname", "--kubelet", socket)
	defer agent.end(t)
	for limit := time.After(30 * time.Second); ; {
		if res, err := http.Get("http://" + address + "/metrics"); err == nil {
			text, err := io.ReadAll(res.Body)
			res.Body.Close()
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Contains(text, []byte("DCGM_FI_")) {
				return text
			}
		}
		select {
		case <-limit:
			t.Fatal("the agent serves no readings")
		case <-time.After(20 * time.Millisecond):
		}
	}
}
