package investigate

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"vedette.dev/analyzer"
	"vedette.dev/analyzer/snapshot"
	"vedette.dev/nlq/talk"
	"vedette.dev/rules/fault"
)

// An item is one thing that a sentence can cite.
type item struct {
	id     string
	source string
	at     time.Time
	about  string
	text   string
	of     []string // of evidence: the ids of the causes that rest on it
	remedy string   // of a cause: what the engine advises

	place place // of what was found: where the engine would read it
}

// A place is where a snapshot has what was found. Its zero value is nowhere.
type place struct {
	event    *snapshot.Event
	revision *snapshot.Revision
	series   *snapshot.Series
	line     *snapshot.Line
	log      snapshot.Log // of a line, without its lines; zero where it is of a node
	node     string       // of a line of a kernel log
}

func (p place) isZero() bool {
	return p.event == nil && p.revision == nil && p.series == nil && p.line == nil
}

// A file holds the items of a case. The same thing has the same id for as long
// as the case is open, whatever the report says of it later.
type file struct {
	veil  *talk.Veil
	items map[string]*item  // by id
	ids   map[string]string // by letter, source and text
	last  map[string]int    // number given, by letter
}

func newFile(v *talk.Veil) *file {
	return &file{veil: v, items: map[string]*item{}, ids: map[string]string{}, last: map[string]int{}}
}

// put gives i an id that begins with letter, or the one that it has.
func (f *file) put(letter string, i item) *item {
	key := letter + "\x00" + i.source + "\x00" + i.text
	if letter == "C" { // what is said of a cause changes, and it stays the same
		key = letter + "\x00" + i.source + "\x00" + i.about
	}
	id, ok := f.ids[key]
	if !ok {
		f.last[letter]++
		id = letter + strconv.Itoa(f.last[letter])
		f.ids[key] = id
	}
	i.id = id
	f.items[id] = &i
	return &i
}

// open puts the items of a report into f, in the place of those of the report before.
func (f *file) open(r analyzer.Report) {
	for id := range f.items {
		if id[0] != 'F' {
			delete(f.items, id)
		}
	}
	rests := map[analyzer.Evidence][]string{}
	for _, d := range r.Diagnoses {
		c := f.put("C", causeItem(d))
		for _, e := range d.Evidence {
			rests[e] = append(rests[e], c.id)
			f.put("E", item{source: e.Source, at: e.At, about: aboutOf(d, e), text: e.Text, of: rests[e]})
		}
	}
	for n, x := range r.Rejected {
		f.put("R", item{source: fmt.Sprintf("report#rejected-%d", n+1), about: x.Subject.String(), text: fmt.Sprintf("It is not %s of %s: %s", x.Cause, x.Subject, x.Why)})
	}
	for n, u := range r.Unseen {
		f.put("U", item{source: fmt.Sprintf("report#unseen-%d", n+1), text: "not seen: " + u})
	}
}

// causeItem is a cause as it is told to a model: all that the engine says of it.
func causeItem(d analyzer.Diagnosis) item {
	row := fault.Causes()[d.Cause]
	text := []string{fmt.Sprintf("%s of %s, confidence %.2f.", d.Cause, d.Subject, d.Confidence), d.Summary, row.Meaning}
	if s := d.FirstSymptom; s != nil {
		text = append(text, fmt.Sprintf("First symptom at %s, %s: %s.", clock(s.At), s.Subject, s.Text))
	}
	for _, l := range d.Chain[:min(len(d.Chain), mostLinks)] {
		text = append(text, fmt.Sprintf("Then %s: %s.", l.Subject, l.What))
	}
	if len(d.Affected) > 0 {
		var all []string
		for _, s := range d.Affected[:min(len(d.Affected), mostLinks)] {
			all = append(all, s.String())
		}
		text = append(text, fmt.Sprintf("Affected: %s.", strings.Join(all, ", ")))
	}
	for _, c := range d.Caveats {
		text = append(text, "Doubt: "+c+".")
	}
	return item{source: "report#" + string(d.Cause), about: d.Subject.String(), text: strings.Join(text, " "), remedy: strings.Join(d.Remedy, " ")}
}

// mostLinks is how much of a chain or of what is affected a model is told.
const mostLinks = 8

// aboutOf finds what a piece of evidence is about: the chain has its text.
func aboutOf(d analyzer.Diagnosis, e analyzer.Evidence) string {
	for _, l := range d.Chain {
		if strings.HasPrefix(l.What, e.Text) && (e.At.IsZero() || e.At.Equal(l.At)) {
			return l.Subject.String()
		}
	}
	return ""
}

// line is i as a model sees it: JSON, so that what the cluster wrote ends where
// it ends.
func (f *file) line(i *item) string {
	v := struct {
		ID     string   `json:"id"`
		For    []string `json:"for,omitempty"`
		At     string   `json:"at,omitempty"`
		About  string   `json:"about,omitempty"`
		Text   string   `json:"text"`
		Advice string   `json:"advice,omitempty"`
	}{i.id, i.of, clock(i.at), f.veil.Hide(i.about), f.text(i), clip(f.veil.Hide(i.remedy), mostText)}
	s, err := talk.JSON(v)
	if err != nil {
		panic(err) // texts
	}
	return s
}

// text is what i says as a model sees it. What is hidden goes first: a secret of
// which only a half is left looks like none.
func (f *file) text(i *item) string {
	most := mostText
	if !i.place.isZero() {
		most = mostFound
	}
	return clip(f.veil.Hide(i.text), most)
}

const (
	// mostText is how many bytes of one text a model is shown: a cause with its chain.
	mostText = 1200
	// mostFound is how many bytes of one thing of many: a line, an event.
	mostFound = 600
	// mostReport is how many bytes of a report it is shown, so that the answers to
	// eight looks fit into the same talk.
	mostReport = 12_000
)

// listing is a report as a model sees it, with what was found: the causes first,
// then what was found, since that is asked about, then evidence. Of what says the
// same again and again the first is shown, and no more than most bytes.
func (f *file) listing(r analyzer.Report, most int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "The verdict of the program: %s", r.Verdict)
	if r.Focus != nil {
		fmt.Fprintf(&b, ", asked about %s", f.veil.Hide(r.Focus.String()))
	}
	fmt.Fprintf(&b, ". Captured at %s.\n", clock(r.CapturedAt))
	left := 0
	said := map[string]bool{}
	for _, i := range f.inOrder() {
		line := f.line(i) + "\n"
		if again := i.id[0] == 'E' && said[i.text]; again || b.Len()+len(line) > most {
			left++
			continue
		}
		said[i.text] = true
		b.WriteString(line)
	}
	if left > 0 {
		fmt.Fprintf(&b, "(%d more items, most of them alike, are not shown.)\n", left)
	}
	return b.String()
}

func (f *file) inOrder() []*item {
	var all []*item
	for _, i := range f.items {
		all = append(all, i)
	}
	number := func(i *item) int { n, _ := strconv.Atoi(i.id[1:]); return n }
	slices.SortFunc(all, func(a, b *item) int {
		return cmp.Or(cmp.Compare(strings.IndexByte("CFERU", a.id[0]), strings.IndexByte("CFERU", b.id[0])), cmp.Compare(number(a), number(b)))
	})
	return all
}

// ground is all that a sentence may take from i, as the model saw it.
func (f *file) ground(i *item) string {
	all := []string{clock(i.at), i.about}
	if _, selector, ok := strings.Cut(i.source, "#"); ok && strings.ContainsAny(selector, "/{") { // not the number of a line
		all = append(all, selector)
	}
	return f.veil.Hide(strings.Join(all, " ")) + " " + f.text(i)
}

func clock(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05 UTC")
}

func clip(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
