package grammar

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"vedette.dev/nlq"
	"vedette.dev/rules/catalog"
)

// fits reports why m cannot be what is meant, by places and units.
func (f *frame) fits(m catalog.Metric) error {
	not, ok := f.matches(&m)
	if ok {
		return nil
	}
	return f.ask(fmt.Sprintf("%s "+not.says, append([]any{f.title(m.ID)}, not.of...)...))
}

// suits reports whether m can be what is meant.
func (f *frame) suits(m *catalog.Metric) bool {
	_, ok := f.matches(m)
	return ok
}

// A misfit is why a measure cannot be what is meant, in words to stand behind its
// name. They are put together for the one that is told of: many are tried.
type misfit struct {
	says string
	of   []any
}

// matches reports whether m can be what is meant, and else why not.
func (f *frame) matches(m *catalog.Metric) (misfit, bool) {
	for _, fl := range f.filters {
		if fl.place == "xid" && m.Unit == "{xid}" {
			continue
		}
		switch _, ok := f.filtered(fl, *m); {
		case ok:
		case fl.label != "":
			return misfit{"has no label %s. What should it be narrowed to?", []any{fl.label}}, false
		default:
			return misfit{"cannot be narrowed to one %s. What should it be narrowed to?", []any{fl.place}}, false
		}
	}
	if len(f.answered) > 0 && f.httpLabel(*m) == "" {
		return misfit{says: "is not told apart by codes of HTTP. What should be measured?"}, false
	}
	if f.distinct != "" && f.ownLabel(*m, f.distinct) == "" {
		return misfit{"is not told apart by %s.", []any{f.distinct}}, false
	}
	for i := range f.items {
		if !f.items[i].weak {
			continue
		}
		if p, _, ok := f.place(i); ok && !f.isFor(m, p.Name) {
			return misfit{notFor, []any{p.Name}}, false
		}
	}
	for _, by := range f.by {
		if !f.isFor(m, by) {
			return misfit{notFor, []any{by}}, false
		}
	}
	uptime := m.Unit == "{bool}" && f.outUnit == "ratio" && f.window > 0 // of the time it was so
	if f.outUnit != "" && f.dimension(m.Unit) != f.outUnit && !uptime && !(m.Type == catalog.Counter && f.dimension(m.Unit)+"/s" == f.outUnit) {
		return misfit{"is measured in %s. In which unit?", []any{m.Unit}}, false
	}
	if f.bytesLeft {
		if _, _, how := f.end(m); how == endless {
			return misfit{says: "is nothing of which it is known when it has run out."}, false
		}
	}
	if (f.per > 0 || f.over == nlq.Rate) && f.dimension(m.Unit) == "ratio" && len(f.compares) > 0 && !f.compares[0].limit.isUnit {
		return misfit{says: "is a share."}, false // so many a second are none
	}
	if f.saysWord("deeper than") && f.dimension(m.Unit) == "time" {
		return misfit{says: "is a time, and has no depth."}, false
	}
	for _, limits := range [][]compare{f.bounds, f.compares} {
		for _, c := range limits {
			if f.beyond(m, c.limit) {
				return misfit{"is at most %s.", []any{m.Max}}, false
			}
			if !f.limits(m, c.limit) {
				return misfit{"is measured in %s, and the limit is in %s. Which limit do you mean?", []any{m.Unit, c.limit.unitRaw}}, false
			}
		}
	}
	return misfit{}, true
}

const notFor = "is not measured for each %s. What should it be measured for?"

// isFor reports whether m is measured for each by, a place, as far as it must be.
func (f *frame) isFor(m *catalog.Metric, by string) bool {
	if f.lastResort && !slices.Contains(f.by, by) && !slices.Contains(f.each, by) {
		return true // looked at, and not told apart
	}
	label, outright := strings.CutPrefix(by, "label ")
	return outright && f.ownLabel(*m, label) != "" || f.groupable(*m, by)
}

// beyond reports whether limit is so far above what m reaches that something else is
// meant: 1000 rpm are no share of what a fan can do.
func (f *frame) beyond(m *catalog.Metric, limit number) bool {
	if limit.isUnit || m.Max == "" || m.Type == catalog.Counter || f.counting || f.agg != nlq.Each {
		return false
	}
	most, err := strconv.ParseFloat(m.Max, 64)
	return err == nil && limit.value > 100*most // a share of 80 may be meant in percent
}

// limits reports whether m can be compared with limit.
func (f *frame) limits(m *catalog.Metric, limit number) bool {
	if m.Unit == "{bool}" {
		if _, isTime := limit.duration(); isTime {
			return true // for how long it is so
		}
		if f.lastResort && limit.unit.dimension == "ratio" && limit.isUnit && f.kind != lookup {
			return true // of which share it is so
		}
	}
	return f.comparable(*m, limit)
}

// weakPlaces returns the places that are looked at and are not what m is about.
func (f *frame) weakPlaces() []string {
	var out []string
	for i := range f.items {
		if !f.items[i].weak {
			continue
		}
		if p, _, ok := f.place(i); ok {
			out = append(out, p.Name)
		}
	}
	return out
}

func (f *frame) groupable(m catalog.Metric, place string) bool {
	if m.Entity == place {
		return true
	}
	if m.Unit == "{gpu}" && place == "gpu" {
		return true // what is counted
	}
	_, ok := f.keptLabel(m, f.placeNamed(place))
	return ok
}

// keptLabel returns the label by which results of m say p.
func (f *frame) keptLabel(m catalog.Metric, p nlq.Place) (string, bool) {
	for _, l := range p.Labels {
		if f.catalog.Splits(m.ID, l) {
			return l, true
		}
	}
	return "", false
}
