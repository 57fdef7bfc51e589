package topology

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"vedette.dev/analyzer"
	"vedette.dev/analyzer/snapshot"
)

func graph(t *testing.T) *Graph {
	t.Helper()
	a, err := txtar.ParseFile("testdata/rack.txtar")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := txtar.Write(a, dir); err != nil {
		t.Fatal(err)
	}
	s, err := snapshot.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Unseen) > 0 || len(s.Problems()) > 0 {
		t.Fatalf("testdata does not parse: %v %v", s.Unseen, s.Problems())
	}
	return New(s)
}

func TestNormalPCI(t *testing.T) {
	tests := []struct{ in, want string }{
		{"0000:4e:00", "0000:4e:00"},
		{"00000000:4E:00.0", "0000:4e:00"},
		{"PCI:0000:4e:00", "0000:4e:00"},
		{"4E:00.0", "0000:4e:00"},
		{"00010000:03:00.0", "10000:03:00"},
		{"0009:01:00", "0009:01:00"},
		{"", ""},
		{"gpu0", ""},
		{"0000::00", ""},
	}
	for _, tt := range tests {
		if got := NormalPCI(tt.in); got != tt.want {
			t.Errorf("NormalPCI(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
}

func TestGraph(t *testing.T) {
	g := graph(t)
	job := analyzer.Subject{Kind: "job", Namespace: "ml", Name: "train"}
	web := analyzer.Subject{Kind: "deployment", Namespace: "web", Name: "chat"}
	a, b, c := analyzer.Pod("ml", "train-0"), analyzer.Pod("ml", "train-1"), analyzer.Pod("web", "chat-5d-x")
	gpu := analyzer.GPU("n1", "GPU-a")

	if got := g.Workload(c); got != web {
		t.Errorf("workload of %v is %v, want %v", c, got, web)
	}
	if d := cmp.Diff([]analyzer.Subject{a, b}, g.Pods(job)); d != "" {
		t.Errorf("pods of the job (-want +got):\n%s", d)
	}
	for _, id := range []string{"0000:4e:00", "00000000:4E:00.0"} {
		if got, ok := g.GPUByPCI("n1", id); !ok || got != gpu {
			t.Errorf("GPU at %s of n1 is %v, want %v", id, got, gpu)
		}
	}
	if got, ok := g.GPUByPCI("n2", "0000:4e:00"); ok {
		t.Errorf("GPU at 0000:4e:00 of n2 is %v, want none", got)
	}
	if got := g.NodeOf(a); got != "n1" {
		t.Errorf("node of %v is %q, want n1", a, got)
	}

	tests := []struct {
		ss   []analyzer.Subject
		want string
	}{
		{[]analyzer.Subject{a, b}, "job/ml/train"},
		{[]analyzer.Subject{a, c}, "node/n1"},
		{[]analyzer.Subject{gpu, analyzer.GPU("n1", "GPU-b")}, "node/n1"},
		{[]analyzer.Subject{b, c}, ""},
		{[]analyzer.Subject{gpu}, "gpu/n1/GPU-a"},
	}
	for _, tt := range tests {
		if got, _ := g.Common(tt.ss...); got.String() != tt.want {
			t.Errorf("Common(%v) = %v, want %q", tt.ss, got, tt.want)
		}
	}
}

func TestHolderAt(t *testing.T) {
	g := graph(t)
	gpu := analyzer.GPU("n1", "GPU-a")
	at := func(clock string) time.Time {
		d, err := time.Parse(time.TimeOnly, clock)
		if err != nil {
			t.Fatal(err)
		}
		return time.Date(2026, 3, 1, d.Hour(), d.Minute(), d.Second(), 0, time.UTC)
	}
	tests := []struct {
		t    time.Time
		want string
	}{
		{at("09:02:00"), "old"},
		{at("09:30:00"), "train-0"},
		{at("09:44:00"), "train-0"}, // its last sample is from 09:40
		{at("09:50:00"), ""},
	}
	for _, tt := range tests {
		got := ""
		for _, h := range g.HolderAt(gpu, tt.t) {
			got += h.Pod.Name
		}
		if got != tt.want {
			t.Errorf("at %v held by %q, want %q", tt.t, got, tt.want)
		}
	}
}

// A GPU that several pods share is held by each of them.
func TestSharedGPU(t *testing.T) {
	var pods []string
	for _, h := range graph(t).Holders(analyzer.GPU("n1", "GPU-b")) {
		pods = append(pods, h.Pod.String())
	}
	slices.Sort(pods)
	if diff := cmp.Diff([]string{"pod/ml/notebook", "pod/web/chat-5d-x"}, pods); diff != "" {
		t.Errorf("holders (-want +got):\n%s", diff)
	}
}
