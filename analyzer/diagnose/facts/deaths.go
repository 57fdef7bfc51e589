package facts

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"vedette.dev/analyzer"
)

// deaths are the ends of containers of which the kernel has a word too.
var deaths = []struct{ end, said string }{
	{"container-oom-killed", "kernel-oom-cgroup"},
	{"container-signalled", "kernel-crash"},
}

// deathLag is how far the kernel's line and the end that the kubelet wrote down,
// in whole seconds and after the last process was gone, may be apart.
const deathLag = 10 * time.Second

// readDeaths finds, for the last end of each container, the line of the kernel
// of the same moment. The line names a process of the node and no container, so
// only the moment says that it is this one: another program's crash is none.
func (w *World) readDeaths() {
	for _, d := range deaths {
		for _, f := range w.Called(d.end) {
			node := w.NodeOf(f.Subject)
			for _, k := range w.Called(d.said) {
				if k.Kind != KernelKind || node == "" || k.Subject != analyzer.Node(node) {
					continue
				}
				lines := append([]analyzer.Evidence{{Source: k.Source, At: k.At, Text: k.Text}}, k.Also...)
				if i := slices.IndexFunc(lines, func(l analyzer.Evidence) bool { return l.At.Sub(f.At).Abs() <= deathLag }); i >= 0 {
					w.add(Fact{Fact: analyzer.Fact{Subject: f.Subject, Name: "end-in-kernel", At: lines[i].At, Standing: f.Standing, Source: lines[i].Source,
						Text: "the kernel of " + w.Words(k.Subject) + ": " + lines[i].Text}, Kind: KernelKind})
				}
			}
		}
	}
}

// cgroupPod is the UID of a pod in the name of its cgroup: pod<uid> as the
// kubelet writes it, pod<uid with _> as systemd has it.
var cgroupPod = regexp.MustCompile(`pod([0-9a-f]{8}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{12})`)

// missesWorker is how long a program may take to end for a process of its own
// that was killed: PyTorch looks after its workers every five seconds, and others close down first.
const missesWorker = time.Minute

// readKilledWorkers finds containers that ended by themselves after the kernel
// had killed another process in them: only the end of the first process is
// called OOMKilled.
func (w *World) readKilledWorkers() {
	byUID := map[string]*pod{}
	for _, p := range w.order {
		byUID[string(p.UID)] = p
	}
	for _, k := range w.Called("kernel-oom-cgroup") {
		for _, l := range append([]analyzer.Evidence{{Source: k.Source, At: k.At, Text: k.Text}}, k.Also...) {
			m := cgroupPod.FindStringSubmatch(l.Text)
			if m == nil {
				continue
			}
			p := byUID[strings.ReplaceAll(m[1], "_", "-")]
			if p == nil {
				continue
			}
			for _, f := range w.Called("container-failed", "container-killed", "container-signalled") {
				if d := f.At.Sub(l.At); f.Subject == p.subject && d >= -time.Second && d <= missesWorker {
					w.addOnce(Fact{Fact: analyzer.Fact{Subject: f.Subject, Name: "worker-oom-killed", At: l.At, Standing: f.Standing, Source: l.Source,
						Text: fmt.Sprintf("the kernel killed a process of it for want of memory before %s: %s", f.Text, l.Text)}, Kind: KernelKind})
				}
			}
		}
	}
}
