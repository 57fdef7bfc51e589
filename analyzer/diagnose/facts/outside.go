package facts

import (
	"regexp"
	"strings"
	"time"

	"vedette.dev/analyzer"
	"vedette.dev/analyzer/diagnose/patterns"
	"vedette.dev/analyzer/snapshot"
)

var (
	// outsideHost is a host of the world outside the cluster in a URL or before a port.
	outsideHost = regexp.MustCompile(`(?:://|\b(?:host|upstream|peer|addr|server|to)=?"? ?)((?:[a-z0-9-]+\.)+(?:com|net|org|io|dev|eu|co|cloud|ai|example|test|[a-z]{2}))\b`)
	took        = regexp.MustCompile(`(?i)\b(?:took|duration|latency|elapsed|rt|upstream_response_time|request_time|after)["_a-z]*[=: ]+"?([0-9.]+) ?(ms|s)?\b`)
	// upstream_ms=3120, "elapsedMs":3120, wait_seconds=3.1: the key has the unit
	keyTook = regexp.MustCompile(`(?:\b|_)[a-zA-Z][a-zA-Z0-9_]*?(?:_(ms|millis|msec|milliseconds|s|sec|secs|seconds)|(Ms|Millis|Seconds))"?[=:] ?"?([0-9]+(?:\.[0-9]+)?)\b`)
)

// tellsOfWait is what every line holds that tells of a wait.
var tellsOfWait = patterns.MustCompile(`(?i)timed out|timeout|deadline exceeded|took|duration|latency|elapsed|response_time|request_time|_ms[=":]|_millis|_msec|_seconds[=":]|_secs?[=":]|ms":|millis":`)

// slowOutside is from what time an answer from outside counts as slow: below it
// few users would have complained.
const slowOutside = 2 * time.Second

// A wait is what a workload's lines tell of its calls to one host outside.
type wait struct {
	first, last *Fact // of those that were slow
	slow, quick int
	minded      bool // the program minds itself
}

// readOutside records workloads that keep waiting for somebody outside the
// cluster. It is a complaint where the same calls were quick at other times or
// the program itself minds: to answer takes some their time, such as models.
func (w *World) readOutside() {
	type callee struct {
		top  analyzer.Subject
		host string
	}
	waits := map[callee]*wait{}
	var order []callee
	for _, l := range w.s.Logs {
		p := w.pods[analyzer.Pod(l.Namespace, l.Pod)]
		if p == nil || p.gone {
			continue
		}
		for _, line := range l.Lines {
			if line.At.IsZero() || w.now.Sub(line.At) > time.Hour || !strings.Contains(line.Text, "://") && !strings.Contains(line.Text, "upstream") || !tellsOfWait.Holds(line.Text) {
				continue
			}
			m := outsideHost.FindStringSubmatch(line.Text)
			if m == nil || strings.Contains(m[1], ".svc") {
				continue
			}
			to := callee{w.Workload(p.subject), m[1]}
			if waits[to] == nil {
				waits[to] = &wait{}
				order = append(order, to)
			}
			waits[to].add(to.top, m[1], line)
		}
	}
	for _, to := range order {
		x := waits[to]
		if x.slow < refusalsToMind || w.now.Sub(x.last.At) > callNews {
			continue
		}
		f := *x.first
		f.Standing, f.Until = true, x.last.At
		if x.minded || x.quick >= refusalsToMind {
			f.Weight = 1
		}
		f.Also = []analyzer.Evidence{{Source: x.last.Source, At: x.last.At, Text: x.last.Text}}
		w.add(f)
	}
}

func (x *wait) add(top analyzer.Subject, host string, line snapshot.Line) {
	if !slow(line.Text) {
		x.quick++
		return
	}
	f := &Fact{Fact: analyzer.Fact{Subject: top, Name: "outside-slow", At: line.At, Source: line.Source, Text: "it waits for " + host + ": " + clip(line.Text)}, Kind: LogKind}
	if x.first == nil || f.At.Before(x.first.At) {
		x.first = f
	}
	if x.last == nil || f.At.After(x.last.At) {
		x.last = f
	}
	x.slow++
	x.minded = x.minded || minds.MatchString(line.Text)
}

// minds is how a line says that its program takes it for trouble.
var minds = regexp.MustCompile(`(?i)\b(warn|warning|error|err|fatal|critical|slow|retry|retrying|timed? ?out|timeout|exceeded)\b`)

// slow reports whether a line tells of a long wait or of one in vain.
func slow(text string) bool {
	if troubled.Holds(text) && waited.MatchString(text) {
		return true
	}
	for _, m := range took.FindAllStringSubmatch(text, -1) {
		unit := m[2]
		if unit == "" {
			unit = "s"
			if !strings.Contains(m[1], ".") {
				unit = "ms"
			}
		}
		if d, err := time.ParseDuration(m[1] + unit); err == nil && d >= slowOutside {
			return true
		}
	}
	for _, m := range keyTook.FindAllStringSubmatch(text, -1) {
		unit := "ms"
		if strings.HasPrefix(strings.ToLower(m[1]+m[2]), "s") {
			unit = "s"
		}
		if d, err := time.ParseDuration(m[3] + unit); err == nil && d >= slowOutside && d <= slowestAnswer {
			return true
		}
	}
	return false
}

// slowestAnswer is what nobody waits for longer: numbers above it count something else.
const slowestAnswer = time.Hour
