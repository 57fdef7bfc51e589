package llm

import (
	"embed"
	"errors"
	"slices"
	"strings"
	"sync"

	"vedette.dev/nlq"
	"vedette.dev/nlq/prose/index"
	"vedette.dev/nlq/prose/lexicon"
	"vedette.dev/nlq/talk"
	"vedette.dev/rules/catalog"
)

//go:embed prompt/*.tmpl
var promptFiles embed.FS

var render = talk.Prompts(promptFiles, "prompt/*.tmpl")

var system = sync.OnceValue(func() string { return render("system.tmpl", intentForm.Schema()) })

// excerpted is how many metrics a model is shown: what is meant is nearly
// always among the first ten that the words find, and a formula may need more.
const excerpted = 30

// fewest is how many it is shown at the least: with less the one that is meant is
// often not there, and a model takes what is.
const fewest = 5

// recalledBefore is how many questions before it a question is shown with.
const recalledBefore = 4

// A shelf finds the metrics that words are about.
type shelf struct {
	catalog *catalog.Catalog
	index   *index.Index
}

// builtin takes long to make, and is read by every engine of a program alike.
var builtin = sync.OnceValue(func() *index.Index { return index.New(catalog.Builtin(), &lexicon.English().Words) })

func shelfOf(c *catalog.Catalog) *shelf {
	if c == catalog.Builtin() {
		return &shelf{c, builtin()}
	}
	return &shelf{c, index.New(c, &lexicon.English().Words)}
}

// nearest returns the n metrics nearest to text.
func (s *shelf) nearest(text string, n int) []catalog.Metric {
	l := lexicon.English()
	query := map[string]float64{}
	plain := index.Plain(text)
	for _, w := range plain {
		for _, part := range append(index.Name(w), w) {
			if !l.Stop[part] {
				query[l.Key(part)] = 1
			}
		}
	}
	for _, two := range l.Pairs(plain) {
		query[two] = 1
	}
	var ms []catalog.Metric
	for _, h := range s.index.Find(query, n) {
		if m, ok := s.catalog.Measure(h.ID); ok {
			ms = append(ms, m)
		}
	}
	return ms
}

// talk is what a model is told that has room for so many bytes: how it is done,
// the question, and what went on since. Where there is little room it is shown
// fewer metrics, the nearest.
func (s *shelf) talk(q nlq.Question, since []talk.Turn, room int) []talk.Turn {
	var turns []talk.Turn
	for n := excerpted; n >= fewest; n = n * 3 / 4 {
		turns = append([]talk.Turn{{By: talk.House, Text: system()}, {By: talk.Asker, Text: s.ask(q, n)}}, since...)
		if talk.Length(turns) <= room {
			break
		}
	}
	return turns
}

// ask is the question as a model sees it: with the n metrics nearest to it and
// to what was asked before, and nothing of what they measure.
func (s *shelf) ask(q nlq.Question, n int) string {
	before := q.Before[max(0, len(q.Before)-recalledBefore):]
	return render("question.tmpl", map[string]any{"Metrics": s.nearest(strings.Join(append(slices.Clone(before), q.Text), " "), n),
		"Before": before, "Text": q.Text})
}

// again asks for a better form.
func (s *shelf) again(wrong error) string {
	var near []string
	var no noMetric
	if errors.As(wrong, &no) {
		for _, m := range s.nearest(string(no), 5) { // more is a list to guess from
			near = append(near, string(m.ID))
		}
	}
	return render("again.tmpl", map[string]any{"Wrong": wrong.Error(), "Nearest": strings.Join(near, ", ")})
}
