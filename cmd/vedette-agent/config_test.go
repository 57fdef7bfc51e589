package main

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.yaml.in/yaml/v3"

	"vedette.dev/collector"
	"vedette.dev/collector/dcgm"
	"vedette.dev/fixtures/kubeletstub"
	"vedette.dev/rules/strictyaml"
)

const head = "apiVersion: vedette.dev/v1\nkind: AgentConfig\n"

// What the program says and how it ends, where it does not start.
func TestRunErrors(t *testing.T) {
	tests := []struct {
		name, file string // of the file, the text after the head
		args       []string
		code       int
		want       string
	}{
		{name: "unknown key", file: "endpoint: h:4317\nperod: 5s\n", code: exitError, want: `agent.yaml:4: unknown key "perod"`},
		{name: "wrong value", file: "endpoint: h:4317\n\nperiod: often\n", code: exitError, want: "agent.yaml:5: "},
		{name: "wrong kind", file: "---\n", code: exitError, want: "holds more than one document"},
		{name: "no file", args: []string{"--config", "/does/not/exist"}, code: exitError, want: "read config: open /does/not/exist"},
		{name: "nowhere to send", code: exitUsage, want: "nowhere to go"},
		{name: "unknown flag", args: []string{"--endpoit", "h:1"}, code: exitUsage, want: "flag provided but not defined: -endpoit"},
		{name: "a word", args: []string{"serve"}, code: exitUsage, want: `what is "serve"?`},
		{name: "period", args: []string{"--endpoint", "h:1", "--period", "10ms"}, code: exitUsage, want: "period is 10ms, want at least 100ms"},
		{name: "dcgm", args: []string{"--endpoint", "h:1", "--dcgm", "on"}, code: exitUsage, want: `dcgm is "on"`},
		{name: "protocol", args: []string{"--endpoint", "h:1", "--protocol", "udp"}, code: exitUsage, want: `protocol is "udp"`},
		{name: "kubelet", args: []string{"--endpoint", "h:1", "--kubelet", "on"}, code: exitUsage, want: `kubelet.socket is "on"`},
		{name: "kubelet without TLS", args: []string{"--endpoint", "h:1", "--kubelet-address", "http://127.0.0.1:10255"}, code: exitUsage, want: `kubelet.address is "http://127.0.0.1:10255", want auto, off or https://host:port`},
		{name: "pod labels", file: "endpoint: h:4317\nkubelet: {podLabels: ['(']}\n", code: exitUsage, want: "kubelet.podLabels: error parsing regexp"},
		{name: "unknown key of the kubelet", file: "kubelet:\n  adress: off\n", code: exitError, want: `agent.yaml:4: unknown key "adress"`},
		{name: "address", args: []string{"--listen", "256.0.0.1:1", "--kmsg", "", "--dcgm", "off"}, code: exitError, want: "256.0.0.1"},
		{name: "CA", file: "endpoint: h:4317\ncaFile: /does/not/exist\nkmsg: ''\ndcgm: 'off'\n", code: exitError, want: `send to OTLP endpoint "h:4317": read the certificates`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.file != "" {
				path := filepath.Join(t.TempDir(), "agent.yaml")
				if err := os.WriteFile(path, []byte(head+tt.file), 0o644); err != nil {
					t.Fatal(err)
				}
				tt.args = append(tt.args, "--config", path)
			}
			var stdout, stderr bytes.Buffer
			if got := run(t.Context(), tt.args, &stdout, &stderr); got != tt.code {
				t.Errorf("run = %d, want %d", got, tt.code)
			}
			if !strings.Contains(stderr.String(), tt.want) || stdout.Len() > 0 {
				t.Errorf("stderr %q, stdout %q, want %q on stderr", stderr.String(), stdout.String(), tt.want)
			}
		})
	}
}

func TestRunTells(t *testing.T) {
	for flag, want := range map[string]string{"--version": "vedette-agent ", "--help": "-proc-root"} {
		var stdout, stderr bytes.Buffer
		if got := run(t.Context(), []string{flag}, &stdout, &stderr); got != exitDone || !strings.Contains(stdout.String(), want) || stderr.Len() > 0 {
			t.Errorf("run %s = %d, stdout %q, stderr %q", flag, got, stdout.String(), stderr.String())
		}
	}
}

// The example is a good configuration, and says what the defaults are.
func TestExample(t *testing.T) {
	got, err := configure([]string{"--config", "../../deploy/agent.yaml", "--node", "n1", "--period", "30s"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := defaults()
	want.APIVersion, want.Kind, want.file = got.APIVersion, got.Kind, got.file
	want.Node, want.Period = "n1", strictyaml.Duration(30*time.Second) // by flag
	want.Endpoint, want.TokenFile, want.Listen = "vedette.vedette.svc:4317", "/var/run/secrets/vedette/token", ":9464"
	want.Queue = "/var/lib/vedette-agent/queue.db"
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(config{}), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("configuration (-want +got):\n%s", diff)
	}
}

// The rights that deploy/ gives the agent are those that it needs, and no more.
func TestRights(t *testing.T) {
	f, err := os.Open("../../deploy/agent-rbac.yaml")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	type rule struct {
		Groups    []string `yaml:"apiGroups"`
		Resources []string `yaml:"resources"`
		Verbs     []string `yaml:"verbs"`
	}
	var got []rule
	for d := yaml.NewDecoder(f); ; {
		var o struct {
			Rules []rule `yaml:"rules"`
		}
		if err := d.Decode(&o); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		got = append(got, o.Rules...)
	}
	for _, r := range got {
		slices.Sort(r.Resources)
	}
	want := []rule{{Groups: []string{""}, Resources: kubeletstub.Rights(), Verbs: []string{"get"}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rights (-want +got):\n%s", diff)
	}
}

// Where the kubelet is asked, and whether it is.
func TestKubeletAddress(t *testing.T) {
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, address, token, ip, want string }{
		{"outside a cluster", "auto", token + ".gone", "10.0.0.7", ""},
		{"on the node's network", "auto", token, "", "https://127.0.0.1:10250"},
		{"in a pod", "auto", token, "10.0.0.7", "https://10.0.0.7:10250"},
		{"in a pod of IPv6", "auto", token, "fd00::7", "https://[fd00::7]:10250"},
		{"elsewhere", "https://n1:443", token + ".gone", "10.0.0.7", "https://n1:443"},
		{"off", "off", token, "10.0.0.7", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("NODE_IP", tt.ip)
			c := defaults()
			c.Kubelet.Address, c.Kubelet.TokenFile = tt.address, tt.token
			got := ""
			if api, wanted := c.kubeletAPI(); wanted {
				got = api.Address
			}
			if got != tt.want {
				t.Errorf("asked at %q, want %q", got, tt.want)
			}
		})
	}
}

// A node without a library is told of once, tried again, and is well unless it has the device.
func TestGPUsWithoutLibrary(t *testing.T) {
	if _, err := dcgm.Open(dcgm.Config{}); err == nil {
		t.Skip("this machine has a DCGM library")
	}
	var logged bytes.Buffer
	now := time.Unix(0, 0)
	c := defaults()
	c.Sys = t.TempDir()
	g := &gpus{conf: c, log: slog.New(slog.NewTextHandler(&logged, nil)), now: func() time.Time { return now }}
	for range 3 {
		if b, err := g.Collect(t.Context()); err != nil || len(b.Points) != 0 {
			t.Errorf("no device: points %v, error %v", b.Points, err)
		}
		if want := now.Add(lookAgain); !g.next.Equal(want) {
			t.Errorf("looks again at %v, want %v", g.next, want)
		}
		now = now.Add(lookAgain)
	}
	if n := strings.Count(logged.String(), "GPUs are not read"); n != 1 {
		t.Errorf("logged %d times, want once:\n%s", n, logged.String())
	}

	device := filepath.Join(c.Sys, "bus/pci/devices/0000:4e:00.0")
	if err := os.MkdirAll(device, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(device, "vendor"), []byte(nvidiaVendor+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := g.Collect(t.Context()); !errors.Is(err, dcgm.ErrNoLibrary) {
		t.Errorf("with a device: error %v, want %v", err, dcgm.ErrNoLibrary)
	}
}

func TestHealth(t *testing.T) {
	now := time.Unix(1000, 0)
	h := &health{period: 10 * time.Second, now: func() time.Time { return now }, started: now}
	ask := func(f http.HandlerFunc) int {
		w := httptest.NewRecorder()
		f(w, httptest.NewRequest("GET", "/", nil))
		return w.Code
	}
	if live, ready := ask(h.live), ask(h.ready); live != 200 || ready != 503 {
		t.Errorf("at the start: live %d, ready %d, want 200 and 503", live, ready)
	}
	now = now.Add(100 * time.Second)
	if err := h.Push(t.Context(), collector.Batch{}); err != nil {
		t.Fatal(err)
	}
	now = now.Add(100 * time.Second)
	if live, ready := ask(h.live), ask(h.ready); live != 200 || ready != 200 {
		t.Errorf("after a look: live %d, ready %d, want 200 and 200", live, ready)
	}
	now = now.Add(100 * time.Second)
	if live := ask(h.live); live != 503 {
		t.Errorf("long after the last look: live %d, want 503", live)
	}
}

func TestBootTime(t *testing.T) {
	now := time.Unix(5000, 0)
	tests := []struct {
		name, uptime, stat string
		want               int64
		wrong              string
	}{
		{name: "uptime", uptime: "1000.50 1999.00\n", stat: "btime 1\n", want: 3999},
		{name: "stat", stat: "cpu 1 2\nbtime 4100\n", want: 4100},
		{name: "bad uptime", uptime: "soon", wrong: "uptime: "},
		{name: "no btime", stat: "cpu 1 2\n", wrong: "has no btime"},
		{name: "nothing", wrong: "read when the node booted: open "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			proc := t.TempDir()
			for file, text := range map[string]string{"uptime": tt.uptime, "stat": tt.stat} {
				if text == "" {
					continue
				}
				if err := os.WriteFile(filepath.Join(proc, file), []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			got, err := bootTime(proc, now)
			if tt.wrong != "" {
				if err == nil || !strings.Contains(err.Error(), tt.wrong) {
					t.Errorf("error %v, want %q", err, tt.wrong)
				}
				return
			}
			if err != nil || got.Unix() != tt.want {
				t.Errorf("bootTime = %v, %v, want %d", got.Unix(), err, tt.want)
			}
		})
	}
}
