package main

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"vedette.dev/fixtures/dcgmstub"
)

// A stage is a node on which everything is well, to take something away from.
type stage struct {
	script                       *dcgmstub.Script
	write                        func()
	env                          []string
	proc, sys, socket, kmsg, dir string
	queue                        string
	nobody                       bool // the agent runs as a user who may do little
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
	return s
}

// start starts the agent on the stage.
func (s *stage) start(t *testing.T, endpoint string) *process {
	t.Helper()
	args := []string{"--endpoint", endpoint, "--insecure", "--node", "gpu-node-1", "--period", "1s", "--proc-root", s.proc, "--sys-root", s.sys,
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
	onDisk  = "vedette_agent_queue_bytes{"
	readsUp = `vedette_source_up{instance="gpu-node-1",source=`
)

var allOf = []string{load, gpus2, kernel, podOf, onDisk}

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
		lost    string                   // what is then not sent
	}{
		{name: "all is well"},
		{name: "no GPU", lost: gpus2, line: []string{"GPUs are not read", "no usable libdcgm.so.4"},
			arrange: func(_ *testing.T, s *stage) { s.env = nil }},
		{name: "no library", lost: gpus2, down: "dcgm", line: []string{"GPUs are not read", "no usable libdcgm.so.4"},
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
		{name: "no kubelet", lost: podOf, down: "kubelet", line: []string{"source kubelet fails", "list pod resources", "no such file or directory"},
			arrange: func(_ *testing.T, s *stage) { s.socket += ".gone" }},
		{name: "no permission for the kubelet", lost: podOf, down: "kubelet", line: []string{"source kubelet fails", "permission denied"},
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
		{name: "a directory for the queue that is not writable", lost: onDisk, line: []string{"there is no queue on disk", "permission denied"},
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
		{name: "an engine that hangs", lost: gpus2, down: "dcgm", line: []string{"source dcgm fails", "no answer after"},
			during: func(s *stage) { s.script.Hang(true) }, after: func(s *stage) { s.script.Hang(false) }},
		{name: "an engine that dies", lost: gpus2, down: "dcgm", line: []string{"source dcgm fails", "start the embedded host engine", "connection invalid"},
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
				if prefix != tt.lost {
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
				if n, _ := r.series(tt.lost); n > 0 && tt.lost != "" {
					t.Errorf("%s is sent, want it lost", tt.lost)
				}
				for _, source := range []string{"dcgm", "host", "kmsg", "kubelet"} {
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
