package facts

import (
	"cmp"
	"fmt"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"vedette.dev/analyzer"
	"vedette.dev/analyzer/diagnose/patterns"
	"vedette.dev/analyzer/snapshot"
	"vedette.dev/analyzer/topology"
)

// troubled is how programs say that a call of theirs came to nothing.
var troubled = patterns.MustCompile(`(?i)connection refused|i/o timeout|timed out|no route to host|connection reset|econnrefused|etimedout|econnreset|ehostunreach|deadline exceeded|service unavailable|bad gateway|gateway time-?out|host is unreachable|network is unreachable|connect timeout|timeout exceeded|read timeout|readtimeout|timeouterror|request canceled|socket hang up|connecttimeout|failed to connect|could not connect|no healthy upstream|connection failure|transport failure|connection to \S+ (refused|failed|timed out)|actively refused it|failed to establish a new connection|max retries exceeded with url|could not be established|failed to connect to all addresses|upstream connect error|noroutetohost|server selection timeout|serverselectiontimeout|broker \S+ .{0,30}disconnected|no brokers available|nobrokersavailable`)

// waited is how they say that nothing came back, as when packets are dropped.
var waited = regexp.MustCompile(`(?i)timed? ?-?out|ETIMEDOUT|deadline exceeded|ConnectTimeout`)

var (
	// cart.shop.svc, cart.shop.svc.cluster.local:8080
	fullName = regexp.MustCompile(`\b([a-z0-9][a-z0-9-]*)\.([a-z0-9][a-z0-9-]*)\.svc\b(?:\.[a-z.]+)?(?::(\d+))?`)
	// http://cart:8080/, tcp cart:6379, "cart.shop:80"
	shortName = regexp.MustCompile(`(?:://|\b|")([a-z][a-z0-9-]*)(?:\.([a-z][a-z0-9-]*))?(?::(\d{2,5})|/)`)
	// 10.1.2.3:5432, NCCL's 10.1.2.3<41231>, and [::ffff:10.1.2.3]:29500 of who listens for both kinds of addresses
	ipAndPort = regexp.MustCompile(`\b(\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3})(?:\]?:|<)(\d{1,5})`)
	// server at "pg" (10.1.2.3), port 5432, and server on 'mysql', as libraries of databases say it
	serverAt = regexp.MustCompile(`server (?:at|on) ["']([a-z0-9-]+)(?:\.([a-z0-9-]+))?[a-z0-9.-]*["'](?: \([0-9a-f.:]+\))?(?:, port (\d+))?`)
)

// A call is a line in which a program says that it did not reach another.
type call struct {
	from   analyzer.Subject // the workload
	pod    *pod
	to     analyzer.Subject
	port   int32
	waited bool // nothing came back; else it was refused or answered with an error
	line   snapshot.Line
}

// A failing call is news for as long as a restart is; a line or two of it
// are what every start and every rollout leaves.
const (
	callNews     = 10 * time.Minute
	callsToMind  = 3
	callsTooLong = 3 * time.Minute
)

// readCalls records which workloads keep failing to reach which Services.
func (w *World) readCalls() {
	ips := map[string]analyzer.Subject{}
	for _, s := range w.s.Services() {
		if ip := s.Object.Spec.ClusterIP; ip != "" && ip != corev1.ClusterIPNone {
			ips[ip] = serviceSubject(s.Object)
		}
	}
	for _, p := range w.order {
		if ip := p.Status.PodIP; ip != "" && !p.Spec.HostNetwork && !p.gone {
			ips[ip] = p.subject
		}
	}
	for _, l := range w.s.Logs {
		p := w.pods[analyzer.Pod(l.Namespace, l.Pod)]
		if p == nil || p.gone {
			continue
		}
		for _, line := range l.Lines {
			if !troubled.Holds(line.Text) {
				continue
			}
			if to, port, ok := w.callee(p, line.Text, ips); ok {
				w.calls = append(w.calls, call{from: w.Workload(p.subject), pod: p, to: to, port: port, waited: waited.MatchString(line.Text), line: line})
			}
		}
	}
	slices.SortStableFunc(w.calls, func(a, b call) int {
		return cmp.Or(topology.Compare(a.from, b.from), topology.Compare(a.to, b.to), a.line.At.Compare(b.line.At))
	})
	for i := 0; i < len(w.calls); {
		n := i + 1
		for n < len(w.calls) && w.calls[n].from == w.calls[i].from && w.calls[n].to == w.calls[i].to {
			n++
		}
		w.addCalls(w.calls[i:n])
		i = n
	}
}

// callee returns whom a line of p says it did not reach.
func (w *World) callee(p *pod, text string, ips map[string]analyzer.Subject) (to analyzer.Subject, port int32, ok bool) {
	number := func(s string) int32 { n, _ := strconv.ParseInt(s, 10, 32); return int32(n) }
	for _, m := range fullName.FindAllStringSubmatch(text, -1) {
		if _, ok := w.serviceNamed(m[2], m[1]); ok {
			return analyzer.Subject{Kind: "service", Namespace: m[2], Name: m[1]}, number(m[3]), true
		}
	}
	for _, m := range ipAndPort.FindAllStringSubmatch(text, -1) {
		if to, ok := ips[m[1]]; ok && to != p.subject {
			return to, number(m[2]), true
		}
	}
	for _, m := range append(serverAt.FindAllStringSubmatch(text, -1), shortName.FindAllStringSubmatch(text, -1)...) {
		for _, ns := range []string{m[2], p.Namespace} {
			if _, ok := w.serviceNamed(ns, m[1]); ok && net.ParseIP(m[1]) == nil {
				return analyzer.Subject{Kind: "service", Namespace: ns, Name: m[1]}, number(m[3]), true
			}
		}
	}
	m := ipAndPort.FindStringSubmatch(text)
	if m == nil {
		return analyzer.Subject{}, 0, false
	}
	// The address of a pod that has been replaced, or of a Service that was: the
	// one that the line names, or the only one with that port.
	port = number(m[2])
	var named, listening []analyzer.Subject
	for _, s := range w.services[p.Namespace] {
		self := serviceSubject(s.Object)
		if slices.Contains(w.Behind(self), w.Workload(p.subject)) {
			continue
		}
		if len(s.Object.Name) >= leastName && namesHost(text, s.Object.Name) {
			named = append(named, self)
		}
		if slices.ContainsFunc(s.Object.Spec.Ports, func(x corev1.ServicePort) bool { return x.Port == port }) {
			listening = append(listening, self)
		}
	}
	switch {
	case ips == nil:
	case len(named) == 1:
		return named[0], port, true
	case len(listening) == 1:
		return listening[0], port, true
	}
	return analyzer.Subject{}, 0, false
}

// leastName is how long a Service's name must be to be told from a word: "db" and "api" are both.
const leastName = 5

// addCalls records the calls of one workload to one callee, oldest first.
func (w *World) addCalls(cs []call) {
	first, last := cs[0], cs[len(cs)-1]
	behind := w.Behind(first.to)
	if slices.Contains(behind, first.from) {
		return // pods of one workload: the readers of ranks look at those
	}
	f := w.add(Fact{Fact: analyzer.Fact{Subject: first.from, Name: "call-failing", At: first.line.At, Source: last.line.Source,
		Text: "it does not reach " + w.Words(first.to) + ": " + clip(last.line.Text)}, Kind: LogKind, Until: last.line.At, Weight: 1, Seen: append(slices.Clone(behind), first.to)})
	lasting := len(cs) >= callsToMind && last.line.At.Sub(first.line.At) >= callsTooLong
	f.Standing = !last.line.At.IsZero() && w.now.Sub(last.line.At) <= callNews && lasting
	if !lasting && diedSaying(last.pod, last.line) {
		f.Standing, f.Weight = true, 0 // that it died is the complaint
	}
	var names []string
	for _, s := range f.Seen {
		names = append(names, s.String())
	}
	f.Detail["callee"] = strings.Join(names, " ")
	f.Detail["waited"] = fmt.Sprint(last.waited)
	if on := first.pod.Spec.NodeName; on != "" && !slices.ContainsFunc(cs, func(c call) bool { return c.pod.Spec.NodeName != on }) {
		f.Detail["from"] = analyzer.Node(on).String()
	}
	if first.line.Source != last.line.Source {
		f.Also = append(f.Also, analyzer.Evidence{Source: first.line.Source, At: first.line.At, Text: clip(first.line.Text)})
	}
}

// dyingWords is how long before its end a program says why, time for what it
// closes down included.
const dyingWords = 30 * time.Second

// diedSaying reports whether the line is among the last of a container that
// ended with an error and whose pod is not well since: each start leaves one such line.
func diedSaying(p *pod, l snapshot.Line) bool {
	if p.ready() {
		return false
	}
	for _, cs := range slices.Concat(p.Status.InitContainerStatuses, p.Status.ContainerStatuses) {
		for _, t := range []*corev1.ContainerStateTerminated{cs.State.Terminated, cs.LastTerminationState.Terminated} {
			if t == nil || t.ExitCode == 0 {
				continue
			}
			if d := t.FinishedAt.Sub(l.At); d > -time.Second && d <= dyingWords { // kubelets write whole seconds
				return true
			}
		}
	}
	return false
}
