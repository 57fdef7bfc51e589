package investigate

import (
	"embed"

	"vedette.dev/nlq/talk"
)

// The forms that a model fills in. There is no place in them for anything that
// could be done to a cluster.
var (
	moveForm  = talk.FormOf[move]("move")
	storyForm = talk.FormOf[story]("story")
)

// A move is one step of a search. Where a schema is enforced a model writes the keys
// in the order of the alphabet: what it does comes before what it does it to.
type move struct {
	Act     string   `json:"act" one:"look suppose done"`
	At      string   `json:"at" one:"- objects events logs series incidents"`
	Of      string   `json:"of"`
	Holding string   `json:"holding"`
	Metric  string   `json:"metric"`
	Hours   int      `json:"hours"`
	Cause   string   `json:"cause"`
	Cites   []string `json:"cites"`
}

// moveUses are the fields that each move has a use for.
var moveUses = map[string][]string{
	"look":    {"at", "of", "holding", "metric", "hours"},
	"suppose": {"cause", "of", "cites"},
}

// A story is a report in the model's words.
type story struct {
	Sentences []sentence `json:"sentences"`
}

type sentence struct {
	Cites []string `json:"cites"`
	Says  string   `json:"says"`
}

//go:embed prompt/*.tmpl
var promptFiles embed.FS

var render = talk.Prompts(promptFiles, "prompt/*.tmpl")

// shown is what is repeated to a model of its own words: what is of a form's size.
func shown(text string) string {
	const most = 4 << 10
	if text == "" || len(text) > most {
		return "(no form)"
	}
	return text
}
