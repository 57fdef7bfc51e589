package files_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"vedette.dev/rules"
	"vedette.dev/rules/publish"
	"vedette.dev/rules/publish/files"
	"vedette.dev/rules/publish/publishtest"
)

// A reader is what Prometheus does with a directory when it is told to.
type reader struct {
	dir string

	mu      sync.Mutex
	reloads int
	groups  []rules.Group
}

func (r *reader) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch req.Method + " " + req.URL.Path {
	case "POST /-/reload":
		r.reloads++
		r.groups = nil
		paths, _ := filepath.Glob(filepath.Join(r.dir, "*.yaml"))
		for _, p := range paths {
			data, _ := os.ReadFile(p)
			gs, err := publish.Parse(data)
			if err != nil || strings.Contains(string(data), "refused") {
				http.Error(w, "no", http.StatusInternalServerError)
				return
			}
			r.groups = append(r.groups, gs...)
		}
	case "GET /api/v1/rules":
		type rule struct{ Name, Query string }
		type group struct {
			Name  string
			Rules []rule
		}
		var gs []group
		for _, g := range r.groups {
			out := group{Name: string(g.ID)}
			for _, x := range g.Rules {
				out.Rules = append(out.Rules, rule{x.Name, x.Expr})
			}
			gs = append(gs, out)
		}
		json.NewEncoder(w).Encode(map[string]any{"status": "success", "data": map[string]any{"groups": gs}})
	default:
		http.NotFound(w, req)
	}
}

func (r *reader) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.reloads
}

func TestTarget(t *testing.T) {
	r := &reader{dir: t.TempDir()}
	s := httptest.NewServer(r)
	defer s.Close()
	publishtest.Target(t, &files.Target{Dir: r.dir, Reload: s.URL + "/-/reload", API: s.URL}, r.count)
}

// TestRefused: what the reader refuses is taken back.
func TestRefused(t *testing.T) {
	r := &reader{dir: t.TempDir()}
	s := httptest.NewServer(r)
	defer s.Close()
	target := &files.Target{Dir: r.dir, Reload: s.URL + "/-/reload", API: s.URL}
	if err := target.Put(t.Context(), publishtest.Group("85")); err != nil {
		t.Fatal(err)
	}
	bad := publishtest.Group("90")
	bad.Rules[0].Annotations["summary"] = "refused"
	ctx := t.Context()
	if err := target.Put(ctx, bad); err == nil || !strings.Contains(err.Error(), "500") {
		t.Errorf("got %v, want the reader's refusal", err)
	}
	got, err := target.Standing(ctx, "gpu-hot")
	if err != nil || !publish.Same(got, publishtest.Group("85")) {
		t.Errorf("%+v stands, %v; want what stood before", got, err)
	}
	if err := publish.Loaded(ctx, http.DefaultClient, s.URL, publishtest.Group("85")); err != nil {
		t.Error(err)
	}
}
