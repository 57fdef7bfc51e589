package dcgm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	godcgm "github.com/NVIDIA/go-dcgm/pkg/dcgm"
	"github.com/google/go-cmp/cmp"

	"vedette.dev/collector"
	"vedette.dev/fixtures/dcgmstub"
	"vedette.dev/rules/catalog"
)

// withoutLibrary is what Open says before the stand-in library is loaded.
var withoutLibrary error

func TestMain(m *testing.M) {
	_, withoutLibrary = Open(Config{})
	dir, err := os.MkdirTemp("", "dcgmstub")
	if err != nil {
		panic(err)
	}
	lib, err := dcgmstub.Build(dir)
	if err == nil {
		err = dcgmstub.Load(lib)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	log.SetOutput(io.Discard) // go-dcgm's
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// A bench is a script, the file it is written to, and a source that reads its GPUs.
type bench struct {
	*dcgmstub.Script
	t    *testing.T
	path string
	*Source
	warned []error
}

func newBench(t *testing.T, gpus int, c Config) *bench {
	t.Helper()
	b := &bench{Script: dcgmstub.NewScript(gpus), t: t, path: filepath.Join(t.TempDir(), "script")}
	for g := range gpus {
		b.Set(g, 150, 40+g) // temperature
	}
	t.Setenv(dcgmstub.Env, b.path)
	b.write()

	c.Node = "gpu-node-1"
	c.Warn = func(err error) { b.warned = append(b.warned, err) }
	if c.Patience == 0 {
		c.Patience = 10 * time.Second // the machine that runs the tests may be slow
	}
	s, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	b.Source = s
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

func (b *bench) write() {
	b.t.Helper()
	if err := b.Write(b.path); err != nil {
		b.t.Fatal(err)
	}
}

// look writes the script and returns what is then read.
func (b *bench) look() collector.Batch {
	b.t.Helper()
	b.write()
	got, err := b.Collect(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	return got
}

// values returns the values of metric by GPU.
func values(b collector.Batch, metric catalog.ID) map[string]float64 {
	m := map[string]float64{}
	for _, p := range b.Points {
		if p.Metric == metric {
			m[attr(p, "gpu")] = p.Value
		}
	}
	return m
}

func attr(p collector.Point, key string) string {
	for _, a := range p.Attrs {
		if a.Key == key {
			return a.Value
		}
	}
	return ""
}

func TestNoLibrary(t *testing.T) {
	if withoutLibrary == nil {
		t.Skip("this machine has a DCGM library")
	}
	if !errors.Is(withoutLibrary, ErrNoLibrary) || !strings.Contains(withoutLibrary.Error(), "libdcgm.so.4") {
		t.Errorf("Open without a library: %v, want %v", withoutLibrary, ErrNoLibrary)
	}
}

func TestReadings(t *testing.T) {
	b := newBench(t, 2, Config{})
	b.Set(0, 155, 651.5)    // power: a float
	b.Set(0, 156, 1<<40)    // energy: a counter
	b.Set(0, 1004, 0.75)    // tensor cores: a profiling field
	b.Set(1, 155, nil)      // blank
	b.Set(0, 57, "0000:18") // as a label it is passed on as it is
	before := time.Now()
	got := b.look()

	type point struct {
		Metric  catalog.ID
		GPU     string
		Counter bool
		Value   float64
	}
	var points []point
	for _, p := range got.Points {
		if p.Metric == Health || p.Metric == Violations {
			continue // of many parts each: see TestHealth, TestPolicies
		}
		points = append(points, point{p.Metric, attr(p, "gpu"), p.Counter, p.Value})
		if p.At.Before(before.Add(-time.Second)) || p.At.After(time.Now()) {
			t.Errorf("%s is of %v, want after %v", p.Metric, p.At, before)
		}
	}
	want := []point{
		{"DCGM_FI_DEV_GPU_TEMP", "0", false, 40},
		{"DCGM_FI_DEV_POWER_USAGE", "0", false, 651.5},
		{"DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION", "0", true, 1 << 40},
		{"DCGM_FI_DEV_XID_ERRORS", "0", false, 0},
		{"DCGM_FI_PROF_PIPE_TENSOR_ACTIVE", "0", false, 0.75},
		{"DCGM_FI_DEV_GPU_TEMP", "1", false, 41},
		{"DCGM_FI_DEV_XID_ERRORS", "1", false, 0},
		{Lost, "0", false, 0},
		{Lost, "1", false, 0},
	}
	if diff := cmp.Diff(want, points); diff != "" {
		t.Errorf("points (-want +got):\n%s", diff)
	}

	labels := []collector.Attr{
		{Key: "Hostname", Value: "gpu-node-1"}, {Key: "device", Value: "nvidia0"}, {Key: "gpu", Value: "0"},
		{Key: "DCGM_FI_DRIVER_VERSION", Value: "570.86.15"}, {Key: "modelName", Value: "NVIDIA H100 80GB HBM3"},
		{Key: "UUID", Value: "GPU-7ede77e0-5d1c-4f7a-9c3e-000000000000"}, {Key: "pci_bus_id", Value: "0000:18"},
	}
	if diff := cmp.Diff(labels, got.Points[0].Attrs); diff != "" {
		t.Errorf("labels (-want +got):\n%s", diff)
	}
	if got.Events != nil || b.warned != nil {
		t.Errorf("events %v, warnings %v, want none", got.Events, b.warned)
	}
}

func TestLostGPU(t *testing.T) {
	b := newBench(t, 8, Config{})
	b.look()
	b.Lose(3) // still listed
	b.Keep(7) // GPU 7 no longer is
	got := b.look()

	temps := values(got, "DCGM_FI_DEV_GPU_TEMP")
	if _, ok := temps["3"]; ok || len(temps) != 6 {
		t.Errorf("temperatures of %v, want those of 0 1 2 4 5 6", temps)
	}
	want := map[string]float64{"0": 0, "1": 0, "2": 0, "3": 1, "4": 0, "5": 0, "6": 0, "7": 1}
	if diff := cmp.Diff(want, values(got, Lost)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", Lost, diff)
	}
	for _, p := range got.Points {
		if p.Metric == Lost && attr(p, "gpu") == "3" && attr(p, "UUID") != "GPU-7ede77e3-5d1c-4f7a-9c3e-000000000003" {
			t.Errorf("the lost GPU's labels are %v, want its UUID", p.Attrs)
		}
	}

	b.Find(3)
	b.Keep(8)
	got = b.look()
	if n := len(values(got, "DCGM_FI_DEV_GPU_TEMP")); n != 8 || values(got, Lost)["3"] != 0 {
		t.Errorf("after both came back: %d temperatures, lost %v", n, values(got, Lost))
	}
}

// A GPU that DCGM still calls fine, and that reads nothing, does not answer.
func TestMuteGPU(t *testing.T) {
	b := newBench(t, 2, Config{})
	b.look()
	b.Set(1, 150, nil)
	want := map[string]float64{"0": 0, "1": 1}
	if diff := cmp.Diff(want, values(b.look(), Lost)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", Lost, diff)
	}
}

func TestStaleReadings(t *testing.T) {
	ahead := time.Duration(0)
	b := newBench(t, 1, Config{Every: time.Second, Now: func() time.Time { return time.Now().Add(ahead) }})
	b.look()
	ahead = time.Minute // what the library reads is now a minute old
	got := b.look()
	if n := len(values(got, "DCGM_FI_DEV_GPU_TEMP")); n != 0 || values(got, Lost)["0"] != 1 {
		t.Errorf("%d temperatures and lost %v, want none and 1", n, values(got, Lost))
	}
}

// An engine that samples ten times a second and is held up for two has lost no GPU.
func TestHeldUp(t *testing.T) {
	ahead := time.Duration(0)
	b := newBench(t, 1, Config{Every: time.Second / 10, Now: func() time.Time { return time.Now().Add(ahead) }})
	b.look()
	ahead = 2 * time.Second
	if got := b.look(); len(values(got, "DCGM_FI_DEV_GPU_TEMP")) != 1 || values(got, Lost)["0"] != 0 {
		t.Errorf("lost %v, want 0, and a temperature", values(got, Lost))
	}
}

func TestNewGPU(t *testing.T) {
	b := newBench(t, 2, Config{})
	b.Keep(1)
	if n := len(values(b.look(), "DCGM_FI_DEV_GPU_TEMP")); n != 1 {
		t.Fatalf("%d temperatures, want 1", n)
	}
	b.Keep(2)
	if n := len(values(b.look(), "DCGM_FI_DEV_GPU_TEMP")); n != 2 {
		t.Errorf("%d temperatures after a GPU was added, want 2", n)
	}
}

func TestXids(t *testing.T) {
	b := newBench(t, 2, Config{})
	b.Xid(1, 31)
	b.look() // opens the engine: what was before is not its business, but this is read after
	b.Xid(1, 79)
	b.Xid(1, 79) // a repeat, which the gauge does not show
	got := b.look()

	var texts []string
	for _, e := range got.Events {
		texts = append(texts, e.Text)
		if e.Kind != collector.KernelLine || e.Attr(collector.AttrXid) != "79" || e.Attr(collector.AttrPCI) != "00000000:29:00.0" ||
			e.Attr(collector.AttrNode) != "gpu-node-1" || time.Since(e.At) > time.Minute {
			t.Errorf("event %+v", e)
		}
	}
	want := slices.Repeat([]string{"NVRM: Xid (PCI:0000:29:00): 79, reported through DCGM"}, 2)
	if diff := cmp.Diff(want, texts); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	if got := values(got, "DCGM_FI_DEV_XID_ERRORS"); got["1"] != 79 || got["0"] != 0 {
		t.Errorf("DCGM_FI_DEV_XID_ERRORS is %v", got)
	}
	if again := b.look().Events; again != nil {
		t.Errorf("told twice: %v", again)
	}
}

func TestNoProfiling(t *testing.T) {
	b := newBench(t, 1, Config{})
	b.Set(0, 1004, 0.5)
	b.Refuse(1004)
	for range 2 {
		got := b.look()
		if len(values(got, "DCGM_FI_DEV_GPU_TEMP")) != 1 || len(values(got, "DCGM_FI_PROF_PIPE_TENSOR_ACTIVE")) != 0 {
			t.Errorf("points %v, want a temperature and no profiling", got.Points)
		}
		b.Keep(0) // then it is watched anew, and refused anew
		b.look()
		b.Keep(1)
	}
	if len(b.warned) != 1 || !strings.Contains(b.warned[0].Error(), "no profiling metrics") {
		t.Errorf("warned of %v, want once of profiling", b.warned)
	}
}

func TestHang(t *testing.T) {
	b := newBench(t, 2, Config{})
	b.look()
	b.conf.Patience = 50 * time.Millisecond
	b.Hang(true)
	b.write()
	for range 2 { // the second finds the first still at it
		got, err := b.Collect(t.Context())
		if err == nil || !strings.Contains(err.Error(), "list the GPUs: no answer after") || len(got.Points) != 0 {
			t.Errorf("of a hung driver: %d points and error %v", len(got.Points), err)
		}
	}
	b.conf.Patience = time.Minute
	b.Hang(false)
	b.Xid(0, 48)
	b.write()
	// The look that hung ends now; until it has, Collect still says so.
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var events []collector.Event
	for {
		got, err := b.Collect(ctx)
		events = append(events, got.Events...)
		if err == nil {
			break
		}
		if ctx.Err() != nil {
			t.Fatal(err)
		}
	}
	if len(events) != 1 || events[0].Attr(collector.AttrXid) != "48" {
		t.Errorf("events after the hang are %v, want the Xid 48", events)
	}
}

func TestStandalone(t *testing.T) {
	b := newBench(t, 1, Config{Address: "127.0.0.1:5555"})
	if n := len(values(b.look(), "DCGM_FI_DEV_GPU_TEMP")); n != 1 {
		t.Errorf("%d temperatures, want 1", n)
	}
}

func TestNoGPU(t *testing.T) {
	b := newBench(t, 0, Config{})
	if _, err := b.Collect(t.Context()); !errors.Is(err, errNoGPU) {
		t.Errorf("error %v, want %v", err, errNoGPU)
	}
}

func TestFields(t *testing.T) {
	seen := map[godcgm.Short]bool{}
	for _, f := range builtinFields() {
		if id, ok := godcgm.GetFieldID(f.name); !ok || id != f.id {
			t.Errorf("go-dcgm knows %s as field %d (%v), fields.csv as %d", f.name, id, ok, f.id)
		}
		if seen[f.id] {
			t.Errorf("field %d is listed twice", f.id)
		}
		seen[f.id] = true
		if f.kind == label {
			continue
		}
		if id, ok := godcgm.GetFieldID(string(f.metric)); !ok || id != f.id {
			t.Errorf("go-dcgm knows %s as field %d (%v), fields.csv as %d", f.metric, id, ok, f.id)
		}
		if m, ok := catalog.Builtin().Metric(f.metric); ok && string(m.Type) != string(f.kind) {
			t.Errorf("%s is a %s here and a %s in the catalog", f.metric, f.kind, m.Type)
		}
		if f.profiling() != (f.id >= 1001 && f.id < 1100) {
			t.Errorf("%s: profiling is %v", f.name, f.profiling())
		}
	}
	// What dcgm-exporter gives by default, dashboards expect.
	for _, id := range []godcgm.Short{1, 100, 101, 140, 150, 155, 156, 202, 203, 204, 206, 207, 230, 251, 252, 253, 449, 526, 393, 394, 395, 1001, 1004, 1005, 1009, 1010} {
		if !seen[id] {
			t.Errorf("field %d of dcgm-exporter's defaults is not read", id)
		}
	}
}

func TestParseFieldsErrors(t *testing.T) {
	const head = "field,dcgm,metric,type,source\n"
	tests := []struct{ name, in, want string }{
		{"columns", "id,name\n", "f.csv:1: "},
		{"id", head + "x,A,B,gauge,s\n", `f.csv:2: field "x" is not an id`},
		{"type", head + "# why\n1,A,B,sum,s\n", `f.csv:3: A: type "sum"`},
		{"source", head + "1,A,B,gauge,\n", "f.csv:2: A: metric and source are required"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := parseFields("f.csv", strings.NewReader(tt.in)); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}

func BenchmarkLook(b *testing.B) {
	path := filepath.Join(b.TempDir(), "script")
	script := dcgmstub.NewScript(8)
	for g := range 8 {
		for _, f := range builtinFields() {
			if f.kind != label {
				script.Set(g, int(f.id), 1)
			}
		}
	}
	b.Setenv(dcgmstub.Env, path)
	if err := script.Write(path); err != nil {
		b.Fatal(err)
	}
	s, err := Open(Config{Node: "n", Patience: time.Minute})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Collect(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(8*len(s.fields)*b.N)/b.Elapsed().Seconds(), "fields/s")
}
