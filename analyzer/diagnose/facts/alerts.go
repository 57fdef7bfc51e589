package facts

import (
	"fmt"
	"regexp"
	"strconv"
	"time"

	"vedette.dev/analyzer"
	"vedette.dev/analyzer/diagnose/ranking"
	"vedette.dev/rules/catalog"
)

// nodeRetransmits is the rate of packets that a node sends again.
const nodeRetransmits catalog.ID = "vedette_node_tcp_retransmits_per_second"

// lossy is from how many retransmissions a second packets are lost: those that
// are late are sent again now and then, lost ones all the time.
const lossy = 2.0

// readServiceAlerts records alerts about services and nodes, and the one
// service whose own part in what is slow or fails is the largest. A metric
// alone hurts nobody: without an alert nothing is looked for.
func (w *World) readServiceAlerts() {
	var since time.Time
	var fired []analyzer.Subject
	slow, failing := false, false
	for i, a := range w.fired {
		s := a.service()
		if s.Name == "" {
			continue
		}
		fired = append(fired, s)
		if since.IsZero() || a.StartsAt.Before(since) {
			since = a.StartsAt
		}
		text := clip(fmt.Sprintf("alert %s: %s%s", a.Labels["alertname"], a.Annotations["summary"], a.Annotations["description"]))
		slow, failing = slow || aboutLatency.MatchString(text), failing || aboutFailures.MatchString(text)
		w.add(Fact{Fact: analyzer.Fact{Subject: s, Name: "service-alert", At: a.StartsAt, Standing: true, Source: fmt.Sprintf("alerts.json#%d", i), Text: text}, Kind: AlertKind, Weight: 1})
	}
	if len(fired) == 0 {
		fired = w.worse()
	}
	if len(fired) == 0 {
		return
	}
	w.readSurge(fired, since)
	fails, isFailing := ranking.Failing(w.s, w.Graph, fired, since)
	slowest, isSlow := ranking.Slowest(w.s, w.Graph, fired, since)
	switch {
	case isFailing && failing && !slow:
		w.readRegression(fails)
		w.add(ranked(fails, "service-failing", "failing"))
	case isSlow:
		w.addSlow(slowest)
	case isFailing && !failing: // alerts that do not say which
		w.add(ranked(fails, "service-failing", "failing"))
	}
}

// worse records the services that do so much worse than usual that somebody
// must feel it, for where nobody has been told to watch them.
func (w *World) worse() []analyzer.Subject {
	var all []analyzer.Subject
	for _, r := range ranking.Worse(w.s) {
		f := ranked(r, "service-alert", "worse")
		f.Text, f.Weight = fmt.Sprintf("it does %.1f times worse than usual", r.Ratio), 1
		if at, ok := ranking.Onset(r.Series.Samples, r.Series.Name() == "vedette_service_availability"); ok {
			f.At = at
		}
		w.add(f)
		all = append(all, r.Service)
	}
	return all
}

// What an alert complains of, by its words.
var (
	aboutLatency  = regexp.MustCompile(`(?i)latenc|slow|duration|response time`)
	aboutFailures = regexp.MustCompile(`(?i)availab|error|fail|success|5xx`)
)

// addSlow adds that a service is slow, and whether for want of CPU.
func (w *World) addSlow(r ranking.Rise) {
	w.readRegression(r)
	f := ranked(r, "service-slow", "slow")
	top, known := w.workloadBehind(r.Service)
	switch m, hungry := ranking.Hungry(w.s, r.Service); {
	case hungry:
		f.Name, f.Subject = "service-slow-cpu", top
		f.Also = []analyzer.Evidence{{Source: m.Source, Text: "it uses more CPU than usual and is throttled"}}
	case known && m.Source != "":
		f.Name, f.Subject = "service-slow-idle", top
		f.Also = []analyzer.Evidence{{Source: m.Source, Text: "it is not short of CPU"}}
	}
	w.add(f)
}

func ranked(r ranking.Rise, name, word string) Fact {
	return Fact{Fact: analyzer.Fact{Subject: r.Service, Name: name, Standing: true, Source: r.Series.Source,
		Text: fmt.Sprintf("it is %s, %.1f times as much as usual, and what it calls does not account for it", word, r.Ratio)}, Kind: metricKind(r.Series.Name())}
}

// workloadBehind returns the workload of the service's name and whether the snapshot has one.
func (w *World) workloadBehind(service analyzer.Subject) (analyzer.Subject, bool) {
	for _, p := range w.namespaces[service.Namespace] {
		if top := w.Workload(p.subject); !p.gone && top.Name == service.Name {
			return top, true
		}
	}
	return service, false
}

// sentAgain is an alert's word on packets that were sent again.
var sentAgain = regexp.MustCompile(`(?i)retransmi`)

// readNodeAlerts reads alerts about a node's packets. The rate tells delay from
// loss: packets that are late are sent again now and then, lost ones all the time.
func (w *World) readNodeAlerts() {
	rates := map[int]float64{}
	worst := -1
	all := w.fired
	for i, a := range all {
		text := a.Annotations["summary"] + a.Annotations["description"]
		if a.Labels["node"] == "" || !sentAgain.MatchString(text) {
			continue
		}
		for _, m := range perSecond.FindAllStringSubmatch(text, -1) {
			v, _ := strconv.ParseFloat(m[1], 64)
			rates[i] = v // the newest value stands last
		}
		for _, m := range w.s.Series(string(nodeRetransmits)) {
			if rate, ok := ranking.High(m.Samples); ok && m.Labels["node"] == a.Labels["node"] {
				rates[i] = rate
			}
		}
		if worst < 0 || rates[i] > rates[worst] {
			worst = i
		}
	}
	if worst < 0 {
		return
	}
	name := "node-packets-late"
	if rates[worst] >= lossy {
		name = "node-packets-lost"
	}
	a := all[worst]
	w.add(Fact{Fact: analyzer.Fact{Subject: analyzer.Node(a.Labels["node"]), Name: name, At: a.StartsAt, Standing: true, Source: fmt.Sprintf("alerts.json#%d", worst),
		Text: clip("alert " + a.Labels["alertname"] + ": " + a.Annotations["summary"] + a.Annotations["description"])}, Kind: AlertKind, Weight: 1})
}

// perSecond is a rate of packets sent again, as alerts write it.
var perSecond = regexp.MustCompile(`([0-9]+\.?[0-9]*) ?(?:retrans|packets|/s)`)
