package detect

import (
	"time"

	"vedette.dev/analyzer"
)

// A limit is what a mark does to one series on one channel.
type limit struct {
	analyzer.Limit
	mark *analyzer.Mark
}

// selector is the PromQL that shows one: what a mark knows it by.
type selector string

// Heed has the bank go by these marks and no others. What a mark says is no
// anomaly is found as before, so that it can be shown and the mark taken back,
// and is not told: a finding of it carries the mark.
//
// A mark is about how far a series is from what is usual, not about the score:
// a score is capped by how long a series is known, and falls as the series gets
// used to it, so that no score is clearly above another.
func (b *Bank) Heed(marks []analyzer.Mark) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.limits = map[selector][]limit{}
	for i := range marks {
		for _, l := range marks[i].Limits {
			b.limits[selector(l.Series)] = append(b.limits[selector(l.Series)], limit{l, &marks[i]})
		}
	}
	for _, m := range b.members {
		if m != nil {
			m.limits = b.limits[m.name(b)]
		}
	}
}

// name returns what marks know a member by; "" while there are none, since to
// write it costs more than to admit the series.
func (m *member) name(b *Bank) selector {
	if len(b.limits) == 0 || m.watch == none {
		return ""
	}
	return selector(b.watches[m.watch].query(m.labels))
}

// hushes returns the mark by which what is so far off is no anomaly, or nil.
// heard is when the series last was, which tells one absence from the next.
func (m *member) hushes(c analyzer.Channel, off float64, heard, now int64) *analyzer.Mark {
	return hushes(m.limits, c, off, heard, now)
}

func hushes(limits []limit, c analyzer.Channel, off float64, heard, now int64) *analyzer.Mark {
	for _, l := range limits {
		if l.Channel == c && l.hushes(off, time.UnixMilli(heard), time.UnixMilli(now)) {
			return l.mark
		}
	}
	return nil
}

func (l limit) hushes(off float64, heard, now time.Time) bool {
	switch {
	case !l.mark.Stands(now):
		return false
	case l.Channel == analyzer.Absence:
		return !l.mark.Until.IsZero() || !heard.After(l.mark.At)
	}
	return off < l.Is
}

// past returns the channel on which a series is judged by its own past.
func (m *member) past() analyzer.Channel {
	if m.left != nil {
		return analyzer.Explained
	}
	return analyzer.Past
}

// peers returns the channel on which it is judged by its peers.
func (m *member) peers() analyzer.Channel {
	if m.left != nil {
		return analyzer.ExplainedPeers
	}
	return analyzer.OfPeers
}

// Hushed returns how many deviations marks have kept from being told since the
// bank was made.
func (b *Bank) Hushed() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.hushed
}
