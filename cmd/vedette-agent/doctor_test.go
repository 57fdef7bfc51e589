package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"vedette.dev/fixtures/kubeletstub"
)

// doctorSays runs the doctor as a process of its own and returns what it
// printed, columns folded, and its exit status.
func doctorSays(t *testing.T, env []string, args ...string) (string, int) {
	t.Helper()
	p := start(t, env, append([]string{"doctor"}, args...)...)
	p.Wait()
	fold := regexp.MustCompile(`  +`)
	return fold.ReplaceAllString(p.output.String(), " | "), p.ProcessState.ExitCode()
}

func TestDoctorOnAGPUNode(t *testing.T) {
	dir := t.TempDir()
	script, write, env := standIn(t, 4)
	script.Lose(2)
	write()
	proc, sys := nodeRoots(t)
	r, port := listen(t), kubeletstub.Start(t, "gpu-node-1")
	config := filepath.Join(dir, "agent.yaml")
	port.Answer("/configz", kubeletstub.Forbid)
	if err := os.WriteFile(config, fmt.Appendf(nil, "%skubelet: {address: 'https://%s', tokenFile: %s, caFile: %s}\n", head, port.Address, port.TokenFile, port.CAFile), 0o600); err != nil {
		t.Fatal(err)
	}
	got, code := doctorSays(t, env, "--config", config, "--node", "gpu-node-1", "--proc-root", proc, "--sys-root", sys,
		"--kmsg", filepath.Join(dir, "no-kmsg"), "--dcgm", "embedded", "--kubelet", filepath.Join(dir, "no.sock"), "--endpoint", r.address, "--insecure")
	if code != exitFindings {
		t.Errorf("exit status %d, want %d", code, exitFindings)
	}
	for _, want := range []string{
		"ok | node | gpu-node-1 (as configured)",
		"ok | host | ",
		"ok | pressure | the kernel tells of stalls",
		"broken | kernel log | ", "mount /dev/kmsg",
		"broken | gpus | 3 GPUs answer, 1 do not", "cordon the node",
		"broken | kubelet | list pod resources", "into the container",
		"broken | kubelet API | read /configz of kubelet https://" + port.Address + ": 403 Forbidden", "apply deploy/agent-rbac.yaml",
		"ok | endpoint | " + r.address + " took a reading by OTLP over grpc",
		"missing | page | readings are not served",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("it does not say %q:\n%s", want, got)
		}
	}
	if n := strings.Count(got, "\n"); n != 10 {
		t.Errorf("%d lines, want one for each of 10 checks:\n%s", n, got)
	}
}

// A plain machine is no patient: what it has not got is missing, not broken.
func TestDoctorOnAPlainMachine(t *testing.T) {
	proc, sys := nodeRoots(t)
	got, code := doctorSays(t, []string{"NODE_NAME=n1"}, "--proc-root", proc, "--sys-root", sys, "--kmsg", "", "--kubelet", "off", "--dcgm", "off")
	var states []string
	for line := range strings.Lines(got) {
		f := strings.SplitN(line, " | ", 3)
		states = append(states, f[1]+" "+f[0])
	}
	want := []string{"node ok", "host ok", "pressure ok", "kernel log missing", "driver missing", "gpus missing", "kubelet missing", "kubelet API missing", "endpoint missing", "page missing"}
	if diff := cmp.Diff(want, states); diff != "" || code != exitDone {
		t.Errorf("exit status %d, states (-want +got):\n%s", code, diff)
	}
}
