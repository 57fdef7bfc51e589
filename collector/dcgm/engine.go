package dcgm

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	godcgm "github.com/NVIDIA/go-dcgm/pkg/dcgm"
)

// An engine is an open connection to DCGM and what is watched through it.
type engine struct {
	shutdown func()
	fields   []field // those this DCGM knows

	watched       roster
	gpus          godcgm.GroupHandle
	happens       godcgm.GroupHandle // GPUs and their instances: Xids come to either
	xids          godcgm.FieldHandle
	groups        []godcgm.GroupHandle
	sets          []godcgm.FieldHandle
	read          []field // the fields that could be watched of GPUs
	readInstances []field
	names         names

	switches godcgm.GroupHandle
	sxids    godcgm.FieldHandle
	others   roster    // the switches and CPUs
	listed   time.Time // as of then

	readCPUs []field
	policed  bool     // the policies are set, or cannot be
	policies []func() // end them
	peers    []peer
	asked    time.Time // as of then

	healthy  bool // health is watched
	checked  time.Time
	ailments map[ailment]float64 // as of then
}

// A roster is what is watched.
type roster struct {
	gpus      []uint
	instances []instance
	switches  []uint
	cpus      []uint
}

// The library keeps the Xids of the last hour, in case this source hangs; of the rest, the newest.
const keepXids = time.Hour

// connect starts the engine inside this process, or connects to the one there is.
func (s *Source) connect() error {
	if s.engine != nil {
		return nil
	}
	var shutdown func()
	var err error
	switch a := s.conf.Address; {
	case a == "":
		s.step("start the embedded host engine")
		shutdown, err = godcgm.Init(godcgm.Embedded)
	case strings.HasPrefix(a, "/"):
		s.step("connect to the host engine at %s", a)
		shutdown, err = godcgm.Init(godcgm.Standalone, a, "1")
	default:
		s.step("connect to the host engine at %s", a)
		shutdown, err = godcgm.Init(godcgm.Standalone, a, "0")
	}
	if err != nil {
		return fmt.Errorf("dcgm: %s: %w", s.doing, err)
	}
	godcgm.FieldsInit()
	s.engine = &engine{shutdown: shutdown}
	if s.heardXids.IsZero() { // an engine that is found again goes on where it was
		s.heardXids = s.conf.Now()
		s.heardSXids = s.heardXids
	}
	s.recognize()
	return nil
}

// recognize finds which of the fields this DCGM knows.
func (s *Source) recognize() {
	s.engine.fields = nil
	var unknown []string
	for _, f := range s.fields {
		meta, err := godcgm.FieldGetByID(f.id)
		if err != nil {
			unknown = append(unknown, f.name)
			continue
		}
		f.level = meta.EntityLevel
		s.engine.fields = append(s.engine.fields, f)
	}
	if unknown != nil {
		s.warn(fmt.Errorf("dcgm: this library is too old for %s", strings.Join(unknown, ", ")))
	}
}

func (s *Source) disconnect() {
	if s.engine == nil {
		return
	}
	s.step("leave the host engine")
	s.unwatch()
	s.engine.shutdown()
	s.engine = nil
}

// watch makes the engine sample what there is, unless it does so already.
func (s *Source) watch(r roster) error {
	e := s.engine
	if isSubset(r.gpus, e.watched.gpus) && sameInstances(r.instances, e.watched.instances) &&
		slices.Equal(r.switches, e.watched.switches) && slices.Equal(r.cpus, e.watched.cpus) {
		return nil
	}
	if err := s.readHappened(); err != nil { // since the last look, before the watch ends
		s.warn(err)
	}
	s.unwatch()
	s.step("watch the GPUs")
	var gpus, happens []godcgm.GroupEntityPair
	for _, id := range r.gpus {
		gpus = append(gpus, godcgm.GroupEntityPair{EntityGroupId: godcgm.FE_GPU, EntityId: id})
	}
	happens = slices.Clone(gpus)
	for _, in := range r.instances {
		happens = append(happens, godcgm.GroupEntityPair{EntityGroupId: godcgm.FE_GPU_I, EntityId: in.entity})
		for _, c := range in.computes {
			happens = append(happens, godcgm.GroupEntityPair{EntityGroupId: godcgm.FE_GPU_CI, EntityId: c.entity})
		}
	}
	var err error
	if e.gpus, err = s.newGroup("vedette", gpus); err != nil {
		return err
	}
	if e.happens, err = s.newGroup("vedette-xids", happens); err != nil {
		s.warn(fmt.Errorf("no Xids of MIG instances: %w", err))
		e.happens = e.gpus
	}
	e.watched = r
	s.watchHealth()

	var base, profiling, xid []field
	for _, f := range e.fields {
		switch {
		case f.ofCPU():
		case f.id == fieldXid:
			xid = append(xid, f)
		case f.profiling():
			profiling = append(profiling, f)
		default:
			base = append(base, f)
		}
	}
	if _, err := s.watchFields("vedette", e.gpus, base, 0, 1); err != nil {
		return err
	}
	if e.xids, err = s.watchFields("vedette-xids", e.happens, xid, keepXids, 0); err != nil {
		return err
	}
	if err := s.watchInstances(r.instances); err != nil {
		s.warn(fmt.Errorf("MIG instances are not read: %w", err))
	}
	if err := s.watchSwitches(r.switches); err != nil {
		s.warn(fmt.Errorf("no SXids through DCGM: %w", err))
	}
	if err := s.watchCPUs(r.cpus); err != nil {
		s.warn(fmt.Errorf("CPUs are not read through DCGM: %w", err))
	}
	e.read = slices.Concat(base, xid)
	if _, err := s.watchFields("vedette-profiling", e.gpus, profiling, 0, 1); err != nil {
		s.warn(fmt.Errorf("no profiling metrics (DCGM_FI_PROF_…): %w", err))
		return nil
	}
	e.read = append(e.read, profiling...)
	return nil
}

// newGroup makes a group of entities, which ends with the watch.
func (s *Source) newGroup(name string, of []godcgm.GroupEntityPair) (godcgm.GroupHandle, error) {
	g, err := godcgm.CreateGroup(name)
	if err != nil {
		return g, fmt.Errorf("dcgm: %w", err)
	}
	s.engine.groups = append(s.engine.groups, g)
	for _, e := range of {
		if err := godcgm.AddEntityToGroup(g, e.EntityGroupId, e.EntityId); err != nil {
			return g, fmt.Errorf("dcgm: %w", err)
		}
	}
	return g, nil
}

// watchFields watches fs for a group, keeping what was sampled for age, or the
// newest samples.
func (s *Source) watchFields(name string, of godcgm.GroupHandle, fs []field, age time.Duration, samples int32) (godcgm.FieldHandle, error) {
	s.step("watch the fields of group %s", name)
	ids := make([]godcgm.Short, len(fs))
	for i, f := range fs {
		ids[i] = f.id
	}
	h, err := godcgm.FieldGroupCreate(name, ids)
	if err != nil {
		return h, fmt.Errorf("dcgm: %w", err)
	}
	s.engine.sets = append(s.engine.sets, h)
	if err := godcgm.WatchFieldsWithGroupEx(h, of, s.conf.Every.Microseconds(), age.Seconds(), samples); err != nil {
		return h, fmt.Errorf("dcgm: %w", err)
	}
	return h, nil
}

// unwatch undoes watch. What cannot be undone ends with the connection.
func (s *Source) unwatch() {
	e := s.engine
	s.unwatchPolicies()
	for _, g := range e.groups {
		_ = godcgm.DestroyGroup(g)
	}
	for _, h := range e.sets {
		_ = godcgm.FieldGroupDestroy(h)
	}
	e.groups, e.sets = nil, nil
	e.watched, e.read, e.readInstances, e.readCPUs = roster{}, nil, nil, nil
	e.asked, e.peers = time.Time{}, nil
	e.switches, e.sxids = godcgm.GroupHandle{}, godcgm.FieldHandle{}
}

// A roll is the GPUs that DCGM knows of, by what became of them.
type roll struct {
	roster // those that answer
	lost   []uint
}

// call asks DCGM for the roll.
func (s *Source) call() (roll, error) {
	s.step("list the GPUs")
	ids, err := godcgm.GetEntityGroupEntities(godcgm.FE_GPU)
	if err != nil {
		return roll{}, fmt.Errorf("dcgm: list the GPUs: %w", err)
	}
	var r roll
	for _, id := range ids {
		s.step("ask for the state of GPU %d", id)
		switch godcgm.GetGPUStatus(id) {
		case godcgm.EntityStatusOk, godcgm.EntityStatusFake:
			r.gpus = append(r.gpus, id)
		case godcgm.EntityStatusLost, godcgm.EntityStatusDetached, godcgm.EntityStatusUnknown:
			r.lost = append(r.lost, id)
		case godcgm.EntityStatusUnsupported, godcgm.EntityStatusInaccessible, godcgm.EntityStatusDisabled:
			// not ours to watch
		}
	}
	r.instances = s.listInstances()
	r.switches, r.cpus = s.listOthers()
	return r, nil
}

// errNoGPU says that DCGM runs and has nothing to show.
var errNoGPU = errors.New("dcgm: the host engine knows of no GPU: is the driver loaded?")

func isSubset(a, b []uint) bool {
	return !slices.ContainsFunc(a, func(x uint) bool { return !slices.Contains(b, x) })
}
