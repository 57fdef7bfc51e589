package facts

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"vedette.dev/analyzer/snapshot"
)

var (
	// What a probe says when the other side speaks, but not its protocol: HTTP
	// to gRPC, gRPC to HTTP, TLS to plain text.
	otherProtocol = regexp.MustCompile(`malformed HTTP|transport connection broken|gave HTTP response to HTTPS client|first record does not look like a TLS handshake|error reading server preface|frame too large`)
	// What servers answer who are spoken to in plain HTTP where they serve TLS.
	plainToTLS = regexp.MustCompile(`statuscode: 400|: EOF$|connection reset by peer|malformed HTTP response`)
	// How a program says that it serves TLS.
	tlsSaid = regexp.MustCompile(`(?i)\(https\)|https://(?:0\.0\.0\.0|\[::\]|localhost|127\.0\.0\.1|\*|:)|HTTP request (?:was sent )?to (?:an )?HTTPS (?:server|port)|TLS handshake error from|(?:listening|serving|server|started).*\b(?:https|tls|ssl)\b`)
	// How settings say it: of the server, for clients have such settings too.
	tlsSet = regexp.MustCompile(`(?i)(?:SERVER|LISTEN|HTTP|WEB|API|SERVE|ENABLE|USE)\w*(?:SSL|TLS|HTTPS)_?(?:ENABLED?|ON)?$`)
	// What it says when nobody listens.
	nobodyListens = regexp.MustCompile(`connection refused|failed to connect service`)
)

// soonKilled is the time below which a liveness probe gives up before ordinary
// programs have started. Kubernetes' own defaults give them 30 seconds.
const soonKilled = 10 * time.Second

// standingProbe is how often a probe must have failed to be more than a slow start.
const standingProbe = 3

// readProbes tells probes that ask wrongly from programs that do not answer.
func (w *World) readProbes() {
	for _, p := range w.order {
		if p.gone {
			continue
		}
		for _, e := range w.events[p.subject] {
			live := strings.HasPrefix(e.Message, "Liveness probe failed")
			if e.Reason != "Unhealthy" || !live && !strings.HasPrefix(e.Message, "Readiness probe failed") {
				continue
			}
			if e.Times() < standingProbe || p.ready() && w.now.Sub(e.Latest()) > fresh {
				continue
			}
			c, probe := probed(p, e, live)
			if probe == nil {
				continue
			}
			if name, text := misprobe(c, probe, live, plainToTLS.MatchString(e.Message) && w.servesTLS(p, c, probe), e.Message); name != "" {
				w.addProbe(p, e, name, text)
			}
		}
	}
}

func (w *World) addProbe(p *pod, e snapshot.Event, name, text string) {
	top := w.Workload(p.subject)
	if slices.ContainsFunc(w.named[name], func(f *Fact) bool { return f.Subject == top }) {
		return
	}
	f := w.state(p, name, e.Onset(), 2, text)
	f.Subject = top
	f.Also = append(f.Also, evidenceOf(e))
}

// probed returns the container that the event is about, and its probe.
func probed(p *pod, e snapshot.Event, live bool) (corev1.Container, *corev1.Probe) {
	for _, c := range p.Spec.Containers {
		probe := c.ReadinessProbe
		if live {
			probe = c.LivenessProbe
		}
		path := e.InvolvedObject.FieldPath
		if probe != nil && (path == "" || path == "spec.containers{"+c.Name+"}") {
			return c, probe
		}
	}
	return corev1.Container{}, nil
}

// misprobe names what is wrong with a probe that failed with the message, ""
// where nothing is; tls tells that the other side serves TLS and may have said this for it.
func misprobe(c corev1.Container, probe *corev1.Probe, live, tls bool, message string) (name, text string) {
	kind := "readiness"
	if live {
		kind = "liveness"
	}
	port := probePort(probe)
	granted := time.Duration(probe.InitialDelaySeconds+max(probe.PeriodSeconds, 1)*max(probe.FailureThreshold, 1)) * time.Second
	if tls && probe.HTTPGet != nil && probe.HTTPGet.Scheme != corev1.URISchemeHTTPS {
		return kind + "-other-protocol", fmt.Sprintf("the %s probe of container %s speaks plain HTTP to a port that serves TLS", kind, c.Name)
	}
	switch {
	case otherProtocol.MatchString(message):
		return kind + "-other-protocol", fmt.Sprintf("the %s probe of container %s is answered in another protocol", kind, c.Name)
	case !nobodyListens.MatchString(message):
	case port != (intstr.IntOrString{}) && len(c.Ports) > 0 && !declares(c, port):
		return kind + "-other-port", fmt.Sprintf("the %s probe of container %s asks port %s, which the container does not have", kind, c.Name, port.String())
	case live && granted < soonKilled && c.StartupProbe == nil:
		return "liveness-too-early", fmt.Sprintf("the liveness probe of container %s gives up %s after the start", c.Name, granted)
	}
	return "", ""
}

func probePort(p *corev1.Probe) intstr.IntOrString {
	switch {
	case p.HTTPGet != nil:
		return p.HTTPGet.Port
	case p.TCPSocket != nil:
		return p.TCPSocket.Port
	case p.GRPC != nil:
		return intstr.FromInt32(p.GRPC.Port)
	}
	return intstr.IntOrString{}
}

// declares reports whether the container has the port, by its number or name.
func declares(c corev1.Container, port intstr.IntOrString) bool {
	return slices.ContainsFunc(c.Ports, func(x corev1.ContainerPort) bool {
		return port.Type == intstr.Int && x.ContainerPort == port.IntVal || port.Type == intstr.String && x.Name == port.StrVal
	})
}
