package facts

import (
	"slices"
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
