package cost

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"vedette.dev/analyzer/problem"
)

// This file is OpenCost's allocation API, for the dashboards and tools that
// speak it: https://opencost.io/docs/integrations/api. Machines with GPUs are
// costed, whole: GPUs, CPUs and memory, the latter two by what pods ask for, as
// what they use is not looked at. What OpenCost has of volumes and networks is 0
// here. A part of a GPU is charged by its share, and what nobody had is __idle__.

// An Allocation is one row of a set.
type Allocation struct {
	Name            string     `json:"name"`
	Properties      Properties `json:"properties"`
	Window          Window     `json:"window"`
	Start           time.Time  `json:"start"`
	End             time.Time  `json:"end"`
	Minutes         float64    `json:"minutes"`
	GPUCount        float64    `json:"gpuCount"`
	GPUHours        float64    `json:"gpuHours"`
	GPUCost         float64    `json:"gpuCost"`
	GPUCostIdle     float64    `json:"gpuCostIdle"` // of GPUCost, what was shared out of __idle__
	GPUEfficiency   float64    `json:"gpuEfficiency"`
	GPUAllocation   GPUAverage `json:"gpuAllocation"`
	CPUCores        float64    `json:"cpuCores"`
	CPURequest      float64    `json:"cpuCoreRequestAverage"`
	CPUHours        float64    `json:"cpuCoreHours"`
	CPUCost         float64    `json:"cpuCost"`
	CPUCostIdle     float64    `json:"cpuCostIdle"`
	RAMBytes        float64    `json:"ramBytes"`
	RAMRequest      float64    `json:"ramByteRequestAverage"`
	RAMHours        float64    `json:"ramByteHours"`
	RAMCost         float64    `json:"ramCost"`
	RAMCostIdle     float64    `json:"ramCostIdle"`
	PVCost          float64    `json:"pvCost"`
	NetworkCost     float64    `json:"networkCost"`
	LoadBalancer    float64    `json:"loadBalancerCost"`
	SharedCost      float64    `json:"sharedCost"`
	ExternalCost    float64    `json:"externalCost"`
	TotalCost       float64    `json:"totalCost"`
	TotalEfficiency float64    `json:"totalEfficiency"`

	active, known float64
}

// GPUAverage is how many GPUs were asked for and kept busy, on average.
type GPUAverage struct {
	Request float64 `json:"gpuRequestAverage"`
	Usage   float64 `json:"gpuUsageAverage"`
}

// Properties are what all of an allocation has in common.
type Properties struct {
	Cluster        string            `json:"cluster,omitempty"`
	Node           string            `json:"node,omitempty"`
	Namespace      string            `json:"namespace,omitempty"`
	ControllerKind string            `json:"controllerKind,omitempty"`
	Controller     string            `json:"controller,omitempty"`
	Pod            string            `json:"pod,omitempty"`
	Labels         map[string]string `json:"labels,omitempty"`
}

// A Window is from when to when.
type Window struct {
	Start time.Time `json:"start"`
	End   time.Time `json:"end"`
}

const (
	idleName = "__idle__"
	noneName = "__unallocated__"
	// mostSets bounds how often a request has the store read: hours of four days.
	mostSets = 100
)

// properties are what a set can be put together by, in OpenCost's names.
var properties = map[string]func(cluster string, u Use) string{
	"cluster":        func(cluster string, _ Use) string { return cluster },
	"node":           func(_ string, u Use) string { return u.Node },
	"namespace":      func(_ string, u Use) string { return u.Pod.Namespace },
	"controllerKind": func(_ string, u Use) string { return strings.ToLower(u.Workload.Kind) },
	"controller":     func(_ string, u Use) string { return u.Workload.Name },
	"pod":            func(_ string, u Use) string { return u.Pod.Name },
	"label:team":     func(_ string, u Use) string { return u.Team },
}

// An allocationQuery is what is asked of the allocation API.
type allocationQuery struct {
	windows                     []Window
	by                          []string
	idle, share, byNode, gather bool
}

// Allocations serves OpenCost's GET /allocation of the cluster.
func (d *Desk) Allocations(cluster string, now func() time.Time) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q, err := parseAllocation(r, now().Truncate(time.Second))
		if err != nil { // as OpenCost says it
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusBadRequest)
			json.NewEncoder(w).Encode(map[string]any{"code": http.StatusBadRequest, "message": err.Error()})
			return
		}
		sets, said := []map[string]*Allocation{}, []string{}
		for _, win := range q.windows {
			report, err := d.Report(r.Context(), win.End.Sub(win.Start), win.End)
			if err != nil {
				problem.Write(w, err)
				return
			}
			said = append(append(said, report.Warnings...), report.Gaps...)
			sets = append(sets, q.set(cluster, &report, win))
		}
		if q.gather {
			sets = []map[string]*Allocation{gathered(sets, Window{q.windows[0].Start, q.windows[len(q.windows)-1].End})}
		}
		slices.Sort(said)
		answer := map[string]any{"code": http.StatusOK, "data": sets}
		if said = slices.Compact(said); len(said) > 0 {
			answer["warning"] = strings.Join(said, "; ")
		}
		problem.JSON(w, answer)
	})
}

// parseAllocation reads the parameters of a request. The resolution is ours.
func parseAllocation(r *http.Request, now time.Time) (q allocationQuery, err error) {
	whole, err := parseWindow(r.FormValue("window"), now.UTC())
	if err != nil {
		return q, err
	}
	step := whole.End.Sub(whole.Start)
	if s := r.FormValue("step"); s != "" {
		if step, err = parseSpan(s); err != nil {
			return q, fmt.Errorf("step %q is no duration", s)
		}
	}
	if step < judged || whole.End.Sub(whole.Start) > mostSets*step {
		return q, fmt.Errorf("the window is looked at in 1 to %d steps of an hour or more each", mostSets)
	}
	for from := whole.Start; from.Before(whole.End); from = from.Add(step) {
		to := from.Add(step)
		if to.After(whole.End) {
			to = whole.End
		}
		if to.Sub(from) >= minStep { // less has no sample
			q.windows = append(q.windows, Window{from, to})
		}
	}
	q.by = []string{"cluster", "node", "namespace", "pod"}
	if s := r.FormValue("aggregate"); s != "" {
		q.by = strings.Split(s, ",")
	}
	for _, b := range q.by {
		if properties[b] == nil {
			return q, fmt.Errorf("aggregate %q is not cluster, node, namespace, controllerKind, controller, pod or label:team", b)
		}
	}
	for name, to := range map[string]*bool{"includeIdle": &q.idle, "shareIdle": &q.share, "idleByNode": &q.byNode, "accumulate": &q.gather} {
		if s := r.FormValue(name); s != "" {
			if *to, err = strconv.ParseBool(s); err != nil {
				return q, fmt.Errorf("%s %q is neither true nor false", name, s)
			}
		}
	}
	return q, nil
}

// parseSpan reads OpenCost's durations, which are Prometheus' or "day".
func parseSpan(s string) (time.Duration, error) {
	if s == "day" {
		return 24 * time.Hour, nil
	}
	d, err := model.ParseDuration(s)
	return time.Duration(d), err
}

// parseWindow reads a window: 7d, today, lastweek, or two times with a comma.
// Weeks start on Sunday, as OpenCost's do.
func parseWindow(s string, now time.Time) (w Window, err error) {
	today := now.Truncate(24 * time.Hour)
	week := today.AddDate(0, 0, -int(today.Weekday()))
	month := time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, time.UTC)
	switch s {
	case "":
		return w, fmt.Errorf("there is no window: window=7d is a week")
	case "today":
		w = Window{today, now}
	case "yesterday":
		w = Window{today.AddDate(0, 0, -1), today}
	case "week":
		w = Window{week, now}
	case "lastweek":
		w = Window{week.AddDate(0, 0, -7), week}
	case "month":
		w = Window{month, now}
	case "lastmonth":
		w = Window{month.AddDate(0, -1, 0), month}
	default:
		if from, to, pair := strings.Cut(s, ","); pair {
			if w.Start, err = parseTime(from); err == nil {
				w.End, err = parseTime(to)
			}
		} else {
			var d time.Duration
			d, err = parseSpan(s)
			w = Window{now.Add(-d), now}
		}
	}
	if err != nil || w.End.Sub(w.Start) < judged {
		return w, fmt.Errorf("window %q is no window of an hour or more", s)
	}
	return w, nil
}

func parseTime(s string) (time.Time, error) {
	if unix, err := strconv.ParseInt(s, 10, 64); err == nil {
		return time.Unix(unix, 0).UTC(), nil
	}
	t, err := time.Parse(time.RFC3339, s)
	return t.UTC(), err
}

// set makes one set of a report.
func (q allocationQuery) set(cluster string, r *Report, win Window) map[string]*Allocation {
	set := map[string]*Allocation{}
	for _, u := range r.uses {
		name := ""
		if u.Pod.Name == "" {
			if !q.idle && !q.share {
				continue
			}
			if name = idleName; q.byNode {
				name = u.Node + "/" + idleName
			}
		} else {
			var parts []string
			for _, b := range q.by {
				parts = append(parts, or(properties[b](cluster, u), noneName))
			}
			name = strings.Join(parts, "/")
		}
		a := set[name]
		if a == nil {
			a = &Allocation{Name: name, Properties: propertiesOf(cluster, u), Window: win, Start: win.Start, End: win.End}
			set[name] = a
		}
		a.Properties = a.Properties.common(propertiesOf(cluster, u))
		a.GPUHours, a.GPUCost = a.GPUHours+u.GPUHours, a.GPUCost+u.USD
		a.CPUHours, a.CPUCost = a.CPUHours+u.CPUHours, a.CPUCost+u.CPU
		a.RAMHours, a.RAMCost = a.RAMHours+u.GiBHours*gib, a.RAMCost+u.Memory
		a.active, a.known = a.active+u.Active, a.known+u.Known
	}
	if q.share {
		share(set)
	}
	for _, a := range set {
		a.settle()
	}
	return set
}

func propertiesOf(cluster string, u Use) Properties {
	p := Properties{Cluster: cluster, Node: u.Node, Namespace: u.Pod.Namespace, ControllerKind: strings.ToLower(u.Workload.Kind), Controller: u.Workload.Name, Pod: u.Pod.Name}
	if u.Team != "" {
		p.Labels = map[string]string{"team": u.Team}
	}
	return p
}

// common returns what p and o both are.
func (p Properties) common(o Properties) Properties {
	same := func(a, b string) string {
		if a == b {
			return a
		}
		return ""
	}
	c := Properties{same(p.Cluster, o.Cluster), same(p.Node, o.Node), same(p.Namespace, o.Namespace), same(p.ControllerKind, o.ControllerKind), same(p.Controller, o.Controller), same(p.Pod, o.Pod), nil}
	if team := same(p.Labels["team"], o.Labels["team"]); team != "" {
		c.Labels = map[string]string{"team": team}
	}
	return c
}

// A sharing is a cost, and what of it was shared out of __idle__.
type sharing func(a *Allocation) (cost, idle *float64)

var sharings = [...]sharing{
	func(a *Allocation) (cost, idle *float64) { return &a.GPUCost, &a.GPUCostIdle },
	func(a *Allocation) (cost, idle *float64) { return &a.CPUCost, &a.CPUCostIdle },
	func(a *Allocation) (cost, idle *float64) { return &a.RAMCost, &a.RAMCostIdle },
}

// share gives the cost of what nobody had to those who had something of the
// kind, by what theirs cost. Where nobody had anything of it it stays.
func share(set map[string]*Allocation) {
	for _, of := range sharings {
		idle, rest := 0.0, 0.0
		for name, a := range set {
			cost, _ := of(a)
			if strings.HasSuffix(name, idleName) {
				idle += *cost
			} else {
				rest += *cost
			}
		}
		if rest == 0 {
			continue
		}
		for name, a := range set {
			cost, shared := of(a)
			if strings.HasSuffix(name, idleName) {
				*cost = 0
				continue
			}
			*shared = idle * *cost / rest
			*cost += *shared
		}
	}
	for name, a := range set {
		if strings.HasSuffix(name, idleName) && a.GPUCost+a.CPUCost+a.RAMCost == 0 {
			delete(set, name)
		}
	}
}

// settle works out what follows from hours and cost.
func (a *Allocation) settle() {
	a.Minutes = a.Window.End.Sub(a.Window.Start).Minutes()
	a.GPUCount = a.GPUHours / (a.Minutes / 60)
	a.GPUAllocation = GPUAverage{Request: a.GPUCount, Usage: a.active / (a.Minutes / 60)}
	if a.known > 0 {
		a.GPUEfficiency = a.active / a.known
	}
	a.CPUCores, a.RAMBytes = a.CPUHours/(a.Minutes/60), a.RAMHours/(a.Minutes/60)
	a.CPURequest, a.RAMRequest = a.CPUCores, a.RAMBytes
	a.TotalCost, a.TotalEfficiency = a.GPUCost+a.CPUCost+a.RAMCost, a.GPUEfficiency
	for _, v := range []*float64{&a.CPUCores, &a.CPURequest, &a.CPUHours, &a.CPUCost, &a.CPUCostIdle, &a.RAMBytes, &a.RAMRequest, &a.RAMHours, &a.RAMCost, &a.RAMCostIdle,
		&a.GPUCount, &a.GPUHours, &a.GPUCost, &a.GPUCostIdle, &a.GPUEfficiency, &a.GPUAllocation.Request, &a.GPUAllocation.Usage, &a.TotalCost, &a.TotalEfficiency} {
		*v = math.Round(*v*1e5) / 1e5 // as OpenCost does
	}
}

// gathered adds sets up to one.
func gathered(sets []map[string]*Allocation, win Window) map[string]*Allocation {
	all := map[string]*Allocation{}
	for _, set := range sets {
		for name, a := range set {
			sum := all[name]
			if sum == nil {
				sum = &Allocation{Name: name, Properties: a.Properties, Window: win, Start: win.Start, End: win.End}
				all[name] = sum
			}
			sum.Properties = sum.Properties.common(a.Properties)
			sum.GPUHours, sum.GPUCost, sum.GPUCostIdle = sum.GPUHours+a.GPUHours, sum.GPUCost+a.GPUCost, sum.GPUCostIdle+a.GPUCostIdle
			sum.CPUHours, sum.CPUCost, sum.CPUCostIdle = sum.CPUHours+a.CPUHours, sum.CPUCost+a.CPUCost, sum.CPUCostIdle+a.CPUCostIdle
			sum.RAMHours, sum.RAMCost, sum.RAMCostIdle = sum.RAMHours+a.RAMHours, sum.RAMCost+a.RAMCost, sum.RAMCostIdle+a.RAMCostIdle
			sum.active, sum.known = sum.active+a.active, sum.known+a.known
		}
	}
	for _, a := range all {
		a.settle()
	}
	return all
}
