package dcgm

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	godcgm "github.com/NVIDIA/go-dcgm/pkg/dcgm"

	"vedette.dev/collector"
)

// A gpu is one that has been seen.
type gpu struct {
	uuid, pci string
	attrs     []collector.Attr // of its series
	limits    limits
}

// A reading no longer counts after so many of its periods, and so long at the
// least, since an engine that was held up for a second has lost no GPU: one
// that is lost may go on showing the last that it gave.
const (
	stalePeriods = 6
	staleAtLeast = 5 * time.Second
)

// stale reports whether a reading is too old to count.
func (s *Source) stale(at, now time.Time) bool {
	return now.Sub(at) > max(stalePeriods*s.conf.Every, staleAtLeast)
}

// look reads every GPU once. The points it returns with an error are good.
func (s *Source) look() ([]collector.Point, error) {
	s.changeOver()
	r, err := s.ready()
	if err != nil {
		return nil, err
	}
	if len(r.gpus)+len(r.lost)+len(s.known) == 0 {
		return nil, errNoGPU
	}

	ps := make([]collector.Point, 0, s.points+s.points/8) // there are hardly ever more than last time
	var errs []error
	now := s.conf.Now()
	alive := map[uint]bool{}
	whole := map[uint][]collector.Point{}
	for _, id := range r.gpus {
		read, err := s.readGPU(id, now)
		if err != nil {
			errs = append(errs, err)
		}
		whole[id], alive[id] = read, len(read) > 0
	}
	parts, err := s.readMIG(alive, now)
	if err != nil {
		errs = append(errs, err)
	}
	for _, id := range r.gpus {
		ps = append(ps, without(whole[id], parts[id])...)
		ps = append(ps, parts[id]...)
	}
	answer := slices.DeleteFunc(slices.Clone(r.gpus), func(id uint) bool { return !alive[id] })
	s.watchPolicies(answer)
	ps = append(ps, s.violationPoints(now)...)
	ps = append(ps, s.readPeers(answer, now)...)
	for _, id := range r.cpus {
		read, err := s.readCPU(id, now)
		if err != nil {
			errs = append(errs, err)
		}
		ps = append(ps, read...)
	}
	health, err := s.readHealth(r.gpus, now)
	if err != nil {
		errs = append(errs, err)
	}
	ps = append(ps, health...)
	for _, id := range r.lost {
		if s.known[id] == nil {
			s.known[id] = &gpu{}
		}
	}
	for _, id := range slices.Sorted(maps.Keys(s.known)) {
		ps = append(ps, s.lostPoint(id, !alive[id], now))
	}
	if err := s.readHappened(); err != nil {
		errs = append(errs, err)
	}
	s.points = len(ps)
	return ps, errors.Join(errs...)
}

// ready returns what there is, with all of it watched. An engine that has gone
// away is looked for again at once: it may have been restarted.
func (s *Source) ready() (r roll, err error) {
	for range 2 {
		if err := s.connect(); err != nil {
			return roll{}, err
		}
		r, err = s.call()
		if err == nil {
			err = s.watch(r.roster)
		}
		if err == nil {
			return r, nil
		}
		s.disconnect()
	}
	return roll{}, err
}

// readGPU returns the readings of one GPU: none where it does not answer.
func (s *Source) readGPU(id uint, now time.Time) ([]collector.Point, error) {
	s.step("read GPU %d", id)
	fields := s.engine.read
	ids := make([]godcgm.Short, len(fields))
	for i, f := range fields {
		ids[i] = f.id
	}
	vs, err := s.values.latest(godcgm.FE_GPU, id, ids)
	if err != nil {
		return nil, fmt.Errorf("dcgm: read GPU %d: %w", id, err)
	}

	labels := map[string]string{}
	ps := make([]collector.Point, 0, 2*len(vs)) // some fields become several points
	var held collector.Point                    // the reasons of the clocks, in one
	var of limits
	answers := false
	for i := range vs {
		f, v := fields[i], &vs[i]
		if v.status != 0 {
			continue
		}
		if f.kind == label {
			if text := v.String(); !blankText(text) {
				labels[string(f.metric)] = text
			}
			continue
		}
		value, ok := number(uint(v.kind), v)
		at := time.UnixMicro(v.at)
		switch {
		case !ok:
			continue
		case f.id == fieldXid:
			at = now // an Xid stands until the next, also when the GPU is gone
		case s.stale(at, now):
			continue
		default:
			answers = true
		}
		of.note(f.id, value)
		if f.id == fieldClockEvents {
			held = collector.Point{Value: value, At: at}
		}
		if f.hidden {
			continue
		}
		ps = append(ps, collector.Point{Metric: f.metric, Counter: f.kind == counter, Value: value, At: at})
	}
	if !answers {
		return nil, nil
	}
	attrs := s.attrs(id, labels)
	s.known[id] = &gpu{uuid: labels["UUID"], pci: labels["pci_bus_id"], attrs: attrs, limits: of}
	for i := range ps {
		ps[i].Attrs = attrs
	}
	if !held.At.IsZero() {
		ps = append(ps, s.clockPoints(id, labels["UUID"], uint64(held.Value), held.At)...)
	}
	return ps, nil
}

// attrs returns the labels that dcgm-exporter gives the series of a GPU. All
// its points share them.
func (s *Source) attrs(id uint, labels map[string]string) []collector.Attr {
	n := strconv.FormatUint(uint64(id), 10)
	as := []collector.Attr{
		{Key: s.conf.HostName, Value: s.conf.Node},
		{Key: "device", Value: "nvidia" + n},
		{Key: "gpu", Value: n},
	}
	for _, f := range s.engine.read {
		if v, ok := labels[string(f.metric)]; ok && f.kind == label {
			as = append(as, collector.Attr{Key: string(f.metric), Value: v})
		}
	}
	return as
}

func (s *Source) lostPoint(id uint, lost bool, now time.Time) collector.Point {
	p := collector.Point{Metric: Lost, At: now, Attrs: []collector.Attr{
		{Key: s.conf.HostName, Value: s.conf.Node},
		{Key: "gpu", Value: strconv.FormatUint(uint64(id), 10)},
		{Key: "UUID", Value: s.known[id].uuid},
	}}
	if lost {
		p.Value = 1
	}
	return p
}

// number returns a value of a field's type, and false where it is blank or not a number.
func number(fieldType uint, v interface {
	Int64() int64
	Float64() float64
}) (float64, bool) {
	switch fieldType {
	case godcgm.DCGM_FT_INT64, godcgm.DCGM_FT_TIMESTAMP:
		i := v.Int64()
		return float64(i), !blankInt(i)
	case godcgm.DCGM_FT_DOUBLE:
		f := v.Float64()
		return f, !(f >= blankFloat) && f == f
	}
	return 0, false
}

// The blanks of dcgm_structs.h: each stands for four reasons why there is no
// value. A few fields hold the 32-bit ones in 64 bits.
const (
	blank32    = 0x7ffffff0
	blankFloat = 1 << 47
)

func blankInt(i int64) bool { return godcgm.IsInt64Blank(i) || i >= blank32 && i <= blank32+3 }

func blankText(s string) bool { return s == "" || strings.HasPrefix(s, "<<<") }
