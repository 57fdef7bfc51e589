package host

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"vedette.dev/collector"
	"vedette.dev/rules/catalog"
)

var update = flag.Bool("update", false, "write the wanted part of testdata anew")

const nodeFile = "testdata/node.txtar"

// node lays out the node of the test data and returns a source that reads it.
func node(t *testing.T) (*Source, *txtar.Archive) {
	t.Helper()
	a, err := txtar.ParseFile(nodeFile)
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
	return &Source{Node: "gpu-node-1", Proc: filepath.Join(dir, "proc"), Sys: filepath.Join(dir, "sys"),
		Now: func() time.Time { return time.UnixMilli(1763800100500) },
		Statfs: func(path string) (Space, error) {
			if path == "/locked" {
				return Space{}, syscall.EACCES
			}
			return Space{Size: 4096, Free: 2048, Avail: 1024, Files: 100, FilesFree: 90}, nil
		}}, a
}

func lines(ps []collector.Point) []string {
	var ls []string
	for _, p := range ps {
		kind := "gauge"
		if p.Counter {
			kind = "counter"
		}
		var labels []string
		for _, a := range p.Attrs {
			labels = append(labels, fmt.Sprintf("%s=%q", a.Key, a.Value))
		}
		ls = append(ls, fmt.Sprintf("%s %s{%s} %v", kind, p.Metric, strings.Join(labels, ","), p.Value))
	}
	slices.Sort(ls)
	return ls
}

func TestNode(t *testing.T) {
	s, a := node(t)
	b, err := s.Collect(t.Context())
	if err != nil {
		t.Error(err)
	}
	for _, p := range b.Points {
		if !p.At.Equal(time.UnixMilli(1763800100500)) {
			t.Errorf("%s is of %v", p.Metric, p.At)
		}
	}
	got := strings.ReplaceAll(strings.Join(lines(b.Points), "\n")+"\n", machine(), "MACHINE")
	want := &a.Files[len(a.Files)-1]
	if *update {
		want.Data = []byte(got)
		if err := os.WriteFile(nodeFile, txtar.Format(a), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(string(want.Data), got); diff != "" {
		t.Errorf("points (-want +got):\n%s", diff)
	}
}

// Every part that cannot be read is named, and does not keep the others from being read.
func TestParts(t *testing.T) {
	whole, _ := node(t)
	all, err := whole.Collect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		remove, want string
		metrics      []catalog.ID // one of each part that goes
	}{
		{"proc/stat", "read processors: ", []catalog.ID{"node_cpu_seconds_total", "node_boot_time_seconds"}},
		{"proc/loadavg", "read load: ", []catalog.ID{"node_load1"}},
		{"proc/meminfo", "read memory: ", []catalog.ID{"node_memory_MemTotal_bytes"}},
		{"proc/vmstat", "read memory events: ", []catalog.ID{"node_vmstat_oom_kill"}},
		{"proc/diskstats", "read disks: ", []catalog.ID{"node_disk_read_bytes_total"}},
		{"proc/net/dev", "read network: ", []catalog.ID{"node_network_receive_bytes_total"}},
		{"proc/sys/kernel/version", "read kernel: ", []catalog.ID{"node_uname_info"}},
		{"proc/1/mountinfo", "read file systems: ", []catalog.ID{"node_filesystem_size_bytes"}},
		{"proc/pressure", "", []catalog.ID{"node_pressure_io_waiting_seconds_total"}}, // a kernel without it is no error
		{"sys/class/infiniband", "", []catalog.ID{"node_infiniband_state_id"}},        // nor is a node without a fabric
	}
	for _, tt := range tests {
		t.Run(tt.remove, func(t *testing.T) {
			s, _ := node(t)
			if err := os.RemoveAll(filepath.Join(filepath.Dir(s.Proc), tt.remove)); err != nil {
				t.Fatal(err)
			}
			b, err := s.Collect(t.Context())
			if got := fmt.Sprint(err); tt.want == "" && err != nil || !strings.HasPrefix(got, tt.want) && tt.want != "" {
				t.Errorf("error %v, want %q", err, tt.want)
			}
			gone := metrics(all.Points)
			maps.DeleteFunc(gone, func(m catalog.ID, _ bool) bool { return metrics(b.Points)[m] })
			for _, m := range tt.metrics {
				if !gone[m] {
					t.Errorf("%s is still there", m)
				}
			}
			if len(gone) > 12 {
				t.Errorf("%d metrics are gone: %v", len(gone), gone)
			}
		})
	}
}

func metrics(ps []collector.Point) map[catalog.ID]bool {
	m := map[catalog.ID]bool{}
	for _, p := range ps {
		m[p.Metric] = true
	}
	return m
}

// A mount that hangs is given up, and left alone until it has come back.
func TestHungMount(t *testing.T) { synctest.Test(t, testHungMount) }

func testHungMount(t *testing.T) {
	s, _ := node(t)
	plain := s.Statfs
	release, asked := make(chan bool), make(chan bool, 10)
	s.Statfs = func(path string) (Space, error) {
		if path == "/data" {
			asked <- true
			<-release
		}
		return plain(path)
	}
	for range 3 {
		b, err := s.Collect(t.Context())
		if err == nil || !strings.Contains(err.Error(), "/data (nfs4 of filer:/export) does not answer") {
			t.Errorf("error %v, want /data named", err)
		}
		text := strings.Join(lines(b.Points), "\n")
		for _, want := range []string{
			`gauge node_filesystem_size_bytes{instance="gpu-node-1",device="/dev/nvme0n1p1",fstype="ext4",mountpoint="/"} 4096`,
			`gauge node_filesystem_device_error{instance="gpu-node-1",device="filer:/export",fstype="nfs4",mountpoint="/data"} 1`,
		} {
			if !strings.Contains(text, want) {
				t.Errorf("no %s", want)
			}
		}
	}
	if n := len(asked); n != 1 {
		t.Errorf("the hung mount was asked %d times, want once", n)
	}
	close(release)
	synctest.Wait()
	if _, err := s.Collect(t.Context()); err != nil {
		t.Errorf("the mount that came back is still left out: %v", err)
	}
}

// The machine that runs the tests is a node too.
func TestThisMachine(t *testing.T) {
	b, err := (&Source{Node: "here"}).Collect(t.Context())
	if err != nil {
		t.Log(err) // what a sandbox hides is no failure
	}
	for _, m := range []catalog.ID{"node_time_seconds", "node_cpu_seconds_total", "node_memory_MemTotal_bytes", "node_uname_info"} {
		if !metrics(b.Points)[m] {
			t.Errorf("no %s", m)
		}
	}
}

// What the catalog says of a metric is how it is read.
func TestCatalog(t *testing.T) {
	s, _ := node(t)
	b, err := s.Collect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	known := 0
	for _, p := range b.Points {
		m, ok := catalog.Builtin().Metric(p.Metric)
		if !ok {
			continue
		}
		known++
		if (m.Type == catalog.Counter) != p.Counter {
			t.Errorf("%s is a %s in the catalog, counter here: %v", p.Metric, m.Type, p.Counter)
		}
		for _, a := range p.Attrs {
			if !m.Has(a.Key) {
				t.Errorf("%s: the catalog has no label %s", p.Metric, a.Key)
			}
		}
	}
	if known < 50 {
		t.Errorf("the catalog knows only %d of %d points", known, len(b.Points))
	}
}
