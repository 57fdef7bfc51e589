package grammar

import (
	"slices"
	"strings"

	"vedette.dev/nlq"
	"vedette.dev/rules/catalog"
)

// choose settles between measures that are called the same.
func (f *frame) choose(hits map[catalog.ID]*named) (catalog.Metric, error) {
	var ids []catalog.ID
	for id := range hits {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	ids = f.fitting(f.collected(f.plainest(f.spelt(ids), hits)))
	first, _ := f.catalog.Measure(ids[0])
	kinds := map[string]bool{}
	entities := map[string]bool{}
	for _, id := range ids {
		m, _ := f.catalog.Measure(id)
		entities[m.Entity] = true
		kinds[f.dimension(m.Unit)] = true
		if hits[id].rank < hits[first.ID].rank || hits[id].rank == hits[first.ID].rank && m.Unit == "%" {
			first = m
		}
	}
	switch {
	case len(ids) == 1:
		return first, nil
	case len(entities) == 1 && len(kinds) == 1 && f.lenient:
		f.assume(0.2, "%s is taken, of %d that are called so", f.title(first.ID), len(ids))
		return first, nil
	case len(entities) > 1, len(kinds) < len(ids):
		var choices []string
		for _, id := range ids {
			choices = append(choices, f.title(id))
		}
		return first, f.settle("Which do you mean: "+strings.Join(choices, ", or ")+"?", choices...)
	}
	f.assume(0.05, "%s is taken in %s", first.Words[0], first.Unit)
	return first, nil
}

// spelt narrows ids to those whose own names have a word that was said and that adds
// nothing to what most measures are called: a cluster, a pool.
func (f *frame) spelt(ids []catalog.ID) []catalog.ID {
	if len(ids) < 2 {
		return ids
	}
	for _, it := range f.items {
		if it.name || it.inside || it.whole != "" || !f.lexicon.sets["part of a store"][it.low] {
			continue
		}
		with := slices.DeleteFunc(slices.Clone(ids), func(id catalog.ID) bool {
			d, _ := f.catalog.Derived(id)
			return !strings.Contains(strings.ToLower(string(id)+d.Expr), it.low)
		})
		if len(with) > 0 {
			ids = with
		}
	}
	return ids
}

// plainest leaves out what is told from others by whose it is, where that was
// not said: "GPU energy" is not AMD's where there is another.
func (f *frame) plainest(ids []catalog.ID, hits map[catalog.ID]*named) []catalog.ID {
	plain := slices.DeleteFunc(slices.Clone(ids), func(id catalog.ID) bool {
		m, _ := f.catalog.Measure(id)
		brand, _, _ := strings.Cut(strings.ToLower(m.Exporter), " ")
		title := ""
		if len(m.Words) > 0 {
			title = strings.ToLower(m.Words[0])
		}
		return strings.HasPrefix(title, brand+" ") && !slices.Contains(hits[id].words, brand)
	})
	if len(plain) == 0 {
		return ids
	}
	return plain
}

// collected returns those of ids that exporters give as they come, or all
// where none is.
func (f *frame) collected(ids []catalog.ID) []catalog.ID {
	on := slices.DeleteFunc(slices.Clone(ids), func(id catalog.ID) bool {
		m, _ := f.catalog.Measure(id)
		_, derived := f.catalog.Derived(id)
		return !derived && !m.Default
	})
	if len(on) == 0 {
		return ids
	}
	return on
}

// fitting narrows a choice: amounts where they are added up, ranked or
// compared with their own past, and what was composed before what is raw.
func (f *frame) fitting(ids []catalog.ID) []catalog.ID {
	if f.bytesLeft {
		ids = f.leftFirst(ids)
	}
	share := f.shareSaid()
	var out []catalog.ID
	for _, id := range ids {
		m, _ := f.catalog.Measure(id)
		amount := f.kind != alert && len(f.compares) == 0 && f.top == 0 && f.amounts() || f.agg == nlq.Sum || f.top != 0 && f.subject != m.Entity || f.test != nil
		_, derived := f.catalog.Derived(id)
		worse := slices.ContainsFunc(ids, func(other catalog.ID) bool {
			o, _ := f.catalog.Measure(other)
			of, composed := f.catalog.Derived(other)
			switch {
			case composed && !derived && f.dimension(o.Unit) == f.dimension(m.Unit) && strings.Contains(of.Expr, string(id)+"{"):
				return true // the same, of fewer series
			case other == id || o.Entity != m.Entity:
				return false
			case amount && f.dimension(m.Unit) == "ratio" && f.dimension(o.Unit) != "ratio":
				return true
			case (f.quotient || f.over == nlq.Rate) && f.dimension(m.Unit) == "ratio" && f.dimension(o.Unit) != "ratio":
				return true // what is divided, or counted in a second, is no share
			case share && composed && f.dimension(o.Unit) == "ratio" && f.dimension(m.Unit) != "ratio":
				return true
			}
			return f.dimension(o.Unit) == f.dimension(m.Unit) && composed && !derived
		})
		if !worse {
			out = append(out, id)
		}
	}
	if len(out) == 0 {
		return ids
	}
	return out
}

// leftFirst narrows ids to what tells how much is left, as it comes rather than
// composed: what can be written to rather than what is free.
func (f *frame) leftFirst(ids []catalog.ID) []catalog.ID {
	for _, in := range []func(id catalog.ID) bool{
		func(id catalog.ID) bool { return strings.Contains(strings.ToLower(string(id)), "avail") },
		func(id catalog.ID) bool { return f.catalog.Rest(id) },
	} {
		if i := slices.IndexFunc(ids, func(id catalog.ID) bool { _, derived := f.catalog.Derived(id); return !derived && in(id) }); i >= 0 {
			return ids[i : i+1]
		}
	}
	var out []catalog.ID // of what comes to the same one
	var same []catalog.ID
	for _, id := range ids {
		m, _ := f.catalog.Measure(id)
		used, _, how := f.end(&m)
		if how == left {
			return []catalog.ID{id}
		}
		if how != bounded {
			out = append(out, id)
		} else if !slices.Contains(same, used.ID) {
			out, same = append(out, id), append(same, used.ID)
		}
	}
	if i := slices.IndexFunc(out, func(id catalog.ID) bool {
		m, _ := f.catalog.Measure(id)
		return slices.Contains(f.weakPlaces(), m.Entity)
	}); i >= 0 {
		return out[i : i+1] // the file handles of a node
	}
	return out
}

// shareSaid reports whether what is measured is said to be a share: what is divided
// by something else is none.
func (f *frame) shareSaid() bool {
	return !f.quotient && slices.ContainsFunc(f.items, func(it item) bool {
		v, _ := it.has("kind")
		return v == "share" && (!it.used || f.ownShare) || it.low == "rate" || it.low == "ratio" || it.low == "share" || it.low == "percentage"
	})
}
