package detect

import (
	"hash/fnv"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"vedette.dev/analyzer"
	"vedette.dev/rules/catalog"
)

// A Bank runs the detectors over every sample that is stored and remembers
// what is unusual. It is an [analyzer.Watcher], and safe for concurrent use.
type Bank struct {
	rate    float64
	watches []Watch
	byName  map[string]int // into watches

	mu      sync.Mutex
	refs    map[uint64]uint32 // the store's series to ours, or unwatched
	members []*member         // by series id; nil: the id is free
	byKey   map[string]uint32
	free    []uint32
	states  *Slab[memory]
	groups  map[string]*group
	swept   int64

	explanations map[string]*explanation // by watch and subject

	models      []*model
	wholes      []*whole // by id; nil: the id is free
	byWhole     map[string]*whole
	freeWholes  []uint32
	wholeStates *Slab[wholeState]

	limits map[selector][]limit // by marks: see Heed

	told    int     // episodes opened
	hushed  int     // those that a mark keeps from being told
	watched float64 // seconds of scored series, once for each way of looking
}

var _ analyzer.Watcher = (*Bank)(nil)

// none is the watch of what is only known to explain others.
const none = -1

// unwatched is the id of all series that nobody watches.
const unwatched = math.MaxUint32

// forgotten is how long a series may be silent before its state is given up:
// what comes back within a day has its history still.
const forgotten = 24 * time.Hour

// A member is one watched series, as far as it is not plain numbers.
type member struct {
	labels  map[string]string // with __name__, without what the watch ignores
	watch   int               // or none
	subject analyzer.Subject
	key     string // labels in one string: what the series is
	group   *group // nil: no peers

	gives, by []*explanation // what it explains, and what explains it
	left      *explanation   // whose rest it is; nil: it is stored as it is

	roles []role // in what it is judged together with others

	limits []limit // by marks, on every channel
}

// memory is what the bank remembers of one series in numbers.
type memory struct {
	of       RateState[LevelState] // a gauge uses only its Of
	peer     PeerState
	alarm    alarm
	ramp     ramp // of what leaks
	level    episode
	apart    episode
	value    float64 // the newest, a rate for a counter
	middle   float64 // of the peers, then
	row      float64 // the value in the group's present row, and when it was taken
	rowAt    int64
	inRow    bool
	score    analyzer.Score
	peerness float64 // the score among peers
}

// A group is the series that are compared with each other.
type group struct {
	key    string
	ids    []uint32
	peers  Peers
	states []PeerState
	row    []float64
	scores []analyzer.Score
}

// NewBank returns a bank of watches that by chance raises about rate alerts
// per 1,000 series per day; 0 is [DefaultRate].
func NewBank(watches []Watch, rate float64) *Bank {
	if rate <= 0 {
		rate = DefaultRate
	}
	b := &Bank{rate: rate, byName: map[string]int{}}
	b.models, b.watches = models(watches)
	for i, w := range b.watches {
		b.byName[w.name()] = i
	}
	b.empty()
	return b
}

// Metrics returns the names of the metrics that are watched, or explain one
// that is, or are judged together with others, each once.
func (b *Bank) Metrics() []string {
	var names []string
	for _, w := range b.watches {
		for _, name := range []string{string(w.Metric), string(w.Given)} {
			if name != "" && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	for _, m := range b.models {
		for _, w := range m.metrics {
			if !slices.Contains(names, string(w.Metric)) {
				names = append(names, string(w.Metric))
			}
		}
	}
	return names
}

func (b *Bank) empty() {
	b.refs = map[uint64]uint32{}
	b.members, b.free = nil, nil
	b.byKey = map[string]uint32{}
	b.groups = map[string]*group{}
	b.explanations = map[string]*explanation{}
	b.states = NewSlab[memory]("bank")
	b.wholes, b.freeWholes = nil, nil
	b.byWhole = map[string]*whole{}
	b.wholeStates = NewSlab[wholeState](wholeStates)
}

// Observe takes one stored sample. ref is the store's number of the series;
// labels is called only for a ref not seen before, outside the bank's lock,
// and may return a map that is used again. A series that nobody watches costs
// one look-up.
func (b *Bank) Observe(ref uint64, labels func() map[string]string, ms int64, value float64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	id, known := b.refs[ref]
	if !known {
		b.mu.Unlock()
		ls := labels()
		b.mu.Lock()
		if id, known = b.refs[ref]; !known {
			id = b.admit(ls)
			b.refs[ref] = id
		}
	}
	if id != unwatched {
		b.take(id, ms, value)
	}
}

// Reset forgets which ref is which series and nothing else: the store may
// number its series anew.
func (b *Bank) Reset() {
	b.mu.Lock()
	defer b.mu.Unlock()
	clear(b.refs)
}

// admit finds the state of the series with these labels, or makes room for it.
func (b *Bank) admit(labels map[string]string) uint32 {
	i, watched := b.byName[labels["__name__"]]
	var w Watch
	var subject analyzer.Subject
	if watched {
		w = b.watches[i]
		subject, watched = w.subject(labels)
	}
	if watched && w.Given != "" { // of a saved state: nothing stored is called so
		e, _ := b.explain(i, labels)
		return e.id
	}
	gives, by := b.explains(labels)
	roles := b.roles(labels)
	if !watched {
		i = none
		if gives == nil && by == nil && roles == nil {
			return unwatched
		}
	}
	own := maps.Clone(labels)
	for _, l := range w.Ignore {
		delete(own, l)
	}
	key := keyOf(own)
	if id, ok := b.byKey[key]; ok {
		return id
	}
	m := &member{labels: own, watch: i, subject: subject, key: key, gives: gives, by: by, roles: roles}
	id := b.place(m)
	for _, r := range roles {
		r.in.of = append(r.in.of, id)
	}
	if watched {
		b.join(id, m)
	}
	return id
}

func (b *Bank) place(m *member) uint32 {
	m.limits = b.limits[m.name(b)]
	id := uint32(len(b.members))
	if n := len(b.free); n > 0 {
		id = b.free[n-1]
		b.free = b.free[:n-1]
		b.members[id] = m
	} else {
		b.members = append(b.members, m)
	}
	*b.states.At(id) = memory{}
	b.byKey[m.key] = id
	return id
}

// join makes a series a member of its group, where it has one.
func (b *Bank) join(id uint32, m *member) {
	w := b.watches[m.watch]
	if len(w.Group) == 0 {
		return
	}
	key := string(w.Metric)
	for _, l := range w.Group {
		v := m.labels[l]
		if v == "" {
			return
		}
		key += "\xff" + v
	}
	g := b.groups[key]
	if g == nil {
		g = &group{key: key, peers: Peers{Floor: w.MinEffect}}
		b.groups[key] = g
	}
	m.group = g
	g.ids = append(g.ids, id)
	n := len(g.ids)
	g.states, g.row, g.scores = make([]PeerState, n), make([]float64, n), make([]analyzer.Score, n)
}

// keyOf writes labels so that equal sets are equal strings.
func keyOf(labels map[string]string) string {
	var key strings.Builder
	for _, k := range slices.Sorted(maps.Keys(labels)) {
		if labels[k] == "" {
			continue
		}
		key.WriteString(k)
		key.WriteByte(0xff)
		key.WriteString(labels[k])
		key.WriteByte(0xff)
	}
	return key.String()
}

// fingerprint is key in eight bytes.
func fingerprint(key string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(key))
	return h.Sum64()
}

// take shows a sample to all that it concerns.
func (b *Bank) take(id uint32, ms int64, value float64) {
	m := b.members[id]
	for _, e := range m.gives {
		e.given(ms, value)
	}
	for _, e := range m.by {
		if left := e.residual(ms, value, e.watch.Direction, e.watch.MinEffect); !math.IsNaN(left) {
			b.observe(e.id, ms, left)
		}
	}
	s := &b.states.At(id).of
	if m.counts(b) {
		value = s.grown(ms, value)
	}
	if m.watch == none {
		s.last = max(s.last, ms)
	} else {
		b.observe(id, ms, value)
	}
	b.part(m, ms, value)
}

// counts reports whether the series is a counter, of which its rate is looked at.
func (m *member) counts(b *Bank) bool {
	if m.watch != none {
		return b.watches[m.watch].Kind == catalog.Counter
	}
	return len(m.roles) > 0 && m.roles[0].in.model.metrics[m.roles[0].metric].Kind == catalog.Counter
}

func (b *Bank) observe(id uint32, ms int64, value float64) {
	m := b.members[id]
	w := &b.watches[m.watch]
	s := b.states.At(id)
	near, long := Level{}.Usual(&s.of.Of)
	before := s.of.Of.seen
	var d distances
	now := s.of.Of.observe(ms, value, &d)
	if s.of.Of.seen == before {
		return // late, repeated, missing, or a counter's first
	}
	s.value, s.score = value, now

	spike, level := s.alarm.rare(&d, w.Direction)
	rare, usual := 0.0, near
	if w.Direction.off(value, near) >= w.MinEffect {
		rare = spike
	}
	if level > rare && w.Direction.off(value, long) >= w.MinEffect {
		rare, usual = level, long
	}
	if m.judgedElsewhere(ms, w) {
		rare = 0
	}
	score, step := min(1, rare/12), Level{}.Step(&s.of.Of)
	if w.Leaks {
		if begin, rises := s.ramp.rises(ms, value, w.Direction); rises && w.Direction.off(value, begin) >= w.MinEffect {
			score, usual = max(score, Threshold(b.rate, step)), begin
		}
	}
	b.follow(m, m.past(), &s.level, ms, score, value, usual, step)
	if m.group != nil {
		b.enter(m.group, w, s, ms)
	}
}

// judgedElsewhere reports whether a series is not judged by its own past: what is
// explained is by what is left, and the load of one GPU, which comes and goes
// with its user, is not at all; that of a job is.
func (m *member) judgedElsewhere(ms int64, w *Watch) bool {
	explained := slices.ContainsFunc(m.by, func(e *explanation) bool { return e.knows() && e.fresh(ms) })
	return explained || m.group != nil && w.Given == "" && len(m.group.ids) < fewest
}

// follow shows one sample to an episode, and counts what is told.
func (b *Bank) follow(m *member, c analyzer.Channel, e *episode, ms int64, score, value, usual, step float64) {
	d := b.watches[m.watch].Direction
	e.observe(ms, score, Threshold(b.rate, step), value, usual, step, d)
	b.watched += step
	if e.open && !e.told {
		b.tell(e, m.hushes(c, d.off(e.peak, e.usual), ms, ms))
	}
}

// tell counts an episode that opened, as told where by is nil and else as one that this
// mark keeps from being told.
func (b *Bank) tell(e *episode, by *analyzer.Mark) {
	switch {
	case by == nil:
		b.told++
		e.told = true
	case !e.hushed:
		b.hushed++
		e.hushed = true
	}
}

// Observed returns how many alerts the bank raised since it was made, and in
// how many series-days: the rate it was asked to keep to where nothing is wrong,
// and what it is to be held against.
func (b *Bank) Observed() (alerts int, seriesDays float64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.told, b.watched / day
}

// enter puts the newest value of s into its group's row. The row is full, and
// judged, when a member comes round again: no clock, and no waiting for the silent.
func (b *Bank) enter(g *group, w *Watch, s *memory, ms int64) {
	if s.inRow {
		b.compare(g, w, ms)
	}
	s.row, s.rowAt, s.inRow = s.value, ms, true
}

func (b *Bank) compare(g *group, w *Watch, ms int64) {
	for i, id := range g.ids {
		s := b.states.At(id)
		g.states[i], g.row[i] = s.peer, math.NaN()
		if s.inRow {
			g.row[i] = s.row
		}
	}
	g.peers.ObserveRow(g.states, ms, g.row, g.scores)
	middle := g.peers.Median()
	for i, id := range g.ids {
		s := b.states.At(id)
		if !s.inRow {
			continue
		}
		s.inRow = false
		s.peer, s.peerness, s.middle = g.states[i], g.scores[i].Regime, middle
		score := s.peerness
		if w.Direction.off(s.row, middle) < w.MinEffect {
			score = 0
		}
		step := Level{}.Step(&s.of.Of)
		m := b.members[id]
		b.follow(m, m.peers(), &s.apart, s.rowAt, score, s.row, middle, step)
	}
}

// sweep gives up the state of series that have been silent for long, and lets
// unwatched series be asked again, so that what the store dropped is dropped here.
func (b *Bank) sweep(now int64) {
	if now-b.swept < time.Hour.Milliseconds() {
		return
	}
	b.swept = now
	for id, m := range b.members {
		if m == nil || now-b.heard(uint32(id)) < forgotten.Milliseconds() {
			continue
		}
		if m.left != nil {
			b.forget(m.left)
		}
		if g := m.group; g != nil {
			g.ids = slices.DeleteFunc(g.ids, func(i uint32) bool { return i == uint32(id) })
			n := len(g.ids)
			g.states, g.row, g.scores = g.states[:n], g.row[:n], g.scores[:n]
			if n == 0 {
				delete(b.groups, g.key)
			}
		}
		b.leave(uint32(id), m)
		delete(b.byKey, m.key)
		b.members[id] = nil
		b.free = append(b.free, uint32(id))
	}
	maps.DeleteFunc(b.refs, func(_ uint64, id uint32) bool { return id == unwatched || b.members[id] == nil })
}

// heard returns when the series was last asked about, for which what is left may be long ago.
func (b *Bank) heard(id uint32) int64 {
	heard := b.states.At(id).heard()
	if left := b.members[id].left; left != nil {
		heard = max(heard, left.Asked)
	}
	return heard
}

// heard returns when the newest sample was.
func (s *memory) heard() int64 { return max(s.of.Of.last, s.of.last) }
