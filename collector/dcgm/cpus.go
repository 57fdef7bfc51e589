package dcgm

import (
	"fmt"
	"strconv"
	"time"

	godcgm "github.com/NVIDIA/go-dcgm/pkg/dcgm"

	"vedette.dev/collector"
)

// ofCPU reports whether f is of NVIDIA's own processors, Grace.
func (f field) ofCPU() bool { return f.level == godcgm.FE_CPU || f.level == godcgm.FE_CPU_CORE }

// watchCPUs has the engine sample the processors.
func (s *Source) watchCPUs(ids []uint) error {
	var fs []field
	for _, f := range s.engine.fields {
		if f.ofCPU() {
			fs = append(fs, f)
		}
	}
	if len(ids) == 0 || len(fs) == 0 {
		return nil
	}
	var pairs []godcgm.GroupEntityPair
	for _, id := range ids {
		pairs = append(pairs, godcgm.GroupEntityPair{EntityGroupId: godcgm.FE_CPU, EntityId: id})
	}
	g, err := s.newGroup("vedette-cpus", pairs)
	if err != nil {
		return err
	}
	if _, err := s.watchFields("vedette-cpus", g, fs, 0, 1); err != nil {
		return err
	}
	s.engine.readCPUs = fs
	return nil
}

// readCPU returns the readings of a processor, with the labels that
// dcgm-exporter gives them: cpu and the node's.
func (s *Source) readCPU(id uint, now time.Time) ([]collector.Point, error) {
	s.step("read CPU %d", id)
	fields := s.engine.readCPUs
	ids := make([]godcgm.Short, len(fields))
	for i, f := range fields {
		ids[i] = f.id
	}
	vs, err := godcgm.EntityGetLatestValues(godcgm.FE_CPU, id, ids)
	if err != nil {
		return nil, fmt.Errorf("dcgm: read CPU %d: %w", id, err)
	}
	attrs := []collector.Attr{{Key: s.conf.HostName, Value: s.conf.Node}, {Key: "cpu", Value: strconv.FormatUint(uint64(id), 10)}}
	var ps []collector.Point
	for i := range vs {
		f, v := fields[i], &vs[i]
		value, ok := number(v.FieldType, v)
		at := time.UnixMicro(v.TS)
		if v.Status != 0 || !ok || f.kind == label || s.stale(at, now) {
			continue
		}
		ps = append(ps, collector.Point{Metric: f.metric, Counter: f.kind == counter, Value: value, At: at, Attrs: attrs})
	}
	return ps, nil
}
