package dcgm

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	godcgm "github.com/NVIDIA/go-dcgm/pkg/dcgm"

	"vedette.dev/collector"
	"vedette.dev/rules/catalog"
)

// Violations counts how often DCGM has called a condition of its policies
// violated, with the labels Hostname, gpu, UUID and condition. DCGM looks at
// these by itself, so that what comes and goes between two looks is counted.
const Violations catalog.ID = "vedette_gpu_policy_violations_total"

// conditions are the labels of DCGM's policy conditions.
var conditions = map[godcgm.PolicyCondition]string{
	godcgm.DbePolicy: "dbe", godcgm.PCIePolicy: "pcie", godcgm.MaxRtPgPolicy: "retired_pages", godcgm.ThermalPolicy: "thermal",
	godcgm.PowerPolicy: "power", godcgm.NvlinkPolicy: "nvlink", godcgm.XidPolicy: "xid",
}

const (
	// powerMargin is how far above its limit a board's power counts as a
	// violation: regulation overshoots by a few percent, which is no fault.
	powerMargin = 1.1
	// maxRetiredPages is where NVIDIA takes a board back that retires pages:
	// https://docs.nvidia.com/deploy/dynamic-page-retirement/index.html
	maxRetiredPages = 60
)

// limits are what a GPU says of itself, 0 where it does not: whole watts and
// degrees, as a policy has them.
type limits struct{ power, slowdown uint32 }

const (
	fieldSlowdownTemp  godcgm.Short = 158
	fieldEnforcedPower godcgm.Short = 164
)

// note takes in a reading that is a limit.
func (l *limits) note(id godcgm.Short, v float64) {
	switch {
	case v <= 0:
	case id == fieldSlowdownTemp:
		l.slowdown = uint32(v)
	case id == fieldEnforcedPower:
		l.power = uint32(v * powerMargin)
	}
}

// configs are the policies of GPUs with these limits. A limit that is not known
// gets no policy: go-dcgm's default of 250 W is below what many boards draw all day.
func (l limits) configs() []godcgm.PolicyConfig {
	pages := uint32(maxRetiredPages)
	cs := []godcgm.PolicyConfig{{Condition: godcgm.DbePolicy}, {Condition: godcgm.PCIePolicy}, {Condition: godcgm.NvlinkPolicy},
		{Condition: godcgm.XidPolicy}, {Condition: godcgm.MaxRtPgPolicy, MaxRetiredPages: &pages}}
	if l.slowdown > 0 {
		cs = append(cs, godcgm.PolicyConfig{Condition: godcgm.ThermalPolicy, MaxTemperature: &l.slowdown})
	}
	if l.power > 0 {
		cs = append(cs, godcgm.PolicyConfig{Condition: godcgm.PowerPolicy, MaxPower: &l.power})
	}
	return cs
}

// A violation is a condition of a GPU.
type violation struct {
	gpu       uint
	condition string
}

// watchPolicies has the engine tell of violations by the GPUs that were read,
// once for each watch: GPUs with the same limits share a policy.
func (s *Source) watchPolicies(alive []uint) {
	e := s.engine
	if e.policed || len(alive) == 0 {
		return
	}
	e.policed = true
	alike := map[limits][]godcgm.GroupEntityPair{}
	for _, id := range alive {
		l := s.known[id].limits
		alike[l] = append(alike[l], godcgm.GroupEntityPair{EntityGroupId: godcgm.FE_GPU, EntityId: id})
	}
	for l, gpus := range alike {
		if err := s.watchPolicy(l.configs(), gpus); err != nil {
			s.warn(fmt.Errorf("dcgm: no policies: %w", err))
			return
		}
	}
}

func (s *Source) watchPolicy(configs []godcgm.PolicyConfig, gpus []godcgm.GroupEntityPair) error {
	s.step("set the policies of %d GPUs", len(gpus))
	g, err := s.newGroup("vedette-policy", gpus)
	if err != nil {
		return err
	}
	if err := godcgm.SetPolicyForGroup(g, configs...); err != nil {
		return err
	}
	var watched []godcgm.PolicyCondition
	for _, c := range configs {
		watched = append(watched, c.Condition)
	}
	ctx, cancel := context.WithCancel(context.Background())
	told, err := godcgm.WatchPolicyViolationsForGroup(ctx, g, watched...)
	if err != nil {
		cancel()
		return err
	}
	s.mu.Lock()
	for _, gpu := range gpus {
		for _, c := range watched {
			s.violations[violation{gpu.EntityId, conditions[c]}] += 0 // a count is seen to grow only from 0 on
		}
	}
	s.mu.Unlock()
	done := make(chan struct{})
	go func() { // ends with unwatch
		defer close(done)
		for v := range told {
			s.mu.Lock()
			s.violations[violation{v.GPU, conditions[v.Condition]}]++
			s.mu.Unlock()
		}
	}()
	s.engine.policies = append(s.engine.policies, func() { cancel(); <-done })
	return nil
}

// nobody is a group that is not there.
const nobody = 1 << 30

// unwatchPolicies ends the policies. go-dcgm ends a registration behind our
// back, holding a lock; asking for one that cannot be had waits for it, so that
// it does not meet the group's end, or the engine's.
func (s *Source) unwatchPolicies() {
	e := s.engine
	e.policed = false
	if e.policies == nil {
		return
	}
	for _, stop := range e.policies {
		stop()
	}
	e.policies = nil
	var g godcgm.GroupHandle
	g.SetHandle(nobody)
	ctx, cancel := context.WithCancel(context.Background())
	_, _ = godcgm.WatchPolicyViolationsForGroup(ctx, g, godcgm.DbePolicy)
	cancel()
}

// violationPoints are the counts so far.
func (s *Source) violationPoints(now time.Time) []collector.Point {
	s.mu.Lock()
	counts := maps.Clone(s.violations)
	s.mu.Unlock()
	var ps []collector.Point
	for _, v := range slices.SortedFunc(maps.Keys(counts), func(a, b violation) int {
		return cmp.Or(cmp.Compare(a.gpu, b.gpu), cmp.Compare(a.condition, b.condition))
	}) {
		if s.known[v.gpu] == nil {
			continue
		}
		ps = append(ps, collector.Point{Metric: Violations, Counter: true, Value: counts[v], At: now, Attrs: []collector.Attr{
			{Key: s.conf.HostName, Value: s.conf.Node}, {Key: "gpu", Value: strconv.FormatUint(uint64(v.gpu), 10)},
			{Key: "UUID", Value: s.known[v.gpu].uuid}, {Key: "condition", Value: v.condition}}})
	}
	return ps
}
