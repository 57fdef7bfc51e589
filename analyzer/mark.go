package analyzer

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// A Way is one way of looking by which an anomaly was found.
type Way struct {
	Channel Channel `json:"channel"`
	Series  string  `json:"series"`         // the PromQL that shows it
	Off     float64 `json:"off,omitempty"`  // how far it was at most from what is usual
	Least   float64 `json:"least"`          // from how far on it is told
	Unit    string  `json:"unit,omitempty"` // of both, as people write it
}

// A Channel says what an anomaly is unusual by.
type Channel string

// The channels. Past is what the scores tell apart as spike and regime, and a
// value that grows without end: for a person they are one thing, a series that
// is not as it was. The explained ones are of what another metric leaves.
const (
	Past           Channel = "past"
	OfPeers        Channel = "peers"
	Explained      Channel = "explained"
	ExplainedPeers Channel = "explained-peers"
	Together       Channel = "together" // with other metrics of its subject
	Absence        Channel = "absence"  // of a subject: there is no how far
	Count          Channel = "count"    // of readings or GPUs, whose number fell
)

// words says what is looked at on c.
func (c Channel) words() string {
	switch c {
	case Past:
		return "by its own past"
	case OfPeers:
		return "by its peers"
	case Explained:
		return "by what explains it"
	case ExplainedPeers:
		return "by its peers and what explains it"
	case Together:
		return "by the metrics that go with it"
	}
	return "by " + string(c)
}

// A Mark is somebody's word that what was found is no anomaly, and what
// detectors make of it: what is no worse is not told, what clearly is, is.
type Mark struct {
	By     string    `json:"by"`
	Why    string    `json:"why"`
	At     time.Time `json:"at"`
	Until  time.Time `json:"until,omitzero"` // zero: until it is taken back
	Limits []Limit   `json:"limits"`
	Text   string    `json:"text"` // all this in words

	Withdrawn   time.Time `json:"withdrawn,omitzero"` // when it was taken back
	WithdrawnBy string    `json:"withdrawnBy,omitempty"`
}

// A Limit is from how far on a series is told of on one channel, since a mark.
// Of an absence there is no how far: it is told when the subject has been heard
// of since, and is gone again.
type Limit struct {
	Channel Channel `json:"channel"`
	Series  string  `json:"series"`
	Was     float64 `json:"was"`
	Is      float64 `json:"is"`
	Unit    string  `json:"unit,omitempty"`
}

// stronger is how many times as far as what was marked is another trouble: what comes
// back differs from itself by a fifth, from sample to sample, and by half only where
// it is worse.
const stronger = 1.5

// NewMark returns the mark that somebody makes on f at now.
func NewMark(f Finding, by, why string, now, until time.Time) Mark {
	m := Mark{By: by, Why: why, At: now.UTC(), Limits: []Limit{}}
	if !until.IsZero() {
		m.Until = until.UTC()
	}
	for _, w := range f.Ways {
		m.Limits = append(m.Limits, Limit{Channel: w.Channel, Series: w.Series, Was: w.Least, Is: max(w.Least, stronger*w.Off), Unit: w.Unit})
	}
	m.Text = m.words()
	return m
}

// Stands reports whether m holds at now.
func (m Mark) Stands(now time.Time) bool {
	return m.Withdrawn.IsZero() && (m.Until.IsZero() || now.Before(m.Until))
}

func (m Mark) words() string {
	var b strings.Builder
	fmt.Fprintf(&b, "marked as no anomaly by %s at %s", m.By, m.At.Format("2006-01-02 15:04Z"))
	if m.Why != "" {
		fmt.Fprintf(&b, " (%s)", m.Why)
	}
	for i, l := range m.Limits {
		b.WriteString(map[bool]string{true: ": ", false: "; "}[i == 0])
		switch {
		case l.Channel != Absence:
			fmt.Fprintf(&b, "the least that is told, %s, is raised from %s to %s", l.Channel.words(), amount(l.Was, l.Unit), amount(l.Is, l.Unit))
		case m.Until.IsZero():
			b.WriteString("that it is gone is told again once it was heard of")
		default:
			b.WriteString("that it is gone is not told")
		}
	}
	if !m.Until.IsZero() {
		fmt.Fprintf(&b, "; until %s", m.Until.Format("2006-01-02 15:04Z"))
	}
	return b.String()
}

// amount writes a value with its unit, to four digits.
func amount(v float64, unit string) string {
	text := strconv.FormatFloat(v, 'g', 4, 64)
	if math.Abs(v) >= 1e4 && math.Abs(v) < 1e15 {
		text = strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strings.TrimSpace(text + " " + unit)
}
