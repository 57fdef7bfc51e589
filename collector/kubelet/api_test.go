package kubelet_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"vedette.dev/collector"
	"vedette.dev/collector/kubelet"
	"vedette.dev/fixtures/kubeletstub"
	"vedette.dev/rules/catalog"
)

var noon = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

func atNoon() time.Time { return noon }

// api is what asks a port, as of a time.
func api(t *testing.T, p *kubeletstub.Port, now func() time.Time) *kubelet.API {
	a := &kubelet.API{Address: "https://" + p.Address, Node: p.Node, TokenFile: p.TokenFile, CAFile: p.CAFile, Patience: time.Minute, Now: now}
	t.Cleanup(func() { a.Close() })
	return a
}

// told writes what was read: points by their names and labels, each with its
// value and "counter" where it is one, and events whole.
func told(b collector.Batch) string {
	var lines []string
	for _, p := range b.Points {
		var kvs []string
		for _, a := range p.Attrs {
			kvs = append(kvs, fmt.Sprintf("%s=%q", a.Key, a.Value))
		}
		slices.Sort(kvs)
		kind := ""
		if p.Counter {
			kind = " counter"
		}
		lines = append(lines, fmt.Sprintf("%s{%s} %v%s\n", p.Metric, strings.Join(kvs, ","), p.Value, kind))
	}
	slices.Sort(lines)
	for _, e := range b.Events {
		var text bytes.Buffer
		if err := json.Indent(&text, []byte(e.Text), "", " "); err != nil {
			text.WriteString(err.Error())
		}
		lines = append(lines, fmt.Sprintf("%s %v\n%s\n", e.Kind, e.Attrs, text.String()))
	}
	return strings.Join(lines, "")
}

// What the pages of the stand-in come to is testdata/pages.txt.
func TestPages(t *testing.T) {
	const file = "testdata/pages.txt"
	b, err := api(t, kubeletstub.Start(t, "n1"), atNoon).Collect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got := told(b)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("readings (-want +got):\n%s", diff)
	}
	seen := map[string]bool{}
	for _, p := range b.Points {
		if !p.At.Equal(noon) {
			t.Errorf("%s is of %v, want %v", p.Metric, p.At, noon)
		}
		m, ok := catalog.Builtin().Metric(p.Metric)
		if !ok {
			t.Errorf("%s is not in the catalog", p.Metric)
			continue
		}
		if p.Counter != (m.Type == catalog.Counter) {
			t.Errorf("%s is a counter: %v, and a %s in the catalog", p.Metric, p.Counter, m.Type)
		}
		key := string(p.Metric)
		for _, a := range p.Attrs {
			if !m.Has(a.Key) {
				t.Errorf("%s has the label %s, which the catalog does not know", p.Metric, a.Key)
			}
			key += fmt.Sprint(a)
		}
		if seen[key] {
			t.Errorf("%s comes twice", key)
		}
		seen[key] = true
	}
}

// parts are what a part of each page comes to when all is well.
var parts = map[string]string{
	"/metrics/cadvisor": "container_start_time_seconds{", // near its end
	"/stats/summary":    "vedette_pod_processes{",
	"/configz":          "k8s.object ",
}

// A page that cannot be had costs only itself, and is told of in a line that
// says why; pages that cannot be had for one reason are told of in one.
func TestTroubles(t *testing.T) {
	all := []string{"/metrics/cadvisor", "/stats/summary", "/configz"}
	half := func(w http.ResponseWriter, _ *http.Request, page []byte) {
		w.Write(page[:len(page)/2])
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
	tests := []struct {
		name    string
		arrange func(*kubeletstub.Port, *kubelet.API)
		lost    []string
		lines   []string // the error's, of which each holds one
		kept    string   // of a page that is lost in part
	}{
		{name: "all is well", arrange: func(*kubeletstub.Port, *kubelet.API) {}},
		{name: "another token", lost: all, lines: []string{"read /metrics/cadvisor, /stats/summary, /configz of kubelet https://127.0.0.1:PORT: 401 Unauthorized"},
			arrange: func(p *kubeletstub.Port, _ *kubelet.API) { p.Take("another") }},
		{name: "no token", lost: all, lines: []string{"read token: open "},
			arrange: func(_ *kubeletstub.Port, a *kubelet.API) { a.TokenFile += ".gone" }},
		{name: "no rights to one", lost: all[2:], lines: []string{"read /configz of kubelet https://127.0.0.1:PORT: 403 Forbidden Forbidden (user=system:serviceaccount:vedette:vedette-agent, verb=get, resource=nodes, subresource(s)=[configz proxy])"},
			arrange: func(p *kubeletstub.Port, _ *kubelet.API) { p.Answer("/configz", kubeletstub.Forbid) }},
		{name: "no rights to two", lost: all[1:], lines: []string{"read /stats/summary of ", "read /configz of "},
			arrange: func(p *kubeletstub.Port, _ *kubelet.API) {
				p.Answer("/stats/summary", kubeletstub.Forbid)
				p.Answer("/configz", kubeletstub.Forbid)
			}},
		{name: "a certificate of nobody known", lost: all, lines: []string{"certificate signed by unknown authority"},
			arrange: func(_ *kubeletstub.Port, a *kubelet.API) { a.CAFile = "" }},
		{name: "a certificate of another authority", lost: all, lines: []string{"certificate signed by unknown authority"},
			arrange: func(p *kubeletstub.Port, a *kubelet.API) { a.CAFile = kubeletstub.Start(t, "n1").CAFile }},
		{name: "a certificate of another node", lost: all, lines: []string{"certificate is valid for n1, not n2"},
			arrange: func(_ *kubeletstub.Port, a *kubelet.API) { a.Node = "n2" }},
		{name: "no certificates to verify by", lost: all, lines: []string{"read certificates: open "},
			arrange: func(_ *kubeletstub.Port, a *kubelet.API) { a.CAFile += ".gone" }},
		{name: "certificates that are none", lost: all, lines: []string{"token holds none"},
			arrange: func(_ *kubeletstub.Port, a *kubelet.API) { a.CAFile = a.TokenFile }},
		{name: "any certificate", arrange: func(_ *kubeletstub.Port, a *kubelet.API) { a.Node, a.CAFile, a.SkipVerify = "n2", "", true }},
		{name: "nobody listens", lost: all, lines: []string{"read /metrics/cadvisor, /stats/summary, /configz of kubelet https://127.0.0.1:PORT: dial tcp 127.0.0.1:PORT: connect: connection refused"},
			arrange: func(p *kubeletstub.Port, _ *kubelet.API) { p.Stop() }},
		{name: "sent elsewhere", lost: all[1:2], lines: []string{"read /stats/summary of kubelet https://127.0.0.1:PORT: 302 Found"},
			arrange: func(p *kubeletstub.Port, _ *kubelet.API) {
				p.Answer("/stats/summary", func(w http.ResponseWriter, r *http.Request, _ []byte) { http.Redirect(w, r, "/pods", http.StatusFound) })
			}},
		{name: "slow", lost: all[1:2], lines: []string{"read /stats/summary of kubelet https://127.0.0.1:PORT: no whole answer within 3s"},
			arrange: func(p *kubeletstub.Port, a *kubelet.API) {
				a.Patience = 3 * time.Second // the others have to come within it, however busy this machine is
				p.Answer("/stats/summary", func(w http.ResponseWriter, r *http.Request, page []byte) {
					w.Write(page[:100])
					w.(http.Flusher).Flush()
					<-r.Context().Done()
				})
			}},
		{name: "endless", lost: all[:1], kept: "container_oom_events_total{", lines: []string{"read /metrics/cadvisor of kubelet https://127.0.0.1:PORT: the page is larger than 32 MiB"},
			arrange: func(p *kubeletstub.Port, _ *kubelet.API) {
				p.Answer("/metrics/cadvisor", func(w http.ResponseWriter, _ *http.Request, page []byte) {
					head, _, _ := bytes.Cut(page, []byte("# HELP container_start_time_seconds"))
					w.Write(head)
					line := append([]byte("container_start_time_seconds{pod=\""), bytes.Repeat([]byte("x"), 1<<20)...)
					for _, err := w.Write(append(line, "\"} 1\n"...)); err == nil; _, err = w.Write(append(line, "\"} 1\n"...)) {
					}
				})
			}},
		{name: "endless JSON", lost: all[1:2], lines: []string{"read /stats/summary of kubelet https://127.0.0.1:PORT: decode: the page is larger than 32 MiB"},
			arrange: func(p *kubeletstub.Port, _ *kubelet.API) {
				p.Answer("/stats/summary", func(w http.ResponseWriter, _ *http.Request, _ []byte) {
					spaces := bytes.Repeat([]byte(" "), 1<<20)
					for _, err := w.Write(spaces); err == nil; _, err = w.Write(spaces) {
					}
				})
			}},
		{name: "half", lost: all, kept: "container_cpu_cfs_throttled_seconds_total{", lines: []string{"/metrics/cadvisor of kubelet https://127.0.0.1:PORT: unexpected EOF",
			"read /stats/summary, /configz of kubelet https://127.0.0.1:PORT: decode: unexpected EOF"},
			arrange: func(p *kubeletstub.Port, _ *kubelet.API) {
				for _, path := range all {
					p.Answer(path, half)
				}
			}},
		{name: "half and no more", lost: all[:1], kept: "container_cpu_cfs_throttled_seconds_total{", lines: []string{"unexpected end of input stream"},
			arrange: func(p *kubeletstub.Port, _ *kubelet.API) {
				p.Answer("/metrics/cadvisor", func(w http.ResponseWriter, _ *http.Request, page []byte) { w.Write(page[:len(page)/2]) })
			}},
		{name: "malformed half-way", lost: all[:1], kept: "container_cpu_usage_seconds_total{", lines: []string{"read /metrics/cadvisor of kubelet https://127.0.0.1:PORT: text format parsing error"},
			arrange: func(p *kubeletstub.Port, _ *kubelet.API) {
				p.Answer("/metrics/cadvisor", func(w http.ResponseWriter, _ *http.Request, page []byte) {
					w.Write(bytes.Replace(page, []byte(`container_oom_events_total{`), []byte(`container_oom_events_total{{`), 1))
				})
			}},
		{name: "another configz", lost: all[2:], lines: []string{"decode: there is no kubeletconfig in it"},
			arrange: func(p *kubeletstub.Port, _ *kubelet.API) {
				p.Answer("/configz", func(w http.ResponseWriter, _ *http.Request, _ []byte) { w.Write([]byte("{}")) })
			}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := kubeletstub.Start(t, "n1")
			a := api(t, p, atNoon)
			tt.arrange(p, a)
			b, err := a.Collect(t.Context())
			got := told(b)
			for path, part := range parts {
				if want := !slices.Contains(tt.lost, path); strings.Contains(got, part) != want {
					t.Errorf("%s is read: %v, want %v", path, !want, want)
				}
			}
			if !strings.Contains(got, tt.kept) {
				t.Errorf("what came whole, %s, is lost", tt.kept)
			}
			var lines []string
			if err != nil {
				lines = strings.Split(err.Error(), "\n")
			}
			if len(lines) != len(tt.lines) {
				t.Fatalf("error %v, want %d lines", err, len(tt.lines))
			}
			_, number, _ := strings.Cut(p.Address, ":")
			for i, want := range tt.lines {
				if want := strings.ReplaceAll(want, "PORT", number); !strings.Contains(lines[i], want) {
					t.Errorf("line %q, want %q in it", lines[i], want)
				}
			}
		})
	}
}

// A kubelet that is started anew, with another certificate and another token,
// is read on; and while it stays it is asked over connections that are kept.
func TestRestart(t *testing.T) {
	p := kubeletstub.Start(t, "n1")
	a := api(t, p, atNoon)
	look := func(want bool) {
		t.Helper()
		b, err := a.Collect(t.Context())
		if (err == nil) != want || strings.Contains(told(b), "vedette_pod_processes{") != want {
			t.Fatalf("error %v, well %v", err, want)
		}
	}
	for range 5 {
		look(true)
	}
	// Three at once; net/http may dial another while one of them comes free.
	if n := p.Connections(); n > 6 {
		t.Errorf("%d connections for 15 requests, want them kept", n)
	}
	p.Stop()
	look(false)
	p.Certify()
	p.Restart()
	look(true)
	p.Take("second")
	look(false)
	if err := os.WriteFile(p.TokenFile, []byte("second"), 0o600); err != nil {
		t.Fatal(err)
	}
	look(true)
}

// The configuration is told at first and when it has changed; it is asked for
// seldom, and at once where it could not be had.
func TestConfiguration(t *testing.T) {
	p := kubeletstub.Start(t, "n1")
	now := noon
	a := api(t, p, func() time.Time { return now })
	look := func(after time.Duration, asked int, verb string) {
		t.Helper()
		now = now.Add(after)
		b, _ := a.Collect(t.Context())
		var got string
		for _, e := range b.Events {
			got += e.Attr(collector.AttrVerb)
			if !e.At.Equal(now) {
				t.Errorf("told as of %v, want %v", e.At, now)
			}
		}
		if got != verb || p.Asked("/configz") != asked {
			t.Errorf("after %v: asked %d times and told %q, want %d and %q", now.Sub(noon), p.Asked("/configz"), got, asked, verb)
		}
	}
	p.Answer("/configz", kubeletstub.Forbid)
	look(0, 1, "")
	look(15*time.Second, 2, "")
	p.Answer("/configz", nil)
	look(15*time.Second, 3, "ADDED")
	look(15*time.Second, 3, "")
	look(5*time.Minute, 4, "")
	p.Answer("/configz", func(w http.ResponseWriter, _ *http.Request, page []byte) {
		w.Write(bytes.Replace(page, []byte(`"syncFrequency": "1m0s"`), []byte(`"syncFrequency": "2m0s"`), 1)) // which nobody is told
	})
	look(5*time.Minute, 5, "")
	p.Answer("/configz", func(w http.ResponseWriter, _ *http.Request, page []byte) {
		w.Write(bytes.Replace(page, []byte(`"maxPods": 110`), []byte(`"maxPods": 250`), 1))
	})
	look(5*time.Minute, 6, "MODIFIED")
}

// held is a source of a GPU that a pod holds.
func held(pod string) collector.Source {
	return collector.SourceFunc(func(context.Context) (collector.Batch, error) {
		attrs := []collector.Attr{{Key: "gpu", Value: "0"}, {Key: "namespace", Value: "ml"}, {Key: "pod", Value: pod}}
		return collector.Batch{Points: []collector.Point{{Metric: "DCGM_FI_DEV_GPU_TEMP", Attrs: attrs}, {Metric: "DCGM_FI_DEV_GPU_UTIL", Attrs: attrs},
			{Metric: "vedette_gpu_lost", Attrs: attrs[:1]}, {Metric: "DCGM_FI_DEV_FB_USED", Attrs: []collector.Attr{{Key: "gpu", Value: "1"}}}}}, nil
	})
}

func TestPodLabels(t *testing.T) {
	p := kubeletstub.Start(t, "n1")
	now := noon
	a := api(t, p, func() time.Time { return now })
	for _, re := range []string{"^app", "team", "^pod$", "^empty$"} {
		a.PodLabels = append(a.PodLabels, regexp.MustCompile(re))
	}
	look := func(pod string) string {
		b, err := a.Label(held(pod)).Collect(t.Context())
		if err != nil {
			t.Error(err)
		}
		return told(b)
	}
	const bare = "DCGM_FI_DEV_FB_USED{gpu=\"1\"} 0\nDCGM_FI_DEV_GPU_TEMP{%[1]sgpu=\"0\",namespace=\"ml\",pod=\"train-0\"%[2]s} 0\n" +
		"DCGM_FI_DEV_GPU_UTIL{%[1]sgpu=\"0\",namespace=\"ml\",pod=\"train-0\"%[2]s} 0\nvedette_gpu_lost{gpu=\"0\"} 0\n"
	labelled := fmt.Sprintf(bare, `app_kubernetes_io_name="llama",`, `,pod_label_pod="mine",team="vision"`)
	for range 3 {
		if diff := cmp.Diff(labelled, look("train-0")); diff != "" {
			t.Errorf("series (-want +got):\n%s", diff)
		}
	}
	look("plain")
	if n := p.Asked("/pods"); n != 1 {
		t.Errorf("asked %d times for pods that are known, want 1", n)
	}
	look("new")
	now = now.Add(time.Minute)
	look("train-0")
	if n := p.Asked("/pods"); n != 3 {
		t.Errorf("asked %d times, want once more for a new pod and once after a minute: 3", n)
	}

	p.Answer("/pods", kubeletstub.Forbid)
	now = now.Add(time.Minute)
	if diff := cmp.Diff(labelled, look("train-0")); diff != "" {
		t.Errorf("refused, a minute later (-want +got):\n%s", diff)
	}
	now = now.Add(2 * time.Minute)
	if diff := cmp.Diff(fmt.Sprintf(bare, "", ""), look("train-0")); diff != "" {
		t.Errorf("refused for long (-want +got):\n%s", diff)
	}
	if _, err := a.Collect(t.Context()); err == nil || !strings.Contains(err.Error(), "read /pods of kubelet https://"+p.Address+": 403 Forbidden") {
		t.Errorf("error %v, want that of /pods", err)
	}
	p.Answer("/pods", nil)
	if _, err := a.Collect(t.Context()); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff(labelled, look("train-0")); diff != "" {
		t.Errorf("allowed again (-want +got):\n%s", diff)
	}
	if n := p.Asked("/pods"); n != 6 {
		t.Errorf("asked %d times, want 3 times more: refused, refused again, allowed", n)
	}
}

// Without an allow-list nobody asks for pods.
func TestNoPodLabels(t *testing.T) {
	p := kubeletstub.Start(t, "n1")
	if _, err := api(t, p, atNoon).Label(held("train-0")).Collect(t.Context()); err != nil || p.Connections() != 0 {
		t.Errorf("error %v, %d connections, want none", err, p.Connections())
	}
}
