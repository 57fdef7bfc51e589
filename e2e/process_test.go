//go:build e2e

// Package e2e runs the built binaries as a user would, against real third
// parties: Debian's Alertmanager and promtool, and Chromium. It needs what
// e2e/install installs, and `make build` before.
package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	vedette = "../bin/vedette"
	agent   = "../bin/vedette-agent"
)

// patience is how long something may take that is expected within seconds:
// shared machines stand still for a while.
const patience = 2 * time.Minute

// A process is a running program whose output is kept.
type process struct {
	name string
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended

	mu  sync.Mutex
	out bytes.Buffer
}

// Write implements [io.Writer].
func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.Write(b)
}

func (p *process) output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.String()
}

// start runs a program until the test ends. A test that fails shows its output.
func start(t *testing.T, name string, args ...string) *process {
	t.Helper()
	p := &process{name: filepath.Base(name), cmd: exec.Command(name, args...), done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = p, p
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		p.cmd.Wait()
		close(p.done)
	}()
	t.Cleanup(func() {
		p.stop(t)
		if t.Failed() {
			t.Logf("%s wrote:\n%s", p.name, p.output())
		}
	})
	return p
}

// stop ends the process as Ctrl-C does and returns its exit status.
func (p *process) stop(t *testing.T) int {
	t.Helper()
	p.cmd.Process.Signal(syscall.SIGINT)
	select {
	case <-p.done:
	case <-time.After(patience):
		p.cmd.Process.Kill()
		<-p.done
		t.Errorf("%s did not end when it was told to", p.name)
	}
	return p.cmd.ProcessState.ExitCode()
}

// find waits until the output matches re and returns its first group.
func (p *process) find(t *testing.T, re string) string {
	t.Helper()
	var found []string
	p.within(t, "output "+re, patience, func() bool {
		found = regexp.MustCompile(re).FindStringSubmatch(p.output())
		return found != nil
	})
	return found[len(found)-1]
}

// within waits until ok holds, and fails the test where it does not in time or
// the process ends before.
func (p *process) within(t *testing.T, what string, limit time.Duration, ok func() bool) {
	t.Helper()
	end := time.After(limit)
	for !ok() {
		select {
		case <-p.done:
			t.Fatalf("%s ended before there was %s:\n%s", p.name, what, p.output())
		case <-end:
			t.Fatalf("no %s within %s", what, limit)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// run runs a program to its end and returns what it wrote and its exit status.
func run(t *testing.T, name string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); cmd.ProcessState == nil {
		t.Fatalf("%s %v: %v", name, args, err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// must is run for what has to end with 0; it returns stdout.
func must(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, errs, code := run(t, name, args...)
	if code != 0 {
		t.Fatalf("%s %s ended with %d:\n%s%s", filepath.Base(name), strings.Join(args, " "), code, out, errs)
	}
	return out
}

func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	tmp := path + ".new" // in one step: a reader sees the old or the new
	if err := os.WriteFile(tmp, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(tmp, path); err != nil {
		t.Fatal(err)
	}
	return path
}

// freePort returns a port of loopback that nobody listens on, for programs
// that cannot choose one themselves.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// get decodes the JSON answer of url into v; it reports whether there was one.
func get(url, token string, v any) bool {
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	return err == nil && resp.StatusCode == http.StatusOK && json.Unmarshal(data, v) == nil
}

// startAlertmanager runs Debian's Alertmanager and returns its URL.
func startAlertmanager(t *testing.T) string {
	t.Helper()
	dir, addr := t.TempDir(), freePort(t)
	config := write(t, filepath.Join(dir, "alertmanager.yml"), "route: {receiver: nobody}\nreceivers: [{name: nobody}]\n")
	am := start(t, "/usr/bin/prometheus-alertmanager", "--config.file="+config, "--storage.path="+dir,
		"--web.listen-address="+addr, "--cluster.listen-address=")
	am.within(t, "ready Alertmanager", patience, func() bool {
		resp, err := http.Get("http://" + addr + "/-/ready")
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
	return "http://" + addr
}

// A central is a running `vedette server` with tokens.
type central struct {
	*process
	dir, url, otlp       string
	ingestFile, apiFile  string
	apiToken, ingestWord string
}

// startServer runs the server in dir, with an Alertmanager unless that is "".
func startServer(t *testing.T, dir, alertmanager string) *central {
	t.Helper()
	return startServerAt(t, dir, alertmanager, "127.0.0.1:0", "127.0.0.1:0")
}

// startServerAt is startServer at given addresses, with more lines of configuration.
func startServerAt(t *testing.T, dir, alertmanager, http, otlp string, more ...string) *central {
	t.Helper()
	c := &central{dir: dir, apiToken: "for-people", ingestWord: "for-agents"}
	c.apiFile = write(t, filepath.Join(dir, "api.token"), c.apiToken+"\n")
	c.ingestFile = write(t, filepath.Join(dir, "ingest.token"), c.ingestWord+"\n")
	config := fmt.Sprintf(`apiVersion: vedette.dev/v1
kind: ServerConfig
cluster: {name: here}
listen: {http: "%s", otlp: "%s"}
data: %s
tokens: {ingest: %s, api: %s}
evaluate: 1s
`, http, otlp, filepath.Join(dir, "data"), c.ingestFile, c.apiFile)
	if alertmanager != "" {
		config += fmt.Sprintf("alertmanagers: [%q]\n", alertmanager)
	}
	config += strings.Join(more, "\n")
	c.process = start(t, vedette, "server", "--config", write(t, filepath.Join(dir, "server.yaml"), config))
	c.url = c.find(t, `page=(http://\S+)`)
	c.otlp = c.find(t, `otlp=(\S+)`)
	return c
}

// vedette runs the command line against the server.
func (c *central) vedette(t *testing.T, args ...string) string {
	t.Helper()
	return must(t, vedette, append([]string{"--server", c.url, "--token-file", c.apiFile}, args...)...)
}

// query returns the values of an instant query, by their labels as text.
func (c *central) query(expr string) map[string]string {
	var r struct {
		Data struct {
			Result []struct {
				Metric map[string]string
				Value  [2]any
			}
		}
	}
	out := map[string]string{}
	if !get(c.url+"/api/v1/query?query="+queryEscape(expr), c.apiToken, &r) {
		return out
	}
	for _, s := range r.Data.Result {
		out[fmt.Sprint(s.Metric)] = fmt.Sprint(s.Value[1])
	}
	return out
}
