package facts

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// servesTLS reports whether the port that a probe asks serves TLS, by the
// program's settings, its port's name or number, or its own word.
func (w *World) servesTLS(p *pod, c corev1.Container, probe *corev1.Probe) bool {
	for _, e := range c.Env {
		if on := strings.ToLower(e.Value); tlsSet.MatchString(e.Name) && (on == "true" || on == "1" || on == "on" || on == "yes") {
			return true
		}
	}
	port := probePort(probe)
	for _, x := range c.Ports {
		if (x.ContainerPort == port.IntVal || x.Name == port.StrVal && x.Name != "") && (strings.Contains(x.Name, "https") || strings.Contains(x.Name, "tls")) {
			return true
		}
	}
	for _, l := range w.s.Logs {
		if l.Namespace != p.Namespace || l.Pod != p.Name || l.Container != c.Name {
			continue
		}
		for _, line := range l.Lines {
			if tlsSaid.MatchString(line.Text) {
				return true
			}
		}
	}
	return false
}
