package scale

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"vedette.dev/analyzer/action"
)

// What was added early was needed where demand came to ask for it while it was there.
func TestEarly(t *testing.T) {
	p := Pool{Capacity: 10, Min: 1, Max: 9}
	rises := []float64{10, 10, 10, 20, 30, 30} // 1 unit, then 2, then 3
	for _, tt := range []struct {
		name   string
		demand []float64
		whole  bool
		set    []change
		want   Early
	}{
		{"nothing was added", rises, false, nil, Early{}},
		{"both are asked for", rises, false, []change{{1, 2}, {4, 0}}, Early{Units: 2, Needed: 2, Hours: 6. / 60}},
		{"gone before they were asked for", rises, false, []change{{0, 2}, {2, 0}}, Early{Units: 2, Hours: 4. / 60}},
		{"gone as they are asked for", rises, false, []change{{0, 1}, {3, 0}}, Early{Units: 1, Needed: 1, Hours: 3. / 60}},
		{"one too many", rises, false, []change{{0, 3}, {5, 0}}, Early{Units: 3, Needed: 2, Hours: 15. / 60}},
		{"one may yet be", rises, false, []change{{0, 3}}, Early{Units: 2, Needed: 2, Waiting: 1, Now: 3, Hours: 18. / 60}},
		{"more in two steps", rises, false, []change{{0, 1}, {1, 2}, {5, 0}}, Early{Units: 2, Needed: 2, Hours: 9. / 60}},
		{"as many as there were before", rises, false, []change{{-9, 2}, {1, 0}}, Early{Hours: 2. / 60}},
		{"a minimum above demand", rises, true, []change{{0, 3}, {5, 1}}, Early{Units: 2, Needed: 2, Hours: (2 + 2 + 2 + 1) / 60.}},
		{"a minimum below demand adds nothing", []float64{50, 50, 50}, true, []change{{0, 4}}, Early{}},
		{"a gap asks for what there was", []float64{10, math.NaN(), 20}, false, []change{{0, 1}, {2, 0}}, Early{Units: 1, Needed: 1, Hours: 2. / 60}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := early(p, tt.demand, tt.whole, tt.set)
			tt.want.Days = float64(len(tt.demand)) / day
			if diff := cmp.Diff(tt.want, got, cmpopts.EquateApprox(0, 1e-9)); diff != "" {
				t.Errorf("early (-want +got):\n%s", diff)
			}
		})
	}
}

// A morning's proposals, carried out, are told of in the evening.
func TestEarlyIsTold(t *testing.T) {
	d := &Desk{Querier: &kept{demand: daily(10)}, Pools: []Spec{balloon(true)}, Ledger: ledger(t, action.Approve, new(hands))}
	for _, after := range []time.Duration{-30, -20, -10, 0, 10, 20, 30, 40, 50, 60, 17 * 60} { // till midnight, when demand is least
		tick(t, d, morning.Add(after*time.Minute))
	}
	s, _ := d.State("llm")
	e := s.Early
	if e == nil || e.Units < 3 || e.Needed < e.Units/2 || e.Waiting > 0 || e.Hours < 1 || math.Abs(e.USD-e.Hours*98.32) > 1e-6 {
		t.Fatalf("early is %+v", e)
	}
	if !strings.Contains(e.String(), " units that were added early in the last 7 days were needed") {
		t.Errorf("it says %q", e)
	}
	got := map[string]float64{}
	for _, m := range d.Samples() {
		got[m.Metric+m.Labels["outcome"]] = m.Value
	}
	if got["vedette_early_units_judgedneeded"] != float64(e.Needed) || got["vedette_early_units_judgednot needed"] != float64(e.Units-e.Needed) || got["vedette_pool_unit_usd"] != 98.32 {
		t.Errorf("metrics are %v", got)
	}
}
