package history

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"vedette.dev/analyzer"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func open(t *testing.T) *Log {
	t.Helper()
	l, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func line(at time.Time, node, text string) Record {
	return Record{Kind: KernelLine, At: at, Subject: analyzer.Node(node), Text: text}
}

func object(at time.Time, name, verb, text string) Record {
	return Record{Kind: KubeObject, At: at, Subject: analyzer.Pod("ml", name), Text: text,
		Attrs: map[string]string{AttrResource: "pods", AttrVerb: verb}}
}

func texts(rs []Record) string {
	var s []string
	for _, r := range rs {
		s = append(s, r.Text)
	}
	return strings.Join(s, " ")
}

func TestAppendTwiceIsOnce(t *testing.T) {
	l := open(t)
	rs := []Record{line(noon, "a", "one"), line(noon.Add(time.Second), "a", "two")}
	for range 2 {
		if err := l.Append(t.Context(), rs); err != nil {
			t.Fatal(err)
		}
	}
	got, err := l.Select(t.Context(), Want{})
	if err != nil {
		t.Fatal(err)
	}
	if texts(got) != "one two" {
		t.Errorf("history holds %q, want %q", texts(got), "one two")
	}
	if got[0].ID == 0 || got[0].Source() == got[1].Source() {
		t.Errorf("sources %q and %q do not tell the records apart", got[0].Source(), got[1].Source())
	}
}

func TestSelect(t *testing.T) {
	l := open(t)
	err := l.Append(t.Context(), []Record{
		line(noon.Add(2*time.Second), "a", "late"), line(noon, "a", "early"), line(noon, "b", "other"),
		object(noon, "p", "ADDED", "pod"),
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		want Want
		got  string
	}{
		{"in time order", Want{Subject: analyzer.Node("a")}, "early late"},
		{"by kind", Want{Kind: KubeObject}, "pod"},
		{"both ends included", Want{Kind: KernelLine, From: noon, To: noon}, "early other"},
		{"the newest where limited", Want{Kind: KernelLine, Limit: 1}, "late"},
		{"what arrived since", Want{AfterID: 2}, "other pod"},
		{"nothing", Want{Subject: analyzer.Node("c")}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rs, err := l.Select(t.Context(), tt.want)
			if err != nil {
				t.Fatal(err)
			}
			if got := texts(rs); got != tt.got {
				t.Errorf("got %q, want %q", got, tt.got)
			}
		})
	}
}

func TestObjectsAndPrune(t *testing.T) {
	l := open(t)
	err := l.Append(t.Context(), []Record{
		object(noon, "stays", "ADDED", "stays-1"),
		object(noon.Add(time.Minute), "stays", "MODIFIED", "stays-2"),
		object(noon.Add(30*time.Second), "stays", "MODIFIED", "came-late"), // out of order
		object(noon, "goes", "ADDED", "goes-1"),
		object(noon.Add(time.Minute), "goes", "DELETED", "goes-2"),
	})
	if err != nil {
		t.Fatal(err)
	}
	check := func(what string, since time.Time, want string) {
		t.Helper()
		rs, err := l.Objects(t.Context(), since)
		if err != nil {
			t.Fatal(err)
		}
		got := strings.Fields(texts(rs))
		slices.Sort(got)
		if diff := cmp.Diff(strings.Fields(want), got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
	check("with what went lately", noon, "goes-2 stays-2")
	check("only what is there", noon.Add(time.Hour), "stays-2")

	if err := l.Prune(t.Context(), noon.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	rs, err := l.Select(t.Context(), Want{})
	if err != nil {
		t.Fatal(err)
	}
	if got := texts(rs); got != "stays-2" {
		t.Errorf("after pruning history holds %q, want only the live object", got)
	}
}

func TestOpenAgain(t *testing.T) {
	dir := t.TempDir()
	for range 2 {
		l, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Append(t.Context(), []Record{line(noon, "a", "kept")}); err != nil {
			t.Fatal(err)
		}
		rs, err := l.Select(t.Context(), Want{})
		if err != nil || texts(rs) != "kept" {
			t.Fatalf("got %q, %v", texts(rs), err)
		}
		l.Close()
	}
}
