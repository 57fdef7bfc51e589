package cluster

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"
)

// A speaker answers as an API server does, with the files of a txtar archive by
// path; "?" and what follows is part of one where the archive has it so. A file
// that begins with a number is a refusal with that status.
type speaker struct {
	*httptest.Server
	files map[string]string

	mu    sync.Mutex
	asked []string
}

func speak(t *testing.T, path string) *speaker {
	t.Helper()
	a, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	s := &speaker{files: map[string]string{}}
	for _, f := range a.Files {
		s.files[f.Name] = string(f.Data)
	}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

// ServeHTTP implements [http.Handler].
func (s *speaker) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.asked = append(s.asked, r.Method+" "+r.URL.RequestURI())
	s.mu.Unlock()
	name := strings.TrimPrefix(r.URL.Path, "/")
	if r.URL.Query().Get("continue") != "" {
		name += "?continue"
	}
	if r.URL.Query().Get("previous") == "true" {
		name += "?previous"
	}
	text, ok := s.files[name]
	var code int
	var why string
	if n, _ := fmt.Sscanf(text, "%d", &code); n == 1 && !strings.HasSuffix(r.URL.Path, "/log") || strings.HasPrefix(text, "403") {
		why = strings.TrimSpace(text[3:])
		code = http.StatusForbidden
	} else if code = http.StatusOK; !ok {
		code, why = http.StatusNotFound, "the server could not find the requested resource"
	}
	if code != http.StatusOK {
		reason := map[int]string{http.StatusForbidden: "Forbidden", http.StatusNotFound: "NotFound"}[code]
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		json.NewEncoder(w).Encode(map[string]any{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "code": code, "message": why})
		return
	}
	if strings.HasSuffix(r.URL.Path, "/log") {
		w.Write([]byte(text))
		return
	}
	js, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		panic(err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Write(js)
}

// TestCapture: one look gives all pages of what is shown, without secrets, the
// logs there are, and a line for each thing that is refused.
func TestCapture(t *testing.T) {
	for _, namespace := range []string{"", "ml"} {
		t.Run("namespace "+namespace, func(t *testing.T) {
			s := speak(t, "testdata/capture.txtar")
			c := &Capture{API: &rest.Config{Host: s.URL}, Namespace: namespace, Since: noon.Add(-time.Hour)}
			sight, err := c.Take(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			var got strings.Builder
			for _, r := range []string{"pods", "nodes", "services", "configmaps", "deployments.apps"} {
				os, ok := sight.Objects[r]
				fmt.Fprintf(&got, "%s %v", r, ok)
				for _, o := range os {
					fmt.Fprintf(&got, " %s/%s", o.Namespace, o.Name)
				}
				got.WriteString("\n")
			}
			for _, e := range sight.Events {
				fmt.Fprintf(&got, "event %s/%s\n", e.Namespace, e.Name)
			}
			for _, l := range sight.Logs {
				fmt.Fprintf(&got, "log %s/%s/%s %v %q\n", l.Namespace, l.Pod, l.Container, l.Previous, l.Text)
			}
			for _, u := range sight.Unseen {
				fmt.Fprintf(&got, "unseen %s\n", u)
			}
			file := "testdata/capture.want"
			if namespace != "" {
				file += "." + namespace
			}
			if *update {
				if err := os.WriteFile(file, []byte(got.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got.String()); diff != "" {
				t.Errorf("sight (-want +got):\n%s", diff)
			}
			for _, r := range sight.Objects {
				for _, o := range r {
					if strings.Contains(o.Text, "XYZZY") || strings.Contains(o.Text, "managedFields") {
						t.Errorf("kept %s", o.Text)
					}
					if !strings.Contains(o.Text, `"kind":`) {
						t.Errorf("%s does not say its kind", o.Text)
					}
				}
			}
			if sight.Version != "v1.35.1" {
				t.Errorf("the version is %q", sight.Version)
			}
			s.allowed(t)
		})
	}
}

// allowed checks that what was asked needs no more than the role that is
// shipped, and lets the API server page.
func (s *speaker) allowed(t *testing.T) {
	t.Helper()
	may := allowed(t, "../../deploy/snapshot-rbac.yaml", "vedette-snapshot")
	for _, asked := range s.asked {
		method, uri, _ := strings.Cut(asked, " ")
		path, query, _ := strings.Cut(strings.TrimPrefix(uri, "/"), "?")
		parts := strings.Split(path, "/")
		if method != http.MethodGet || strings.Contains(query, "watch") {
			t.Errorf("it asked %s", asked)
		}
		if path == "version" || path == "api" || path == "apis" || parts[0] == "api" && len(parts) == 2 || parts[0] == "apis" && len(parts) == 3 {
			continue // discovery, which everyone may
		}
		if i := slices.Index(parts, "namespaces"); i >= 0 && i+2 < len(parts) {
			parts = slices.Delete(parts, i, i+2)
		}
		group, rest := "", parts[2:]
		if parts[0] == "apis" {
			group, rest = "."+parts[1], parts[3:]
		}
		right := rest[0] + group + " [list]"
		if len(rest) == 3 {
			right = rest[0] + "/" + rest[2] + " [get]"
		} else if !strings.Contains(query, "limit=500") {
			t.Errorf("it asked for everything at once: %s", asked)
		}
		if !slices.Contains(may, right) {
			t.Errorf("%s needs %s, which the role does not give", asked, right)
		}
	}
}
