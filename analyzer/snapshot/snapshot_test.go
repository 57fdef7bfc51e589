package snapshot

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/klauspost/compress/zstd"
	"github.com/rogpeppe/go-internal/txtar"
)

func small(t *testing.T) (dir string, a *txtar.Archive) {
	t.Helper()
	a, err := txtar.ParseFile("testdata/small.txtar")
	if err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	if err := txtar.Write(a, dir); err != nil {
		t.Fatal(err)
	}
	return dir, a
}

func read(t *testing.T, name string) *Snapshot {
	t.Helper()
	s, err := Read(name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func diff(a, b *Snapshot) string { return cmp.Diff(a, b, cmpopts.IgnoreUnexported(Snapshot{})) }

func TestRead(t *testing.T) {
	dir, _ := small(t)
	s := read(t, dir)

	wantUnseen := []string{
		"logs of pod/ml/b: forbidden",
		"events.jsonl:2: invalid character 'o' in literal null (expecting 'u')",
		`metrics.om:4: labels of DCGM_FI_DEV_GPU_TEMP: the value of gpu does not end`,
		"objects/services.json:2: invalid character ']' looking for beginning of object key string",
	}
	if d := cmp.Diff(wantUnseen, s.Unseen); d != "" {
		t.Errorf("unseen (-want +got):\n%s", d)
	}
	if got, want := len(s.Pods()), 1; got != want {
		t.Errorf("%d pods decoded, want %d", got, want)
	}
	if got := s.Problems(); len(got) != 1 || !strings.HasPrefix(got[0], "objects/pods.json#ml/bad: ") {
		t.Errorf("problems: got %q, want the pod whose nodeName is a number", got)
	}
	if !s.Captured("deployments.apps") || s.Captured("services") || s.Captured("nodes") {
		t.Errorf("captured: deployments %v, services %v, nodes %v, want true, false, false",
			s.Captured("deployments.apps"), s.Captured("services"), s.Captured("nodes"))
	}
	if got, want := s.Events[0].Message+" "+s.Events[0].Source, "early events.jsonl:3"; got != want {
		t.Errorf("first event is %q, want %q", got, want)
	}
	m := s.Series("DCGM_FI_DEV_GPU_TEMP")
	if len(m) != 1 || len(m[0].Samples) != 2 || m[0].Last().Value != 61 {
		t.Errorf("series: got %+v, want one with 60 and 61 in time order", m)
	}
	if got, want := m[0].Source, `metrics.om#DCGM_FI_DEV_GPU_TEMP{Hostname="n1",gpu="0"}`; got != want {
		t.Errorf("source is %q, want %q", got, want)
	}
	if got, want := s.Kernel["n1"][0].Source, "nodes/n1/kmsg.log:1"; got != want {
		t.Errorf("source is %q, want %q", got, want)
	}
	if l := s.Logs[0]; l.Previous || l.Lines[1].Text != "no time here" || !l.Lines[1].At.IsZero() {
		t.Errorf("log: got %+v, want the present one with a line without a time", l)
	}
}

// TestWriteRead checks that reading what was written gives the same snapshot.
func TestWriteRead(t *testing.T) {
	dir, _ := small(t)
	for _, f := range []string{"events.jsonl", "metrics.om"} { // without what cannot be written again
		data, err := os.ReadFile(filepath.Join(dir, f))
		if err != nil {
			t.Fatal(err)
		}
		data = bytes.ReplaceAll(data, []byte("not json\n"), nil)
		data = bytes.ReplaceAll(data, []byte("DCGM_FI_DEV_GPU_TEMP{gpu=\"0 61\n"), nil)
		if err := os.WriteFile(filepath.Join(dir, f), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	first := t.TempDir()
	if err := read(t, dir).Write(first); err != nil {
		t.Fatal(err)
	}
	want := read(t, first)
	second := t.TempDir()
	if err := want.Write(second); err != nil {
		t.Fatal(err)
	}
	if d := diff(want, read(t, second)); d != "" {
		t.Errorf("written and read again (-want +got):\n%s", d)
	}
	pods, err := json.Marshal(string(want.Objects["pods"][0].Raw))
	if err != nil || !strings.Contains(string(want.Objects["pods"][0].Raw), "a<b & c") {
		t.Errorf("the pod lost its annotation: %s %v", pods, err)
	}
}

func TestWriteRefusesPaths(t *testing.T) {
	s := &Snapshot{Logs: []Log{{Namespace: "..", Pod: "p", Container: "c"}}}
	if err := s.Write(t.TempDir()); err == nil {
		t.Error("a log of namespace .. was written")
	}
}

type entry struct {
	name, link string
	data       []byte
}

func archive(t *testing.T, w io.WriteCloser, entries []entry) {
	t.Helper()
	tw := tar.NewWriter(w)
	for _, e := range entries {
		h := &tar.Header{Name: e.name, Mode: 0o644, Size: int64(len(e.data)), Typeflag: tar.TypeReg}
		if e.link != "" {
			h.Typeflag, h.Linkname = tar.TypeSymlink, e.link
		}
		if err := tw.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := tw.Write(e.data); err != nil {
			t.Fatal(err)
		}
	}
	if err := tw.Close(); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestReadArchives(t *testing.T) {
	dir, a := small(t)
	want := read(t, dir)
	var entries []entry
	for _, f := range a.Files {
		entries = append(entries, entry{name: "./case-7/" + f.Name, data: f.Data})
	}
	entries = append(entries, entry{name: "case-7/metrics2.om", link: "../../etc/passwd"})

	for _, ext := range []string{".tar.gz", ".tar.zst"} {
		name := filepath.Join(t.TempDir(), "s"+ext)
		f, err := os.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		var w io.WriteCloser = gzip.NewWriter(f)
		if ext == ".tar.zst" {
			if w, err = zstd.NewWriter(f); err != nil {
				t.Fatal(err)
			}
		}
		archive(t, w, entries)
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		if d := diff(want, read(t, name)); d != "" {
			t.Errorf("%s (-directory +archive):\n%s", ext, d)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	head := entry{name: "snapshot.json", data: []byte(`{"capturedAt":"2026-03-01T10:00:00Z"}`)}
	tests := []struct {
		name    string
		entries []entry
		want    string
	}{
		{"traversal", []entry{head, {name: "../evil", data: []byte("x")}}, "leads out of the archive"},
		{"absolute", []entry{head, {name: "/evil", data: []byte("x")}}, "leads out of the archive"},
		{"no head", []entry{{name: "events.jsonl"}}, "there is no snapshot.json"},
		{"no time", []entry{{name: "snapshot.json", data: []byte("{}")}}, "capturedAt is missing"},
		{"bad head", []entry{{name: "snapshot.json", data: []byte("{\n}}")}}, "snapshot.json:2"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			name := filepath.Join(t.TempDir(), "s.tar.gz")
			f, err := os.Create(name)
			if err != nil {
				t.Fatal(err)
			}
			archive(t, gzip.NewWriter(f), tt.entries)
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
			if _, err := Read(name); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Read: got error %v, want one with %q", err, tt.want)
			}
		})
	}
}

func TestTooLarge(t *testing.T) {
	tr := &tree{files: map[string][]byte{}, bytes: maxBytes - 3}
	if err := tr.add("a", strings.NewReader("abc"), 3); err != nil {
		t.Errorf("what just fits: %v", err)
	}
	if err := tr.add("b", strings.NewReader("d"), 1); err == nil {
		t.Error("one byte above the bound was read")
	}
}

// FuzzMetrics checks that what parses is the same when printed and parsed again.
func FuzzMetrics(f *testing.F) {
	f.Add(`a{b="c\"d\\e\nf",g=""} 1.5 1772359140.25`)
	f.Add("up NaN\nup{} +Inf 1 # {x=\"1\"} 2")
	f.Add("x{a=\"1\",a=\"2\"} 1\n{} 1\n# EOF")
	f.Fuzz(func(t *testing.T, text string) {
		skip := func(int, error) {}
		first := parseMetrics(text, "m", skip)
		var b bytes.Buffer
		if err := writeMetrics(&b, first); err != nil {
			t.Fatal(err)
		}
		second := parseMetrics(b.String(), "m", func(n int, err error) { t.Errorf("line %d of our own: %v", n, err) })
		if d := cmp.Diff(first, second, cmpopts.EquateNaNs()); d != "" {
			t.Errorf("(-first +second):\n%s", d)
		}
	})
}

// FuzzObjects checks that cutting a List in one pass reads what decoding it reads.
func FuzzObjects(f *testing.F) {
	f.Add([]byte(`{"items": [ {"metadata":{"name":"a","namespace":"b"}, "x": [1.0, "\u00e9\ud800", {"a":1,"a":2}] } , {"Metadata":{"NAME":"c"}}],"kind":"List"} `))
	f.Add([]byte(`{"items":[null]}`))
	f.Add([]byte(`{"items":[],"Items":[{}]}`))
	f.Add([]byte("{\"items\":[{\"a\":\"\xff\"}]}x"))
	f.Fuzz(func(t *testing.T, data []byte) {
		items, ok := split(bytes.Clone(data))
		if !ok {
			return
		}
		var l list
		if err := json.Unmarshal(data, &l); err != nil && !strings.Contains(err.Error(), "cannot unmarshal") {
			t.Fatalf("it was cut, and decoding says %v", err)
		} else if err != nil {
			return // its kind is not a text: nobody asks for it
		}
		if len(items) != len(l.Items) {
			t.Fatalf("%d items, want %d", len(items), len(l.Items))
		}
		var p press
		for i, x := range items {
			var n named
			if err := json.Unmarshal(l.Items[i], &n); err != nil || n != x.named {
				t.Errorf("item %d is called %v, want %v, %v", i, x.named, n, err)
			}
			var want bytes.Buffer
			if err := json.Compact(&want, l.Items[i]); err != nil || want.String() != string(p.compact(x.raw)) {
				t.Errorf("item %d is %s, want %s, %v", i, p.compact(x.raw), want.String(), err)
			}
		}
	})
}

// FuzzLines checks that no line of events or history can stop the reading.
func FuzzLines(f *testing.F) {
	f.Add([]byte(`{"reason":"x","firstTimestamp":"2026-03-01T09:10:00Z"}`))
	f.Add([]byte(`{"ts":"2026-03-01T09:30:00Z","object":{}}`))
	f.Add([]byte("null\n{}\n[]"))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := parse(&tree{files: map[string][]byte{
			headFile: []byte(`{"capturedAt":"2026-03-01T10:00:00Z"}`), "events.jsonl": data, "history.jsonl": data, "objects/pods.json": data, "nodes/n/kmsg.log": data}})
		if err != nil {
			t.Fatal(err)
		}
		s.Problems()
		for i := 1; i < len(s.Events); i++ {
			if s.Events[i].Latest().Before(s.Events[i-1].Latest()) {
				t.Errorf("events %d and %d are out of order", i-1, i)
			}
		}
	})
}
