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
	since    time.Time

	watched []uint // the GPUs
	group   godcgm.GroupHandle
	xids    godcgm.FieldHandle
	groups  []godcgm.FieldHandle
	read    []field // the fields that could be watched

	healthy  bool // health is watched
	checked  time.Time
	ailments map[ailment]float64 // as of then
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
	s.engine = &engine{shutdown: shutdown, since: s.conf.Now()}
	s.recognize()
	return nil
}

// recognize finds which of the fields this DCGM knows.
func (s *Source) recognize() {
	s.engine.fields = nil
	var unknown []string
	for _, f := range s.fields {
		if _, err := godcgm.FieldGetByID(f.id); err != nil {
			unknown = append(unknown, f.name)
			continue
		}
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

// watch makes the engine sample gpus, unless it does so already.
func (s *Source) watch(gpus []uint) error {
	e := s.engine
	if isSubset(gpus, e.watched) {
		return nil
	}
	s.unwatch()
	s.step("watch the GPUs")
	var err error
	if e.group, err = godcgm.CreateGroup("vedette"); err != nil {
		return fmt.Errorf("dcgm: %w", err)
	}
	for _, id := range gpus {
		if err := godcgm.AddToGroup(e.group, id); err != nil {
			return fmt.Errorf("dcgm: %w", err)
		}
	}
	e.watched = gpus
	s.watchHealth()

	var base, profiling, xid []field
	for _, f := range e.fields {
		switch {
		case f.id == fieldXid:
			xid = append(xid, f)
		case f.profiling():
			profiling = append(profiling, f)
		default:
			base = append(base, f)
		}
	}
	if _, err := s.watchFields("vedette", base, 0, 1); err != nil {
		return err
	}
	if e.xids, err = s.watchFields("vedette-xids", xid, keepXids, 0); err != nil {
		return err
	}
	e.read = slices.Concat(base, xid)
	if _, err := s.watchFields("vedette-profiling", profiling, 0, 1); err != nil {
		s.warn(fmt.Errorf("no profiling metrics (DCGM_FI_PROF_…): %w", err))
		return nil
	}
	e.read = append(e.read, profiling...)
	return nil
}

// watchFields watches fs for the engine's group, keeping what was sampled for
// age, or the newest samples.
func (s *Source) watchFields(name string, fs []field, age time.Duration, samples int32) (godcgm.FieldHandle, error) {
	s.step("watch the fields of group %s", name)
	ids := make([]godcgm.Short, len(fs))
	for i, f := range fs {
		ids[i] = f.id
	}
	h, err := godcgm.FieldGroupCreate(name, ids)
	if err != nil {
		return h, fmt.Errorf("dcgm: %w", err)
	}
	s.engine.groups = append(s.engine.groups, h)
	if err := godcgm.WatchFieldsWithGroupEx(h, s.engine.group, s.conf.Every.Microseconds(), age.Seconds(), samples); err != nil {
		return h, fmt.Errorf("dcgm: %w", err)
	}
	return h, nil
}

// unwatch undoes watch. What cannot be undone ends with the connection.
func (s *Source) unwatch() {
	e := s.engine
	if e.group != (godcgm.GroupHandle{}) {
		_ = godcgm.DestroyGroup(e.group)
	}
	for _, h := range e.groups {
		_ = godcgm.FieldGroupDestroy(h)
	}
	e.group, e.groups, e.xids = godcgm.GroupHandle{}, nil, godcgm.FieldHandle{}
	e.watched, e.read = nil, nil
}

// A roll is the GPUs that DCGM knows of, by what became of them.
type roll struct{ answering, lost []uint }

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
			r.answering = append(r.answering, id)
		case godcgm.EntityStatusLost, godcgm.EntityStatusDetached, godcgm.EntityStatusUnknown:
			r.lost = append(r.lost, id)
		case godcgm.EntityStatusUnsupported, godcgm.EntityStatusInaccessible, godcgm.EntityStatusDisabled:
			// not ours to watch
		}
	}
	return r, nil
}

// errNoGPU says that DCGM runs and has nothing to show.
var errNoGPU = errors.New("dcgm: the host engine knows of no GPU: is the driver loaded?")

func isSubset(a, b []uint) bool {
	return !slices.ContainsFunc(a, func(x uint) bool { return !slices.Contains(b, x) })
}
