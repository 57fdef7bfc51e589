package prose

import (
	"regexp"
	"strings"
)

// How much words count, by where they stand: what a text says first is what it
// is about; what comes after is detail, and asides are about something else.
const (
	first  = 1.0
	later  = 0.5
	titled = 0.8
	aside  = 0.1
)

// A sentence is a piece of a text with how much its words count.
type sentence struct {
	text   string
	weight float64
}

var (
	sentenceEnd = regexp.MustCompile(`[.;!?]\s+|\n+|\s[-–—]\s|\.$`)
	title       = regexp.MustCompile(`^([^:.]{3,80}):\s+(.+)$`)
)

// sentences splits a text, a title before a colon first.
func sentences(text string) []sentence {
	var out []sentence
	if m := title.FindStringSubmatch(strings.TrimSpace(text)); m != nil {
		out = append(out, sentence{m[1], titled})
		text = m[2]
	}
	weight := first
	for _, s := range sentenceEnd.Split(text, -1) {
		if strings.TrimSpace(s) == "" {
			continue
		}
		out = append(out, sentence{s, weight})
		weight = later
	}
	return out
}
