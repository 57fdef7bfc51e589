package ruler_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"vedette.dev/rules/publish"
	"vedette.dev/rules/publish/publishtest"
	"vedette.dev/rules/publish/ruler"
)

// A mimir speaks the ruler's configuration API, as strictly.
type mimir struct {
	t *testing.T

	mu     sync.Mutex
	groups map[string]string
	writes int
}

func (m *mimir) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if r.Header.Get("X-Scope-OrgID") != "gpu-team" {
		http.Error(w, "no org id", http.StatusUnauthorized)
		return
	}
	group, ok := strings.CutPrefix(r.URL.EscapedPath(), "/prometheus/config/v1/rules/ve%20dette")
	if !ok {
		http.NotFound(w, r)
		return
	}
	group = strings.TrimPrefix(group, "/")
	switch {
	case r.Method == http.MethodPost && group == "":
		if ct := r.Header.Get("Content-Type"); ct != "application/yaml" {
			http.Error(w, "content type "+ct, http.StatusUnsupportedMediaType)
			return
		}
		body, _ := io.ReadAll(r.Body)
		g, err := publish.ParseGroup(body)
		if err != nil || strings.Contains(string(body), "groups:") {
			http.Error(w, "unable to decode rule group", http.StatusBadRequest)
			return
		}
		m.writes++
		m.groups[string(g.ID)] = string(body)
		w.WriteHeader(http.StatusAccepted)
		io.WriteString(w, `{"status":"success","data":null,"errorType":"","error":""}`)
	case r.Method == http.MethodGet && m.groups[group] != "":
		w.Header().Set("Content-Type", "application/yaml")
		io.WriteString(w, m.groups[group])
	case r.Method == http.MethodDelete && m.groups[group] != "":
		m.writes++
		delete(m.groups, group)
		w.WriteHeader(http.StatusAccepted)
	default:
		http.Error(w, "group does not exist", http.StatusNotFound)
	}
}

func TestTarget(t *testing.T) {
	m := &mimir{t: t, groups: map[string]string{}}
	s := httptest.NewServer(m)
	defer s.Close()
	target := &ruler.Target{URL: s.URL + "/prometheus/config/v1/rules", Namespace: "ve dette", Header: http.Header{"X-Scope-Orgid": {"gpu-team"}}}
	publishtest.Target(t, target, func() int { m.mu.Lock(); defer m.mu.Unlock(); return m.writes })

	target.Header = nil
	if err := target.Put(t.Context(), publishtest.Group("85")); err == nil || !strings.Contains(err.Error(), "no org id") {
		t.Errorf("without a tenant: %v, want the ruler's reason", err)
	}
}
