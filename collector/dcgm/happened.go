package dcgm

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	godcgm "github.com/NVIDIA/go-dcgm/pkg/dcgm"

	"vedette.dev/collector"
)

// The fields of a switch whose values are SXids: of errors that end what
// crosses the port, and of those that do not.
const (
	fieldSXidFatal godcgm.Short = 856
	fieldSXid      godcgm.Short = 857
)

// othersEvery is how often switches and CPUs are looked for: they come with a
// reboot, and may be seen by DCGM some time after it.
const othersEvery = time.Minute

// readHappened takes what has happened since the last look.
func (s *Source) readHappened() error {
	return errors.Join(s.readXids(), s.readSXids())
}

// readXids takes the Xids since the last look, repeats of the same one
// included, which the newest value does not show. Most of them the kernel log
// has too; see [kmsg.Merge].
func (s *Source) readXids() error {
	if s.engine.watched.gpus == nil {
		return nil
	}
	s.step("read the Xids")
	vs, next, err := godcgm.GetValuesSince(s.engine.happens, s.engine.xids, s.heardXids)
	if err != nil {
		return fmt.Errorf("dcgm: read the Xids: %w", err)
	}
	s.heardXids = next
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range vs {
		v := &vs[i]
		code := v.Int64()
		if v.Status != 0 || code <= 0 || blankInt(code) {
			continue
		}
		s.events = append(s.events, s.xidEvent(godcgm.GroupEntityPair{EntityGroupId: v.EntityGroupId, EntityId: v.EntityID}, code, time.UnixMicro(v.TS)))
	}
	return nil
}

// xidEvent words an Xid as the driver words it in the kernel log, so that
// whoever reads the log reads this. With MIG, an Xid may be an instance's.
func (s *Source) xidEvent(of godcgm.GroupEntityPair, code int64, at time.Time) collector.Event {
	id, part := s.engine.watched.find(of)
	pci := ""
	if g := s.known[id]; g != nil {
		pci = g.pci
	}
	slot := strings.ToLower(strings.TrimSuffix(strings.TrimPrefix(pci, "0000"), ".0"))
	e := collector.Event{Kind: collector.KernelLine, At: at,
		Text: fmt.Sprintf("NVRM: Xid (PCI:%s): %d, reported through DCGM", slot, code),
		Attrs: []collector.Attr{
			{Key: collector.AttrNode, Value: s.conf.Node},
			{Key: collector.AttrXid, Value: strconv.FormatInt(code, 10)},
			{Key: collector.AttrPCI, Value: pci},
		}}
	if part != "" {
		e.Text += ", of GPU instance " + part
		e.Attrs = append(e.Attrs, collector.Attr{Key: collector.AttrInstance, Value: part})
	}
	return e
}

// find returns the GPU that an entity is or is a part of, and the driver's
// number of the part.
func (r roster) find(e godcgm.GroupEntityPair) (gpu uint, part string) {
	for _, in := range r.instances {
		is := e.EntityGroupId == godcgm.FE_GPU_I && e.EntityId == in.entity ||
			e.EntityGroupId == godcgm.FE_GPU_CI && slices.ContainsFunc(in.computes, func(c compute) bool { return c.entity == e.EntityId })
		if is {
			return in.gpu, strconv.FormatUint(uint64(in.local), 10)
		}
	}
	return e.EntityId, ""
}

// listOthers returns the NVSwitches and CPUs that DCGM sees. Most nodes have
// none, and where it does not know, none are to be read.
func (s *Source) listOthers() (switches, cpus []uint) {
	e := s.engine
	if now := s.conf.Now(); now.Sub(e.listed) >= othersEvery {
		s.step("list the switches and CPUs")
		e.others, e.listed = roster{}, now
		e.others.switches, _ = godcgm.GetEntityGroupEntities(godcgm.FE_SWITCH)
		e.others.cpus, _ = godcgm.GetEntityGroupEntities(godcgm.FE_CPU)
	}
	return e.others.switches, e.others.cpus
}

func (s *Source) watchSwitches(ids []uint) error {
	if len(ids) == 0 {
		return nil
	}
	var pairs []godcgm.GroupEntityPair
	for _, id := range ids {
		pairs = append(pairs, godcgm.GroupEntityPair{EntityGroupId: godcgm.FE_SWITCH, EntityId: id})
	}
	g, err := s.newGroup("vedette-switches", pairs)
	if err != nil {
		return err
	}
	h, err := s.watchFields("vedette-sxids", g, []field{{id: fieldSXidFatal}, {id: fieldSXid}}, keepXids, 0)
	if err != nil {
		return err
	}
	s.engine.switches, s.engine.sxids = g, h
	return nil
}

// readSXids takes the SXids since the last look, as readXids does the Xids.
func (s *Source) readSXids() error {
	if s.engine.sxids == (godcgm.FieldHandle{}) {
		return nil
	}
	s.step("read the SXids")
	vs, next, err := godcgm.GetValuesSince(s.engine.switches, s.engine.sxids, s.heardSXids)
	if err != nil {
		return fmt.Errorf("dcgm: read the SXids: %w", err)
	}
	s.heardSXids = next
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range vs {
		v := &vs[i]
		code := v.Int64()
		if v.Status != 0 || code <= 0 || blankInt(code) {
			continue
		}
		level := "Non-fatal"
		if v.FieldID == fieldSXidFatal {
			level = "Fatal"
		}
		s.events = append(s.events, collector.Event{Kind: collector.KernelLine, At: time.UnixMicro(v.TS),
			Text: fmt.Sprintf("nvidia-nvswitch%d: SXid: %d, %s, reported through DCGM", v.EntityID, code, level),
			Attrs: []collector.Attr{
				{Key: collector.AttrNode, Value: s.conf.Node},
				{Key: collector.AttrSXid, Value: strconv.FormatInt(code, 10)},
			}})
	}
	return nil
}
