package dcgm

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	godcgm "github.com/NVIDIA/go-dcgm/pkg/dcgm"

	"vedette.dev/collector"
	"vedette.dev/rules/catalog"
)

// An instance is a GPU instance of MIG: a part of a GPU with its own memory,
// cut into compute instances.
type instance struct {
	entity   uint // DCGM's number of it, on the node
	gpu      uint
	local    uint // the driver's number of it, on the GPU: GPU_I_ID
	computes []compute
}

// A compute is a compute instance: with the GPU instance it is in, what the
// driver and the kubelet call a MIG device.
type compute struct{ entity, local uint }

func sameInstances(a, b []instance) bool {
	return slices.EqualFunc(a, b, func(x, y instance) bool {
		return x.entity == y.entity && x.gpu == y.gpu && x.local == y.local && slices.Equal(x.computes, y.computes)
	})
}

// names are what instances are called: they do not change while those exist.
type names struct {
	profiles map[uint]string // by GPU instance
	uuids    map[uint]string // by compute instance: MIG-…
	asked    time.Time
	whole    bool
}

const (
	fieldName godcgm.Short = 50
	fieldUUID godcgm.Short = 54
)

const (
	// maxValues is how many values a call may ask for: each takes four
	// kilobytes, and go-dcgm allocates anew above this.
	maxValues = 256
	// maxEntities is how many entities older libraries take in a call.
	maxEntities = 64
	// nameAgain is after how long instances without a name are asked for it again.
	nameAgain = time.Minute
)

// listInstances returns the instances that there are. Where that cannot be
// told, those that there were: MIG must not cost the readings of GPUs.
func (s *Source) listInstances() []instance {
	s.step("list the MIG instances")
	if ids, err := godcgm.GetEntityGroupEntities(godcgm.FE_GPU_I); err == nil && len(ids) == 0 {
		return nil // most nodes: the hierarchy takes room for every instance that there could be
	}
	h, err := godcgm.GetGPUInstanceHierarchy()
	if err != nil {
		s.warn(fmt.Errorf("dcgm: list the MIG instances: %w", err))
		return s.engine.watched.instances
	}
	var is []instance
	at := map[uint]int{} // where a GPU instance is in is
	for _, x := range h.EntityList[:h.Count] {
		if x.Entity.EntityGroupId == godcgm.FE_GPU_I {
			at[x.Entity.EntityId] = len(is)
			is = append(is, instance{entity: x.Entity.EntityId, gpu: x.Parent.EntityId, local: x.Info.NvmlInstanceId})
		}
	}
	for _, x := range h.EntityList[:h.Count] {
		i, ok := at[x.Parent.EntityId]
		if x.Entity.EntityGroupId == godcgm.FE_GPU_CI && ok {
			is[i].computes = append(is[i].computes, compute{x.Entity.EntityId, x.Info.NvmlComputeInstanceId})
		}
	}
	return is
}

// watchInstances makes the engine sample what instances have for themselves;
// the rest is their GPU's.
func (s *Source) watchInstances(is []instance) error {
	e := s.engine
	e.names = names{}
	var own, profiling []field
	for _, f := range e.fields {
		switch {
		case !f.ofInstance() || f.id == fieldXid:
		case f.profiling():
			profiling = append(profiling, f)
		default:
			own = append(own, f)
		}
	}
	if len(is) == 0 || len(own)+len(profiling) == 0 {
		return nil
	}
	pairs := make([]godcgm.GroupEntityPair, len(is))
	for i, x := range is {
		pairs[i] = godcgm.GroupEntityPair{EntityGroupId: godcgm.FE_GPU_I, EntityId: x.entity}
	}
	group, err := s.newGroup("vedette-instances", pairs)
	if err != nil {
		return err
	}
	if len(own) > 0 {
		if _, err := s.watchFields("vedette-instances", group, own, 0, 1); err != nil {
			return err
		}
		e.readInstances = own
	}
	if len(profiling) > 0 {
		if _, err := s.watchFields("vedette-instances-profiling", group, profiling, 0, 1); err != nil {
			s.warn(fmt.Errorf("no profiling metrics (DCGM_FI_PROF_…) of MIG instances: %w", err))
			return nil
		}
		e.readInstances = append(e.readInstances, profiling...)
	}
	return nil
}

// nameInstances asks for the profiles and UUIDs of the instances, once; where
// one has none yet, again after a while.
func (s *Source) nameInstances(now time.Time) {
	n := &s.engine.names
	if n.whole || !n.asked.IsZero() && now.Sub(n.asked) < nameAgain {
		return
	}
	var gis, cis []godcgm.GroupEntityPair
	for _, in := range s.engine.watched.instances {
		gis = append(gis, godcgm.GroupEntityPair{EntityGroupId: godcgm.FE_GPU_I, EntityId: in.entity})
		for _, c := range in.computes {
			cis = append(cis, godcgm.GroupEntityPair{EntityGroupId: godcgm.FE_GPU_CI, EntityId: c.entity})
		}
	}
	n.asked = now
	n.profiles = s.texts(gis, fieldName)
	n.uuids = s.texts(cis, fieldUUID)
	n.whole = len(n.profiles) == len(gis) && len(n.uuids) == len(cis)
	if !n.whole {
		s.warn(errors.New("dcgm: some MIG instances have no profile or no UUID yet: which pod holds them is not known"))
	}
}

// texts reads a field of many entities past the cache, since nobody watches it.
func (s *Source) texts(of []godcgm.GroupEntityPair, field godcgm.Short) map[uint]string {
	m := map[uint]string{}
	for batch := range slices.Chunk(of, maxEntities) {
		s.step("read the names of %d MIG instances", len(batch))
		vs, err := godcgm.EntitiesGetLatestValues(batch, []godcgm.Short{field}, godcgm.DCGM_FV_FLAG_LIVE_DATA)
		if err != nil {
			s.warn(fmt.Errorf("dcgm: read the names of MIG instances: %w", err))
			continue
		}
		for i := range vs {
			if vs[i].Status != 0 || vs[i].StringValue == nil || blankText(*vs[i].StringValue) {
				continue
			}
			m[vs[i].EntityID] = *vs[i].StringValue
		}
	}
	return m
}

// readMIG returns the readings of the instances of the GPUs that answer, by
// GPU, in as few calls as there can be.
func (s *Source) readMIG(alive map[uint]bool, now time.Time) (map[uint][]collector.Point, error) {
	var here []instance
	for _, in := range s.engine.watched.instances {
		if alive[in.gpu] {
			here = append(here, in)
		}
	}
	if len(here) == 0 {
		return nil, nil
	}
	s.nameInstances(now)
	points := map[uint][]collector.Point{}
	var errs []error
	if fields := s.engine.readInstances; len(fields) > 0 {
		for batch := range slices.Chunk(here, max(1, min(maxEntities, maxValues/len(fields)))) {
			if err := s.readBatch(batch, fields, now, points); err != nil {
				errs = append(errs, err)
			}
		}
	}
	for _, in := range here {
		points[in.gpu] = append(points[in.gpu], s.partPoints(in, now)...)
	}
	return points, errors.Join(errs...)
}

// readBatch adds to points, by GPU, what some instances read.
func (s *Source) readBatch(batch []instance, fields []field, now time.Time, points map[uint][]collector.Point) error {
	s.step("read %d MIG instances", len(batch))
	ids := make([]godcgm.Short, len(fields))
	byID := map[godcgm.Short]field{}
	for i, f := range fields {
		ids[i], byID[f.id] = f.id, f
	}
	pairs := make([]godcgm.GroupEntityPair, len(batch))
	attrs := map[uint][]collector.Attr{}
	gpus := map[uint]uint{}
	for i, in := range batch {
		pairs[i] = godcgm.GroupEntityPair{EntityGroupId: godcgm.FE_GPU_I, EntityId: in.entity}
		attrs[in.entity], gpus[in.entity] = s.instanceAttrs(in), in.gpu
	}
	vs, err := godcgm.EntitiesGetLatestValues(pairs, ids, 0)
	if err != nil {
		return fmt.Errorf("dcgm: read %d MIG instances: %w", len(batch), err)
	}
	for i := range vs {
		v := &vs[i]
		f, ok := byID[v.FieldID]
		if !ok || v.Status != 0 || f.hidden {
			continue
		}
		value, ok := number(v.FieldType, v)
		at := time.UnixMicro(v.TS)
		if !ok || s.stale(at, now) {
			continue
		}
		g := gpus[v.EntityID]
		points[g] = append(points[g], collector.Point{Metric: f.metric, Counter: f.kind == counter, Value: value, At: at, Attrs: attrs[v.EntityID]})
	}
	return nil
}

// instanceAttrs are the labels that dcgm-exporter gives the series of an
// instance: those of its GPU, and which part of it it is.
func (s *Source) instanceAttrs(in instance) []collector.Attr {
	as := slices.Clone(s.known[in.gpu].attrs)
	if p := s.engine.names.profiles[in.entity]; p != "" {
		as = append(as, collector.Attr{Key: "GPU_I_PROFILE", Value: p})
	}
	return append(as, collector.Attr{Key: "GPU_I_ID", Value: strconv.FormatUint(uint64(in.local), 10)})
}

// partPoints say which part of a GPU an instance is: a point for each MIG device in it.
func (s *Source) partPoints(in instance, now time.Time) []collector.Point {
	as := []collector.Attr{
		{Key: s.conf.HostName, Value: s.conf.Node},
		{Key: "gpu", Value: strconv.FormatUint(uint64(in.gpu), 10)},
		{Key: "UUID", Value: s.known[in.gpu].uuid},
		{Key: "GPU_I_ID", Value: strconv.FormatUint(uint64(in.local), 10)},
	}
	if p := s.engine.names.profiles[in.entity]; p != "" {
		as = append(as, collector.Attr{Key: "GPU_I_PROFILE", Value: p})
	}
	point := collector.Point{Metric: collector.Instance, Value: 1, At: now}
	if len(in.computes) == 0 {
		point.Attrs = as
		return []collector.Point{point}
	}
	var ps []collector.Point
	for _, c := range in.computes {
		point.Attrs = append(slices.Clone(as), collector.Attr{Key: "GPU_CI_ID", Value: strconv.FormatUint(uint64(c.local), 10)})
		if u := s.engine.names.uuids[c.entity]; u != "" {
			point.Attrs = append(point.Attrs, collector.Attr{Key: "MIG_UUID", Value: u})
		}
		ps = append(ps, point)
	}
	return ps
}

// without leaves out of a GPU's own points what its instances have been read
// of: in a sum, the GPU's value would be counted a second time.
func without(own, parts []collector.Point) []collector.Point {
	given := map[catalog.ID]bool{}
	for _, p := range parts {
		given[p.Metric] = true
	}
	return slices.DeleteFunc(own, func(p collector.Point) bool { return given[p.Metric] })
}
