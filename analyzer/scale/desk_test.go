package scale

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"vedette.dev/analyzer/action"
	"vedette.dev/analyzer/series"
	"vedette.dev/rules/catalog"
)

// kept answers with a demand that it has for every minute, and notes what
// it was asked for.
type kept struct {
	demand series.Series
	asked  int // samples
}

func (q *kept) Query(_ context.Context, expr string, r series.Range) ([]series.Series, error) {
	switch expr {
	case "nothing":
		return nil, nil
	case "many":
		return make([]series.Series, 2), nil
	case "broken":
		return nil, errors.New("no such function")
	}
	q.asked += r.Len()
	s := series.Series{Start: r.From, Step: r.Step, Values: unknown(r.Len())}
	for i := range s.Values {
		if at := int(s.At(i).Sub(q.demand.Start).Minutes()); at >= 0 && at < len(q.demand.Values) {
			s.Values[i] = q.demand.Values[at]
		}
	}
	return []series.Series{s}, nil
}

// hands notes what it was told to do.
type hands struct{ did []string }

func (h *hands) Execute(_ context.Context, a action.Action) (string, error) {
	h.did = append(h.did, a.Params[Units])
	return "set to " + a.Params[Units], nil
}

func ledger(t *testing.T, mode action.Mode, h *hands) *action.Ledger {
	t.Helper()
	l, err := action.Open(t.TempDir(), mode, map[action.Kind]action.Executor{action.ScaleBalloon: h})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func balloon(byPolicy bool) Spec {
	return Spec{Name: "llm", Demand: "sum(requests)", Objective: objective, Pool: pool, BootTime: 10 * time.Minute, USD: 98.32,
		Target: &Target{Kind: action.ScaleBalloon, Name: "serving/warm", Params: map[string]string{"gpus": "8"}, Says: "pods of 8 GPUs", ByPolicy: byPolicy}}
}

// morning is when demand rises fastest, on the ninth day.
var morning = start.Add(8*24*time.Hour + 7*time.Hour)

func tick(t *testing.T, d *Desk, now time.Time) {
	t.Helper()
	if err := d.Tick(t.Context(), now); err != nil {
		t.Fatal(err)
	}
}

func TestDesk(t *testing.T) {
	q := &kept{demand: daily(10)}
	d := &Desk{Querier: q, Pools: []Spec{balloon(true)}}
	tick(t, d, morning)
	if want := int(Past.Minutes()); q.asked != want {
		t.Errorf("%d samples were asked for at first, want %d", q.asked, want)
	}
	tick(t, d, morning.Add(time.Minute+20*time.Second))
	if want := int(Past.Minutes()) + 1; q.asked != want {
		t.Errorf("%d samples were asked for, want one more: %d", q.asked, want)
	}
	tick(t, d, morning.Add(time.Minute+40*time.Second))
	if want := int(Past.Minutes()) + 1; q.asked != want {
		t.Errorf("%d samples were asked for, want none more within the minute", q.asked)
	}
	got, ok := d.State("llm")
	if !ok || got.Advice == nil || !got.Advice.Trust.OK || got.Advice.Added() == 0 {
		t.Fatalf("state is %+v", got)
	}
	demand := q.demand
	demand.Values = demand.Values[:8*day+7*hour+2]
	if diff := cmp.Diff(advise(t, demand, pool), *got.Advice); diff != "" {
		t.Errorf("advice (-of the whole past +of the desk):\n%s", diff)
	}
	if _, err := json.Marshal(d.States()); err != nil {
		t.Error(err)
	}
	if _, ok := d.State("other"); ok {
		t.Error("a pool that there is not has a state")
	}
	samples := map[string]float64{}
	for _, s := range d.Samples() {
		if _, known := catalog.Builtin().Metric(catalog.ID(s.Metric)); !known {
			t.Errorf("%s is not in the catalogue", s.Metric)
		}
		samples[s.Metric+s.Labels["pool"]+s.Labels["policy"]] = s.Value
	}
	if samples["vedette_recommended_replicasllm"] != float64(got.Advice.Units) || samples["vedette_forecast_trustedllm"] != 1 || samples["vedette_pool_boot_secondsllm"] != 600 ||
		samples["vedette_replay_overload_ratiollmreactive"] <= samples["vedette_replay_overload_ratiollmpredictive"] {
		t.Errorf("samples are %v", samples)
	}
}

// What was measured holds for an hour; what was not is looked for again.
func TestBootIsMeasured(t *testing.T) {
	pods := func(n int) []series.Series {
		var out []series.Series
		for i := range n {
			out = append(out, series.Series{Labels: map[string]string{"namespace": "serving", "pod": string(rune('a' + i))}, Values: []float64{1000}})
		}
		return out
	}
	ready := func(n int) []series.Series {
		out := pods(n)
		for i := range out {
			out[i].Values = []float64{1150}
		}
		return out
	}
	q := answers{"kube_pod_created": pods(2), "kube_pod_status_ready_time": ready(2)}
	d := &Desk{Querier: q}
	spec := Spec{Name: "llm", Pods: `namespace="serving"`}
	boot := func(now time.Time) time.Duration {
		b, err := d.boot(t.Context(), spec, now)
		if err != nil {
			t.Fatal(err)
		}
		return b.Time
	}
	if got := boot(morning); got != usualBoot {
		t.Errorf("two pods boot for %s, want what is usual", got)
	}
	q["kube_pod_created"], q["kube_pod_status_ready_time"] = pods(3), ready(3)
	if got := boot(morning.Add(time.Minute)); got != 150*time.Second {
		t.Errorf("three pods boot for %s, want 2m30s", got)
	}
	delete(q, "kube_pod_created")
	if got := boot(morning.Add(30 * time.Minute)); got != 150*time.Second {
		t.Errorf("within the hour it is %s, want 2m30s", got)
	}
	if got := boot(morning.Add(2 * time.Hour)); got != usualBoot {
		t.Errorf("after it %s, want what is usual", got)
	}
}

func TestOnePoolDoesNotKeepFromOthers(t *testing.T) {
	d := &Desk{Querier: &kept{demand: daily(10)}}
	for _, q := range []string{"nothing", "many", "broken", "sum(requests)"} {
		s := balloon(true)
		s.Name, s.Demand = q, q
		d.Pools = append(d.Pools, s)
	}
	err := d.Tick(t.Context(), morning)
	for _, want := range []string{"pool nothing: advise: there is no demand", "pool many: read the demand: many comes to 2 series, want one: sum it up", "pool broken: read the demand: no such function"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error is %v, want %q in it", err, want)
		}
	}
	if s, _ := d.State("sum(requests)"); s.Advice == nil {
		t.Errorf("state is %+v", s)
	}
	if s, _ := d.State("broken"); len(s.Gaps) != 1 {
		t.Errorf("gaps are %q", s.Gaps)
	}
}

func TestTargetFollows(t *testing.T) {
	h := new(hands)
	d := &Desk{Querier: &kept{demand: daily(10)}, Pools: []Spec{balloon(true)}, Ledger: ledger(t, action.Approve, h)}
	tick(t, d, morning)
	s, _ := d.State("llm")
	if len(h.did) != 1 || s.Advice.Added() == 0 {
		t.Fatalf("done is %q with %d added", h.did, s.Advice.Added())
	}
	es, err := d.Ledger.Entries(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	e := es[0]
	for _, want := range []string{"within 11m, when a unit ordered now would work", "more cost $", "the last 7.0 days replayed: as advised 1."} {
		if !strings.Contains(e.Reason, want) {
			t.Errorf("reason is %q, want %q in it", e.Reason, want)
		}
	}
	if e.State != action.Done || e.Params["gpus"] != "8" || e.Decisions[0].By != "the limits of pool llm" || !strings.HasPrefix(e.Effect, "serving/warm goes from 0 to ") {
		t.Errorf("entry is %+v", e)
	}
	// A process that starts anew knows from the ledger what is set.
	d = &Desk{Querier: d.Querier, Pools: d.Pools, Ledger: d.Ledger}
	tick(t, d, morning)
	if len(h.did) != 1 {
		t.Errorf("done again: %q", h.did)
	}
	// In the evening nothing is left of it, sooner or later.
	for at := morning.Add(12 * time.Hour); h.did[len(h.did)-1] != "0" && at.Before(morning.Add(20*time.Hour)); at = at.Add(10 * time.Minute) {
		tick(t, d, at)
	}
	if h.did[len(h.did)-1] != "0" {
		t.Errorf("done is %q, want 0 at last", h.did)
	}
}

func TestWhoApproves(t *testing.T) {
	for _, tt := range []struct {
		mode     action.Mode
		byPolicy bool
		want     action.State
	}{
		{action.Observe, true, action.Noted},
		{action.Observe, false, action.Noted},
		{action.Recommend, false, action.Proposed},
		{action.Approve, true, action.Done},
	} {
		h := new(hands)
		d := &Desk{Querier: &kept{demand: daily(10)}, Pools: []Spec{balloon(tt.byPolicy)}, Ledger: ledger(t, tt.mode, h)}
		tick(t, d, morning)
		tick(t, d, morning.Add(time.Minute))
		es, err := d.Ledger.Entries(t.Context(), 9)
		if err != nil || len(es) == 0 {
			t.Fatalf("%s: entries are %v, %v", tt.mode, es, err)
		}
		if es[0].State != tt.want || (len(h.did) > 0) != (tt.want == action.Done) {
			t.Errorf("%s, by policy %t: %s with %q done, want %s", tt.mode, tt.byPolicy, es[0].State, h.did, tt.want)
		}
	}
}

func TestWholeUnits(t *testing.T) {
	node := &Target{Whole: true}
	for _, tt := range []struct{ reactive, units, want int }{{4, 4, pool.Min}, {4, 7, 7}} {
		if got := node.units(pool, Advice{Reactive: tt.reactive, Units: tt.units}); got != tt.want {
			t.Errorf("%+v sets %d", tt, got)
		}
	}
}

// A proposal says no more than the newest forecast: it goes with it, gives way
// to another number, and does not outlast what it was for.
func TestProposalIsWithdrawn(t *testing.T) {
	q := &kept{demand: daily(10)}
	d := &Desk{Querier: q, Pools: []Spec{balloon(false)}, Ledger: ledger(t, action.Approve, new(hands))}
	states := map[action.State]int{}
	for _, after := range []time.Duration{0, 10, 20, 30, 40, 50, 60, 70, 17 * 60} { // till midnight, when demand is least
		at := morning.Add(after * time.Minute)
		tick(t, d, at)
		if _, err := d.Ledger.Run(t.Context(), at); err != nil {
			t.Fatal(err)
		}
		es, err := d.Ledger.Entries(t.Context(), 500)
		if err != nil {
			t.Fatal(err)
		}
		clear(states)
		for _, e := range es {
			states[e.State]++
			if e.State != action.Proposed {
				continue
			}
			if want := 20 * time.Minute; e.Expires.Sub(e.Proposed) != want {
				t.Fatalf("it waits for %s, want %s: the boot, and as long as units stay", e.Expires.Sub(e.Proposed), want)
			}
			s, _ := d.State("llm")
			if n, err := strconv.Atoi(e.Params[Units]); err != nil || n < s.Advice.Added() || s.Advice.Added() == 0 {
				t.Fatalf("%s: %d wait for a decision, and the forecast adds %d", at, n, s.Advice.Added())
			}
		}
		if states[action.Proposed] > 1 || after == 0 && states[action.Proposed] != 1 {
			t.Fatalf("%d proposals wait", states[action.Proposed])
		}
	}
	if states[action.Proposed] != 0 || states[action.Withdrawn] < 2 || states[action.Done] != 0 {
		t.Errorf("at night there are %v", states)
	}
}

// What was added is taken back by a service that can no longer tell whether it is needed.
func TestBlindTakesBack(t *testing.T) {
	q := &kept{demand: daily(10)}
	h := new(hands)
	d := &Desk{Querier: q, Pools: []Spec{balloon(true)}, Ledger: ledger(t, action.Approve, h)}
	tick(t, d, morning)
	if len(h.did) != 1 || h.did[0] == "0" {
		t.Fatalf("done is %q", h.did)
	}
	d.Pools[0].Demand = "broken"
	blind := func(after time.Duration) error { return d.Tick(t.Context(), morning.Add(after)) }
	if err := blind(20 * time.Minute); err == nil || len(h.did) != 1 {
		t.Fatalf("after 20 minutes done is %q, %v", h.did, err)
	}
	// A process that starts anew goes by the ledger.
	d = &Desk{Querier: q, Pools: d.Pools, Ledger: d.Ledger}
	if err := blind(21 * time.Minute); err == nil || len(h.did) != 2 || h.did[1] != "0" {
		t.Fatalf("after 21 minutes done is %q, %v", h.did, err)
	}
	es, err := d.Ledger.Entries(t.Context(), 1)
	if err != nil || !strings.HasPrefix(es[0].Reason, "nothing has been advised for 21m: read the demand: no such function") {
		t.Errorf("the reason is %q, %v", es[0].Reason, err)
	}
	if blind(time.Hour); len(h.did) != 2 {
		t.Errorf("taken back again: %q", h.did)
	}
}
