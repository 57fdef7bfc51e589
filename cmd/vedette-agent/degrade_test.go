package main

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"vedette.dev/fixtures/dcgmstub"
	"vedette.dev/fixtures/kubeletstub"
)

// A stage is a node on which everything is well, to take something away from.
type stage struct {
	script                       *dcgmstub.Script
	write                        func()
	env                          []string
	proc, sys, socket, kmsg, dir string
	queue                        string
	port                         *kubeletstub.Port
	config                       string // text of the agent's file
	nobody                       bool   // the agent runs as a user who may do little
}

func newStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{dir: t.TempDir()}
	if err := os.Chmod(filepath.Dir(s.dir), 0o755); err != nil { // for an agent that is not root
		t.Fatal(err)
	}
	s.script, s.write, s.env = standIn(t, 2)
	s.proc, s.sys = nodeRoots(t)
	s.queue, s.kmsg = filepath.Join(s.dir, "queue.db"), filepath.Join(s.dir, "kmsg")
	if err := os.WriteFile(s.kmsg, nil, 0o644); err != nil {
		t.Fatal(err)
	}

	s.socket = serveKubelet(t, holder{})
	s.port = kubeletstub.Start(t, "gpu-node-1")
	s.config = fmt.Sprintf("%skubelet: {address: 'https://%s', tokenFile: %s, caFile: %s, podLabels: ['^team$']}\n", head, s.port.Address, s.port.TokenFile, s.port.CAFile)
	return s
}

// start starts the agent on the stage.
func (s *stage) start(t *testing.T, endpoint string) *process {
	t.Helper()
	config := filepath.Join(s.dir, "agent.yaml")
	if err := os.WriteFile(config, []byte(s.config), 0o644); err != nil {
		t.Fatal(err)
	}
	args := []string{"--config", config, "--endpoint", endpoint, "--insecure", "--node", "gpu-node-1", "--period", "1s", "--proc-root", s.proc, "--sys-root", s.sys,
		"--kmsg", s.kmsg, "--kubelet", s.socket, "--queue", s.queue}
	if s.env != nil {
		args = append(args, "--dcgm", "embedded")
	}
	if !s.nobody || os.Geteuid() != 0 {
		return start(t, s.env, args...)
	}
	// Root may do anything, so the agent must not be root: nor may it find
	// this program where go test has put it.
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(s.dir, "agent")
	if err := copyFile(program, self); err != nil {
		t.Fatal(err)
	}
	p := &process{Cmd: exec.Command(program, args...)}
	const nobody = 65534
	p.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	p.Dir, p.Env = "/", append(os.Environ(), append(s.env, asAgent+"=1")...)
	p.Stdout, p.Stderr = &p.output, &p.errors
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Process.Kill() })
	return p
}

func copyFile(to, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	defer out.Close()
	_, err = io.Copy(out, in)
	return err
}

// What is sent while all is well, by the beginning of a series.
const (
	load    = "node_load1{"
	gpus2   = "DCGM_FI_DEV_GPU_TEMP{"
	kernel  = "vedette_kernel_lines_total{"
	podOf   = "vedette_gpu_pod{"
	inUse   = "container_cpu_usage_seconds_total{"
	disks   = "vedette_kubelet_fs_available_bytes{"
	onDisk  = "vedette_agent_queue_bytes{"
	readsUp = `vedette_source_up{instance="gpu-node-1",source=`
)

var allOf = []string{load, gpus2, kernel, podOf, inUse, disks, onDisk}

// whole reports what is missing of what comes from two sources, while all is well.
func (s *stage) whole(t *testing.T, r *receiver) {
	t.Helper()
	if !slices.ContainsFunc(slices.Collect(maps.Keys(r.lines)), func(line string) bool {
		return strings.HasPrefix(line, gpus2) && strings.Contains(line, `pod="train-0"`) && strings.Contains(line, `team="vision"`)
	}) {
		t.Error("no reading of a GPU has its pod's labels")
	}
	const kind = `"kind":"KubeletConfiguration"`
	if n := strings.Count(strings.Join(r.logs, "\n"), kind); n != 1 {
		t.Errorf("the kubelet's configuration is told %d times, want once", n)
	}
}

// TestDegrade takes away one thing after another that the agent needs. Each
// time one line says what and why, and the rest is sent on.
func TestDegrade(t *testing.T) {
	tests := []struct {
		name    string
		arrange func(*testing.T, *stage) // before the start; may be nil
		during  func(*stage)             // when all has been sent; may be nil
		after   func(*stage)             // undoes during, before the end
		line    []string                 // what the one warning says
		down    string                   // the source that is not up
		lost    []string                 // what is then not sent
	}{
		{name: "all is well"},
		{name: "no GPU", lost: []string{gpus2}, line: []string{"GPUs are not read", "no usable libdcgm.so.4"},
			arrange: func(_ *testing.T, s *stage) { s.env = nil }},
		{name: "no library", lost: []string{gpus2}, down: "dcgm", line: []string{"GPUs are not read", "no usable libdcgm.so.4"},
			arrange: func(t *testing.T, s *stage) {
				s.env = nil
				device := filepath.Join(s.sys, "bus/pci/devices/0000:18:00.0")
				if err := os.MkdirAll(device, 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(device, "vendor"), []byte("0x10de\n"), 0o644); err != nil {
					t.Fatal(err)
				}
			}},
		{name: "no kubelet", lost: []string{podOf}, down: "kubelet", line: []string{"source kubelet fails", "list pod resources", "no such file or directory"},
			arrange: func(_ *testing.T, s *stage) { s.socket += ".gone" }},
		{name: "no permission for the kubelet", lost: []string{podOf}, down: "kubelet", line: []string{"source kubelet fails", "permission denied"},
			arrange: func(t *testing.T, s *stage) {
				s.nobody, s.queue = true, filepath.Join(s.dir, "mine", "queue.db")
				mine := filepath.Dir(s.queue)
				if err := os.Mkdir(mine, 0o777); err != nil {
					t.Fatal(err)
				}
				if err := os.Chmod(mine, 0o777); err != nil { // past the umask
					t.Fatal(err)
				}
				if err := os.Chmod(s.socket, 0); err != nil {
					t.Fatal(err)
				}
			}},
		{name: "a directory for the queue that is not writable", lost: []string{onDisk}, line: []string{"there is no queue on disk", "permission denied"},
			arrange: func(t *testing.T, s *stage) {
				s.nobody = true
				if err := os.Chmod(s.socket, 0o777); err != nil {
					t.Fatal(err)
				}
				locked := filepath.Join(s.dir, "locked")
				if err := os.Mkdir(locked, 0o555); err != nil {
					t.Fatal(err)
				}
				s.queue = filepath.Join(locked, "queue.db")
			}},
		{name: "no kernel log", down: "kmsg", line: []string{"source kmsg fails", "open kernel log", "no such file or directory"},
			arrange: func(_ *testing.T, s *stage) { s.kmsg += ".gone" }},
		{name: "no kubelet at its port", lost: []string{inUse, disks}, down: "kubelet-api", line: []string{"source kubelet-api fails", "/metrics/cadvisor, /stats/summary, /configz", "connection refused"},
			arrange: func(_ *testing.T, s *stage) { s.port.Stop() }},
		{name: "no right to a page of the kubelet's", lost: []string{disks}, down: "kubelet-api", line: []string{"source kubelet-api fails", "/stats/summary", "403 Forbidden", "subresource(s)=[stats]"},
			arrange: func(_ *testing.T, s *stage) { s.port.Answer("/stats/summary", kubeletstub.Forbid) }},
		{name: "a kubelet that takes another token", lost: []string{inUse, disks}, down: "kubelet-api", line: []string{"source kubelet-api fails", "401 Unauthorized"},
			during: func(s *stage) { s.port.Take("second") }, after: func(s *stage) { s.port.Take("first") }},
		{name: "a kubelet's certificate of nobody known", lost: []string{inUse, disks}, down: "kubelet-api", line: []string{"source kubelet-api fails", "unknown authority"},
			arrange: func(_ *testing.T, s *stage) { s.config = strings.Replace(s.config, s.port.CAFile, "''", 1) }},
		{name: "a kubelet's certificate that nobody verifies", line: []string{"the kubelet's certificate is not verified"},
			arrange: func(_ *testing.T, s *stage) {
				s.config = strings.Replace(s.config, "caFile: "+s.port.CAFile, "insecureSkipVerify: true", 1)
			}},
		{name: "a page of the kubelet's that hangs", lost: []string{disks}, down: "kubelet-api", line: []string{"source kubelet-api fails", "/stats/summary", "no whole answer within"},
			during: func(s *stage) {
				s.port.Answer("/stats/summary", func(_ http.ResponseWriter, r *http.Request, _ []byte) { <-r.Context().Done() })
			},
			after: func(s *stage) { s.port.Answer("/stats/summary", nil) }},
		{name: "an engine that hangs", lost: []string{gpus2}, down: "dcgm", line: []string{"source dcgm fails", "no answer after"},
			during: func(s *stage) { s.script.Hang(true) }, after: func(s *stage) { s.script.Hang(false) }},
		{name: "an engine that dies", lost: []string{gpus2}, down: "dcgm", line: []string{"source dcgm fails", "start the embedded host engine", "connection invalid"},
			during: func(s *stage) { s.script.Die(true) }, after: func(s *stage) { s.script.Die(false) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, r := newStage(t), listen(t)
			if tt.arrange != nil {
				tt.arrange(t, s)
			}
			agent := s.start(t, r.address)
			t.Cleanup(func() {
				if t.Failed() && agent.ProcessState == nil {
					agent.Process.Kill()
					agent.Wait()
					t.Logf("the agent logged:\n%s", agent.errors.String())
				}
			})
			sent := func(all []string) bool {
				for _, prefix := range all {
					if n, _ := r.series(prefix); n == 0 {
						return false
					}
				}
				return true
			}
			if tt.during != nil {
				r.wait(t, "readings of all", func() bool { return sent(allOf) })
				tt.during(s)
				s.write()
				r.wait(t, "look without it", func() bool { return r.lines[readsUp+`"`+tt.down+`"}`] == 0 })
				r.note(func() { clear(r.lines) }) // what is sent from now on
			}

			var rest []string
			for _, prefix := range allOf {
				if !slices.Contains(tt.lost, prefix) {
					rest = append(rest, prefix)
				}
			}
			pushes := 0
			r.wait(t, "second look at the rest", func() bool {
				if !sent(rest) {
					return false
				}
				if pushes == 0 {
					pushes = r.pushes
				}
				return r.pushes > pushes
			})
			r.note(func() {
				if tt.lost == nil {
					s.whole(t, r)
				}
				for _, lost := range tt.lost {
					if n, _ := r.series(lost); n > 0 {
						t.Errorf("%s is sent, want it lost", lost)
					}
				}
				for _, source := range []string{"dcgm", "host", "kmsg", "kubelet", "kubelet-api"} {
					want := 1.0
					if source == tt.down {
						want = 0
					}
					if got, ok := r.lines[readsUp+`"`+source+`"}`]; !ok || got != want {
						t.Errorf("source %s is up: %v (%v), want %v", source, got, ok, want)
					}
				}
			})
			if tt.after != nil {
				tt.after(s)
				s.write()
				r.wait(t, "return", func() bool { return sent(allOf) })
			}

			var warnings []string
			for line := range strings.Lines(agent.end(t)) {
				if strings.Contains(line, "level=WARN") || strings.Contains(line, "level=ERROR") || !strings.Contains(line, "level=") {
					warnings = append(warnings, line)
				}
			}
			if tt.line == nil && len(warnings) > 0 || tt.line != nil && len(warnings) != 1 {
				t.Fatalf("warnings %q, want one of %q", warnings, tt.line)
			}
			for _, word := range tt.line {
				if !strings.Contains(warnings[0], word) {
					t.Errorf("the warning is %q, want %q in it", warnings[0], word)
				}
			}
		})
	}
}
