package snapshot

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"
)

// captures unpacks what other programs captured, with what is wrong in it.
func captures(t *testing.T) (dir string, want map[string][]string) {
	t.Helper()
	a, err := txtar.ParseFile("testdata/bundles.txtar")
	if err != nil {
		t.Fatal(err)
	}
	dir, want = t.TempDir(), map[string][]string{}
	for _, f := range a.Files {
		if name, ok := strings.CutPrefix(f.Name, "want/"); ok {
			want[name] = strings.Split(strings.TrimSpace(string(f.Data)), "\n")
		}
	}
	if err := txtar.Write(a, dir); err != nil {
		t.Fatal(err)
	}
	return dir, want
}

// TestBundles: what does not parse in what others captured is named by file and
// line, and costs only itself.
func TestBundles(t *testing.T) {
	dir, want := captures(t)
	for name, unseen := range want {
		s, err := Read(filepath.Join(dir, name))
		if err != nil {
			if len(unseen) != 1 || !strings.Contains(err.Error(), unseen[0]) {
				t.Errorf("%s: %v, want %q", name, err, unseen)
			}
			continue
		}
		for _, text := range unseen {
			if !slices.ContainsFunc(s.Unseen, func(got string) bool { return strings.HasPrefix(got, text) }) {
				t.Errorf("%s: unseen has no %q:\n%s", name, text, strings.Join(s.Unseen, "\n"))
			}
		}
	}
}

// TestBundleContents: what is good beside it is taken, once, with its place in
// the capture as its source.
func TestBundleContents(t *testing.T) {
	dir, _ := captures(t)
	at := time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)
	for name, want := range map[string]struct {
		at   time.Time
		text string
	}{
		"dump":    {at, "nodes.json#n1 services:0 event e1 ml/events.json:4 log ml/a/init ml/a/logs.txt:2"},
		"gather":  {at.Add(2*time.Minute + 3500*time.Millisecond), "deployments.apps:0 cluster-scoped-resources/core/nodes/n1.yaml#n1 namespaces/ml/core/pods.yaml#ml/good namespaces/ml/core/pods.yaml#ml/better log ml/good/main namespaces/ml/pods/good/main/main/logs/current.log:1"},
		"support": {at, "cluster-resources/nodes.json#n1 cluster-resources/custom-resources/podgroups.scheduling.volcano.sh/ml.json#ml/g cluster-resources/pods/ml.json#ml/a"},
	} {
		s := read(t, filepath.Join(dir, name))
		var got []string
		for _, r := range slices.Sorted(maps.Keys(s.Objects)) {
			if len(s.Objects[r]) == 0 {
				got = append(got, r+":0")
			}
			for _, o := range s.Objects[r] {
				got = append(got, o.Source)
			}
		}
		for _, e := range s.Events {
			got = append(got, "event "+e.Name+" "+e.Source)
		}
		for _, l := range s.Logs {
			got = append(got, fmt.Sprintf("log %s/%s/%s %s", l.Namespace, l.Pod, l.Container, l.Lines[0].Source))
		}
		if text := strings.Join(got, " "); text != want.text {
			t.Errorf("%s holds\n%s\nwant\n%s", name, text, want.text)
		}
		if !s.CapturedAt.Equal(want.at) {
			t.Errorf("%s was captured at %v, want %v", name, s.CapturedAt, want.at)
		}
	}
	if v := read(t, filepath.Join(dir, "support")).Cluster.Version; v != "v1.35.1" {
		t.Errorf("the version is %q", v)
	}
}

// FuzzBundles: nothing that a capture may hold stops the reading.
func FuzzBundles(f *testing.F) {
	a, err := txtar.ParseFile("testdata/bundles.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, x := range a.Files {
		f.Add(x.Data)
	}
	f.Add([]byte("{\n    \"kind\": \"NodeList\"\n}\n==== START logs for container a of pod b/c ====\nx==== END logs for container a of pod b/c ====\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, names := range [][]string{
			{"nodes.json", "ns/pods.json", "ns/events.json", "ns/p/logs.txt"}, {"nodes.yaml", "ns/pods.yaml"}, {"dump"}, {"timestamp", "namespaces/ns/core/pods.yaml", "cluster-scoped-resources/core/nodes.yaml"},
			{"cluster-resources/pods/ns.json", "cluster-resources/pods-errors.json", "cluster-info/cluster_version.json"},
		} {
			tr := &tree{files: map[string][]byte{}}
			for _, name := range names {
				tr.files[name] = slices.Clone(data)
			}
			if s, err := parse(tr); err == nil {
				s.Problems()
			}
		}
	})
}

// TestOneText: what is no archive is read as a dump, and said to be none.
func TestOneText(t *testing.T) {
	path := filepath.Join(t.TempDir(), "dump.txt")
	if err := os.WriteFile(path, []byte("hello\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(path); err == nil || !strings.Contains(err.Error(), "no kubectl cluster-info dump") {
		t.Errorf("reading a text that is no dump: %v", err)
	}
}
