package grammar

import (
	"time"

	"vedette.dev/nlq"
)

// parseChanges reads: what changed in the last 2 hours on gpu-03.
func (f *frame) parseChanges() (nlq.Parse, error) {
	c := nlq.Changes{Since: time.Hour}
	said := false
	for i := range f.items {
		if f.items[i].low == "yesterday" && at(f.items, i-1).low == "since" {
			c.Since, said = day, true
			f.useAll(i-1, i)
			for j := i + 1; j < min(i+3, len(f.items)); j++ {
				if n := f.items[j].number; n != nil && !n.isUnit { // since yesterday at 14:00
					f.useAll(span(i, j+1)...)
					c.Since = 2 * day
					f.assume(0.05, "yesterday began within the last 48 hours, which are looked at")
				}
			}
			continue
		}
		if _, ago := f.says(i, "ago"); ago {
			if _, d, from, to, ok := f.pastAt(i); ok {
				c.Since, said = d, true
				f.useAll(span(from, to)...)
			}
			continue
		}
		if f.items[i].low == "today" {
			c.Since, said = day, true
			f.assume(0.05, "today is the last 24 hours")
		}
		if d, ok := f.items[i].number.duration(); ok && !f.items[i].used {
			c.Since, said = d, true
			f.useAll(i, i-1)
			if _, since := f.says(i+1, "since ago"); since {
				f.use(i + 1)
			}
		}
	}
	if !said {
		f.assume(0.05, "in the last hour")
	}
	p, err := f.parseWhy()
	if err != nil {
		return nlq.Parse{}, err
	}
	c.About = p.Intent.(nlq.Why)
	return nlq.Parse{Intent: c, Assumed: withoutWhole(f.assumed), Confidence: f.confidence()}, nil
}

// withoutWhole leaves out what goes without saying of changes.
func withoutWhole(assumed []string) []string {
	var out []string
	for _, a := range assumed {
		if a != "the whole cluster is meant" {
			out = append(out, a)
		}
	}
	return out
}
