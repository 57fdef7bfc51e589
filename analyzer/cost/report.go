package cost

import (
	"context"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"

	"vedette.dev/analyzer/series"
)

// A Report says what the GPUs of a window cost and who had the use of them.
type Report struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
	Step float64   `json:"step"` // seconds that a sample stands for

	Total     Row     `json:"total"`
	Rest      float64 `json:"restUSD"`           // CPU and memory of the GPUs' machines
	Effective float64 `json:"usdPerBusyGPUHour"` // all of the above for each hour of use; 0 where there was none
	Unseen    float64 `json:"unseenGPUHours"`    // between two samples of a GPU, with none there
	Activity  float64 `json:"meanActivity"`      // of hours that somebody had, 0..1
	Classes   []Row   `json:"classes"`           // each with the query that shows it
	Namespace []Row   `json:"namespaces"`        // and so on, the dearest first
	Team      []Row   `json:"teams"`
	Workload  []Row   `json:"workloads"`
	Pool      []Row   `json:"pools"`

	Before        *Before       `json:"before,omitempty"` // what the window before cost; nil where it was not asked for
	Outages       []Outage      `json:"outages"`          // the dearest first
	Early         []Early       `json:"early"`            // ahead of need
	Alternatives  []Alternative `json:"alternatives"`     // how the machines could be bought
	Fragmentation Fragmentation `json:"fragmentation"`
	Savings       []Saving      `json:"savings"` // the most first, at most ten
	Prices        []Used        `json:"prices"`
	Split         Split         `json:"split"` // of a machine's price
	Warnings      []string      `json:"warnings,omitempty"`
	Gaps          []string      `json:"gaps,omitempty"` // what could not be seen

	uses  []Use
	facts *Facts
}

// Used is a price that the report goes by.
type Used struct {
	Model    string  `json:"model"`
	Why      string  `json:"why"`
	USD      float64 `json:"usdPerGPUHour"`
	AsOf     string  `json:"asOf,omitempty"`
	GPUHours float64 `json:"gpuHours"`
	Known    bool    `json:"known"`
}

// Nobody is the name of the row of GPU-hours that no pod had.
const Nobody = "(nobody)"

// Account makes a report of facts and prices as of now.
func Account(f *Facts, b *Book, now time.Time) Report {
	r := Report{From: f.From.UTC(), To: f.To.UTC(), Step: f.Step.Seconds(), Gaps: slices.Clone(f.Gaps), Split: b.own.Split}
	if r.Split == "" {
		r.Split = SplitGPU
	}
	r.facts = f
	r.uses, r.Unseen = uses(f, b)
	r.uses = append(r.uses, beside(f, b, r.uses)...)
	if all := rows(r.uses, func(Use) string { return "all" }); len(all) == 1 {
		r.Total = all[0]
	} else {
		r.Total = Row{Name: "all", Classes: map[Class]Measure{}}
	}
	r.Total.Query = f.hoursOf("")
	active, known := 0.0, 0.0
	for _, u := range r.uses {
		active, known = active+u.Active, known+u.Known
	}
	if known > 0 {
		r.Activity = active / known
	}
	for _, c := range Classes {
		if m := r.Total.Classes[c]; m.GPUHours > 0 {
			r.Classes = append(r.Classes, Row{Name: string(c), GPUHours: m.GPUHours, USD: m.USD, Classes: map[Class]Measure{c: m}, Query: f.hoursIn(c)})
		}
	}
	r.Namespace, r.Team, r.Workload, r.Pool = r.By("namespace", "", ""), r.By("team", "", ""), r.By("workload", "", ""), r.By("pool", "", "")
	r.price(f, b, now)
	r.Outages, r.Early = outages(f, b, r.uses), append([]Early{}, f.Early...)
	r.Alternatives = alternatives(f, b, r.uses)
	r.Fragmentation = fragmentation(f, b)
	r.Savings = savings(f, b, r.uses)
	r.gaps(f)
	return r
}

func or(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// names say what the rows of a table are called.
var names = map[string]func(Use) string{
	"namespace": func(u Use) string { return u.Pod.Namespace },
	"team":      func(u Use) string { return or(u.Team, "(no team)") },
	"workload":  func(u Use) string { return u.Workload.String() },
	"pod":       func(u Use) string { return u.Pod.Namespace + "/" + u.Pod.Name },
	"pool":      func(u Use) string { return or(u.Pool, "(no pool)") },
}

func nameOf(what string, u Use) string {
	if u.Pod.Name == "" && what != "pool" {
		return Nobody
	}
	return names[what](u)
}

// By returns the rows by namespace, team, workload, pod or pool, of all or of
// one row of another of these: By("workload", "namespace", "ml").
func (r *Report) By(what, of, name string) []Row {
	us := r.uses
	if of != "" {
		us = slices.DeleteFunc(slices.Clone(us), func(u Use) bool { return nameOf(of, u) != name })
	}
	out := rows(us, func(u Use) string { return nameOf(what, u) })
	for i := range out {
		switch {
		case out[i].GPUHours == 0: // CPUs and memory only
		case out[i].Name == Nobody:
			out[i].Query = r.facts.hours("count by (UUID) (" + unheld + ")")
		default:
			out[i].Query = r.podsQuery(what, out[i].Name, us)
		}
	}
	return out
}

// mostNamed is how many pods a query names before it is of no use to a reader.
const mostNamed = 40

// podsQuery returns the PromQL that shows the GPU-hours of a row of pods.
func (r *Report) podsQuery(what, name string, us []Use) string {
	if what == "namespace" {
		return r.facts.hoursOf(fmt.Sprintf("namespace=%q", name))
	}
	var namespaces, pods []string
	for _, u := range us {
		if nameOf(what, u) != name {
			continue
		}
		if u.Pod.Name == "" {
			return "" // a pool, which nobody had a part of
		}
		namespaces, pods = append(namespaces, regexp.QuoteMeta(u.Pod.Namespace)), append(pods, regexp.QuoteMeta(u.Pod.Name))
	}
	slices.Sort(namespaces)
	slices.Sort(pods)
	namespaces, pods = slices.Compact(namespaces), slices.Compact(pods)
	if what == "pool" || len(pods) > mostNamed {
		return ""
	}
	return r.facts.hoursOf(fmt.Sprintf("namespace=~%q,pod=~%q", strings.Join(namespaces, "|"), strings.Join(pods, "|")))
}

// ClassQuery returns the PromQL that shows the GPU-hours of a class.
func (r *Report) ClassQuery(c Class) string { return r.facts.hoursIn(c) }

// unheld is what nobody had. The series of before a pod came lingers for some
// minutes beside the pod's.
const unheld = present + `{pod=""} unless on (UUID, GPU_I_ID) ` + present + `{pod!=""}`

// hoursOf returns the PromQL that shows the GPU-hours of some pods.
func (f *Facts) hoursOf(selector string) string {
	if selector != "" {
		selector = "{" + selector + "}"
	}
	return f.hours(fmt.Sprintf("count by (UUID) (%s%s)", present, selector))
}

// hours returns the PromQL that shows in how many GPU-hours of the window each has a value.
func (f *Facts) hours(each string) string {
	return fmt.Sprintf("sum_over_time(count(%s)[%s:%s] @ %d) * %g / 3600", each, span(f.To.Sub(f.From)), span(f.Step), f.To.Unix(), f.Step.Seconds())
}

// hoursIn returns the PromQL that shows the GPU-hours of a class.
func (f *Facts) hoursIn(c Class) string {
	away := ` on (Hostname) label_replace(kube_node_spec_unschedulable > 0 or kube_node_status_condition{condition="Ready",status!="true"} > 0, "Hostname", "$1", "node", "(.*)")`
	held := fmt.Sprintf(` and on (UUID, namespace, pod) %s{pod!=""}`, present)
	standby := fmt.Sprintf(` on (namespace, pod) kube_pod_labels{%s="true"}`, seriesOf("pods", "standby"))
	metric, scale := f.mostTold()
	peak := fmt.Sprintf("max_over_time(%s{pod!=\"\"}[1h])%s", metric, scale)
	p95 := fmt.Sprintf("quantile_over_time(0.95, %s{pod!=\"\"}[1h])%s", metric, scale)
	full := fmt.Sprintf("on (UUID, namespace, pod) max_over_time((%[1]s / (%[1]s + DCGM_FI_DEV_FB_FREE))[1h:5m]) >= %[2]g", present, lowMemory)
	switch c {
	case Quarantined:
		return f.hours(fmt.Sprintf(`count by (UUID) (vedette_gpu_lost > 0 or (%s) and%s)`, unheld, away))
	case Unallocated:
		return f.hours(fmt.Sprintf(`count by (UUID) (%s unless%s)`, unheld, away))
	case Idle:
		return f.hours(fmt.Sprintf("count by (UUID) (%s < %g%s unless%s)", peak, idleBelow, held, standby))
	case Standby:
		return f.hours(fmt.Sprintf("count by (UUID) (%s < %g%s and%s)", peak, idleBelow, held, standby))
	case Low:
		return f.hours(fmt.Sprintf("count by (UUID) (%s < %g and %s >= %g%s unless %s)", p95, lowActivity, peak, idleBelow, held, full))
	}
	return f.hours(fmt.Sprintf("count by (UUID) ((%s >= %g or %s >= %g and %s)%s)", p95, lowActivity, peak, idleBelow, full, held))
}

// mostTold returns the metric that tells the activity of most GPUs.
func (f *Facts) mostTold() (metric, scale string) {
	best := activities[len(activities)-1]
	for _, a := range slices.Backward(activities[:]) {
		if f.Activity[a.metric] >= max(1, f.Activity[best.metric]) {
			best = a
		}
	}
	return best.metric, best.scale
}

// price says which prices were used, and adds up what is not the GPUs'.
func (r *Report) price(f *Facts, b *Book, now time.Time) {
	for _, u := range r.uses {
		if u.Class == "" {
			continue
		}
		p := b.GPUHour(f.Nodes[u.Node], u.Model)
		r.Rest += p.Rest() * u.GPUHours
		used := Used{Model: u.Model, Why: p.Why, USD: p.USD, Known: p.Known}
		if !p.AsOf.IsZero() {
			used.AsOf = p.AsOf.Format(time.DateOnly)
		}
		i := slices.IndexFunc(r.Prices, func(o Used) bool { o.GPUHours = 0; return o == used })
		if i < 0 {
			i = len(r.Prices)
			r.Prices = append(r.Prices, used)
			if age := now.Sub(p.AsOf); p.Known && !p.AsOf.IsZero() && age > stale {
				r.Warnings = append(r.Warnings, fmt.Sprintf("the price of %s is of %s, %d days ago: it may not be true any more", p.Why, used.AsOf, int(age.Hours()/24)))
			}
			if p.Known && p.AsOf.IsZero() {
				r.Warnings = append(r.Warnings, fmt.Sprintf("the price of %s does not say of which day it is", p.Why))
			}
		}
		r.Prices[i].GPUHours += u.GPUHours
	}
	slices.Sort(r.Warnings)
	r.Warnings = slices.Compact(r.Warnings)
	if used := r.used(); used > 0 {
		r.Effective = (r.Total.USD + r.Rest) / used
	}
}

// used returns the GPU-hours that were used at all.
func (r *Report) used() float64 {
	return r.Total.Classes[Busy].GPUHours + r.Total.Classes[Low].GPUHours
}

// gaps says of which hours nothing, or no price, is known.
func (r *Report) gaps(f *Facts) {
	if r.Unseen > 0 {
		r.Gaps = append(r.Gaps, fmt.Sprintf("of %.1f GPU-hours nothing was seen; they are in no row", r.Unseen))
	}
	for _, p := range r.Prices {
		if !p.Known {
			r.Gaps = append(r.Gaps, fmt.Sprintf("%.1f GPU-hours of %s have no price: %s", p.GPUHours, or(p.Model, "an unnamed model"), p.Why))
		}
	}
	if whole := f.To.Sub(f.From).Hours() * float64(len(f.GPUs)); r.Total.GPUHours > 0 && r.Total.GPUHours+r.Unseen < 0.99*whole {
		r.Gaps = append(r.Gaps, fmt.Sprintf("the window is %s, and of the %d GPUs together %.0f %% of it is known: the rest is before the first sample or after the last",
			span(f.To.Sub(f.From)), len(f.GPUs), math.Floor(100*(r.Total.GPUHours+r.Unseen)/whole)))
	}
}

// A Desk makes reports of what a store holds.
type Desk struct {
	Querier series.Querier
	Book    func() *Book // the prices as they are now
}

// Report says what the window that ends at now cost.
func (d *Desk) Report(ctx context.Context, window time.Duration, now time.Time) (Report, error) {
	f, err := Read(ctx, d.Querier, window, now)
	if err != nil {
		return Report{}, err
	}
	return Account(f, d.Book(), now), nil
}
