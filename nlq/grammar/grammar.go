// Package grammar understands questions without a language model: it is the
// deterministic [nlq.Engine]. A question goes through five steps: split into
// tokens, tag by the lexicon, let each phenomenon (comparison, time, place,
// aggregation …) take its words into a frame, find the measure that the words
// left over name, and check that unit, limit and places fit it.
//
// What no measure with a limit can say is a shape (see [frame.takeShapes]): a
// phenomenon that takes its words and adds what is made of the measure, a file
// each: baseline.go, change.go, peers.go, share of things and the like. Two
// conditions are two frames, read each by itself and joined (compound.go).
//
// Every word with content must find a use. What is left over makes the
// question not understood: it is never guessed at, unless the engine is
// Lenient, which says then what it took. What words mean is data: the lexicon
// under en/ and the words of the catalog.
package grammar

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"vedette.dev/nlq"
	"vedette.dev/rules/catalog"
)

// An Engine understands questions about what a catalog lists. It must not be
// copied.
type Engine struct {
	Catalog *catalog.Catalog         // nil is the one that comes with the program
	Labels  map[string][]string      // the labels that say a place, by its name, before those of nlq.Places: {"node": {"hostname"}}
	Known   func(name string) string // the place that a name is of, "" where nobody knows; nil knows none
	Lenient bool                     // words may be left over where what is measured is plain all the same

	once   sync.Once // of what follows, which takes long to collect
	words  *vocabulary
	places []nlq.Place
}

var _ nlq.Engine = (*Engine)(nil)

// Parse finds the intent of q. Its error is a *[nlq.NotUnderstood].
func (e *Engine) Parse(ctx context.Context, q nlq.Question) (nlq.Parse, error) {
	return e.Sentence(q).Parse(ctx)
}

func (e *Engine) frame(text string) *frame {
	c := e.Catalog
	if c == nil {
		c = catalog.Builtin()
	}
	e.once.Do(func() { e.words, e.places = vocabularyOf(c), e.allPlaces() })
	if strings.Contains(text, "!") {
		text = exclaimed.ReplaceAllString(text, "")
	}
	f := &frame{catalog: c, places: e.places, words: e.words, lexicon: english(), aggItem: -1, known: e.Known, lenient: e.Lenient}
	ts := f.lexicon.ordered(tokens(text, c), false)
	if again := f.lexicon.ordered(ts, true); !slices.Equal(again, ts) {
		g := *f
		f.turnedAbout = func() *frame {
			turned := g
			turned.tagged(again)
			return &turned
		}
	}
	f.tagged(ts)
	return f
}

// tagged makes items of ts, with what belongs together joined.
func (f *frame) tagged(ts []token) {
	f.items = tag(f.correct(slices.Clone(ts)), f.lexicon)
	f.dropArrows()
	f.dropCodes()
	f.matchers()
	f.namedWorkloads()
	f.countedThings()
	for i := range f.items {
		if p := f.placeNamed("verb"); p.Shape.MatchString(f.items[i].raw) && i > 0 {
			f.items[i].roles, f.items[i].name = nil, true // LIST calls are not to be listed
		}
	}
}

// exclaimed is what is called out before what is wanted: facility limit!
var exclaimed = regexp.MustCompile(`^[^.!?0-9]{1,40}!+\s+`)

func (e *Engine) allPlaces() []nlq.Place {
	ps := slices.Clone(nlq.Places())
	for i, p := range ps {
		ps[i].Labels = slices.Concat(e.Labels[p.Name], p.Labels)
	}
	return ps
}

// A frame is a question on its way to an intent: the items not yet used, and
// what the used ones said.
type frame struct {
	catalog    *catalog.Catalog
	places     []nlq.Place
	words      *vocabulary
	lexicon    *lexicon
	known      func(string) string
	lenient    bool
	lastResort bool // a measure need not be told apart by what is looked at, nor a state be measured in the limit's unit
	unheard    bool // it is one way of several to read something: what it does not understand need not be put well
	probing    bool // what would be measured is looked for, and no way round where nothing is
	quiet      bool // as unheard, and names are not looked for: nobody hears what is not understood: it need not be put well
	within     int  // how many compounds it is a part of
	items      []item

	turnedAbout func() *frame // with each comparison behind what it compares; nil where it stands there

	kind     kind
	severity string
	compares []compare
	hold     time.Duration
	holdSaid bool
	window   time.Duration
	since    time.Duration
	per      time.Duration // of "100 an hour"

	throughout time.Duration // of "all day"
	fixed      string        // what was said of which series, and what is measured is of others
	distinct   string        // a label whose values are counted, each once
	sometime   bool          // it was so once at least: the end of the values counts
	keep       time.Duration // how long it goes on firing
	inWindow   bool          // so many in the window are meant: "20 requests in 5m"
	during     bool          // a hold that is a window for what is counted
	over       nlq.OverTime
	agg        nlq.Aggregation
	mean       bool // of observations, which the measure is by itself
	aggItem    int  // of agg, or -1
	counting   bool
	only       bool // a comparison is of each series, before counting
	top        int
	extreme    nlq.OverTime // of the values in the window, where the thing at one end of a scale is asked for
	loose      []int        // items that could join conditions and do not
	lowEnd     bool         // "run out": the low end of what is left
	filters    []filter
	answered   []answered // codes of HTTP
	by         []string   // places
	grouped    []grouped  // what was said to group by, that what is measured may call otherwise
	each       []string   // places of which each has its answer, where that is not what is measured anyway
	anyLabels  []string   // labels any of whose values is meant
	parts      []string   // places of one of which all is added up, where it adds up: the power of a host
	subject    string     // the place asked about: "which nodes"
	entity     string     // what the measure found is about
	whose      string     // what that is of: vllm
	shared     []filter   // said of another condition too: taken where the measure can be narrowed so
	extra      []string   // measure words that other words imply: hotter is temperature
	implied    []string   // weak measure words that names imply: an H100 is a GPU

	given     *catalog.Metric // what is measured, where its words were read already
	settled   bool            // and all that is said of it
	partFrom  int             // and partTo: the items that say values of its labels
	partTo    int
	lent      []string // words of what it is divided by, of which one may be left out: accepted / draft tokens
	ownShare  bool     // a share is asked for that is measured as such
	quotient  bool     // what is measured is divided by something of its kind: limits are shares
	values    []shaper // see formula
	scale     shaper   // into the unit that is wanted
	test      shaper
	conds     []shaper
	bounds    []compare // limits that test has
	every     bool      // all of the things must be so
	turned    bool      // the comparison is true of none
	never     bool      // the comparison is of what did not happen: it never went above 3%
	everyBy   []string  // places
	badSaid   bool      // a state was said to be bad
	usedBy    bool      // what some place uses is asked for: all of it
	past      bool      // the window is one that is over: yesterday
	whole     bool      // of everything put together
	outUnit   string    // the dimension in which the answer is wanted
	bytesLeft bool      // of what is measured there will be nothing left
	forecast  bool      // it is looked ahead
	vanished  bool      // what is no longer told
	asBefore  bool      // what is measured is compared with what it was
	ceiling   string    // the operator of a comparison with how much there can be

	assumed []string
	doubt   float64 // taken off the confidence
}

// longest is how many words and signs a question has at most: thrice as many
// as the longest on which this was developed.
const longest = 150

// parse reads the kind, then the question; what is not understood is tried
// once more as telling of something absent.
func (f *frame) parse() (nlq.Parse, error) {
	if len(f.items) > longest {
		return nlq.Parse{}, f.settle("This is longer than one question. What is it in one or two sentences?")
	}
	if err := f.takeKind(); err != nil {
		return nlq.Parse{}, err
	}
	switch f.kind {
	case why:
		return f.parseWhy()
	case changes:
		return f.parseChanges()
	case anomalies, dismiss:
		p, err := f.parseWhy()
		if err != nil {
			return nlq.Parse{}, err
		}
		about := p.Intent.(nlq.Why)
		return nlq.Parse{Intent: nlq.Anomalies{About: about, Dismiss: f.kind == dismiss}, Assumed: withoutWhole(f.assumed), Confidence: f.confidence()}, nil
	case silence, lift:
		return f.parseSilence()
	case pending, actions:
		if left := f.leftover(); len(left) > 0 {
			return nlq.Parse{}, &nlq.NotUnderstood{Words: left}
		}
		return nlq.Parse{Intent: nlq.Actions{Pending: f.kind == pending}, Confidence: f.confidence()}, nil
	}
	p, err := f.attempt(false)
	if err == nil {
		return p, nil
	}
	if back := f.lookingBack(); back != nil {
		if p, err := back.attempt(f.lenient); err == nil {
			return p, nil
		}
	}
	var turned *frame
	if err != nil && f.turnedAbout != nil {
		if turned = f.turnedAbout(); turned.takeKind() != nil || turned.kind != f.kind {
			turned = nil
		} else if p, err := turned.attempt(false); err == nil {
			*f = *turned
			return p, nil
		}
	}
	var not *nlq.NotUnderstood
	if !errors.As(err, &not) || !f.lenient {
		return p, err
	}
	if !not.Sure {
		lp, lerr := f.attempt(true)
		if lerr == nil {
			return lp, nil
		}
		if errors.As(lerr, &not) && not.Sure {
			err = lerr
		}
	}
	if turned != nil {
		if p, err := turned.attempt(true); err == nil {
			*f = *turned
			return p, nil
		}
	}
	return p, err
}

// attempt reads f as it is, and as telling of something absent.
func (f *frame) attempt(lenient bool) (nlq.Parse, error) {
	plain := f.again()
	plain.lenient = lenient
	absent := func() (nlq.Parse, bool) {
		g := f.again()
		g.lenient, g.unheard = lenient, true
		if !g.takeAbsence() {
			return nlq.Parse{}, false
		}
		p, err := g.read()
		return p, err == nil
	}
	if f.saysReadings() {
		if p, ok := absent(); ok {
			return p, nil
		}
	}
	p, err := plain.read()
	var not *nlq.NotUnderstood
	if errors.As(err, &not) && !not.Sure {
		if p, ok := absent(); ok {
			return p, nil
		}
	}
	return p, err
}

// again returns f as it is, to be read in another way.
func (f *frame) again() *frame {
	g := *f
	g.items, g.assumed = slices.Clone(f.items), slices.Clone(f.assumed)
	return &g
}

// read runs the steps in order; each takes its items and leaves the rest.
func (f *frame) read() (nlq.Parse, error) {
	f.takeRoute()
	f.takeSeverity()
	if p, ok, err := f.slo(); ok {
		return p, err
	}
	f.takeMeaning()
	f.takeLead()
	f.takeCodes()
	f.takeOutOf()
	f.takeTwins()
	if p, ok, err := f.compound(); ok {
		return p, err
	}
	f.takeShapes()
	f.takeTimes()
	if f.sometime && f.window == 0 {
		return nlq.Parse{}, f.settle("How far back is looked for it?")
	}
	f.takeRest()
	if len(f.compares) > 0 && f.test != nil && f.compares[0].limit.value != 0 {
		return nlq.Parse{}, f.ask("There is more than one condition in this. Which one do you mean?")
	}
	if len(f.compares) > 1 && !(f.counting && len(f.compares) == 2) {
		return nlq.Parse{}, f.ask("There is more than one condition in this. Which one do you mean?")
	}
	m, err := f.measure()
	if err != nil {
		return nlq.Parse{}, err
	}
	m = f.ofEvents(m)
	if m, err = f.belowCeiling(m); err != nil {
		return nlq.Parse{}, err
	}
	if m, err = f.runsOut(m); err != nil {
		return nlq.Parse{}, err
	}
	f.entity, f.whose = m.Entity, brandOf(m.ID)
	intent, err := f.intent(m)
	if err != nil {
		return nlq.Parse{}, err
	}
	for _, it := range f.items {
		if it.number != nil && it.number.isUnit && it.number.unit.dimension == "ratio" && !it.used && !it.weak {
			return nlq.Parse{}, f.ask(fmt.Sprintf("What is %s to be of?", it.raw)) // no share is left out for being in the way
		}
	}
	return nlq.Parse{Intent: intent, Assumed: f.assumed, Confidence: f.confidence()}, nil
}

// takeRest reads what needs no shape: names, groups, limits, how it is put together.
func (f *frame) takeRest() {
	if f.settled {
		return
	}
	f.takeNames()
	f.takeGroups()
	f.takeComparisons()
	f.takeAggregation()
}

// assume notes what was not said, and how much likelier a misreading that makes.
func (f *frame) assume(doubt float64, format string, args ...any) {
	f.assumed = append(f.assumed, fmt.Sprintf(format, args...))
	f.doubt += doubt
}

// confidence starts from the share of right answers among those given on the
// development questions, and goes down by the doubts; see TestDevelopmentSet.
func (f *frame) confidence() float64 { return max(0.3, 0.9-f.doubt) }
