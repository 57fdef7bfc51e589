package grammar

import (
	"strconv"
	"strings"

	"vedette.dev/nlq"
	"vedette.dev/rules/catalog"
)

// dimension returns what kind of thing u counts.
func (f *frame) dimension(u catalog.Unit) string {
	s := string(u)
	if strings.HasPrefix(s, "{") {
		_, perSecond, _ := strings.Cut(s, "}")
		return "count" + perSecond
	}
	d, _ := f.lexicon.unit(s)
	return d.dimension
}

// comparable reports whether a limit can be brought to what m, or the rate of
// m, counts.
func (f *frame) comparable(m catalog.Metric, n number) bool {
	if !n.isUnit {
		return true
	}
	said := n.unit.dimension
	if f.quotient {
		return said == "ratio"
	}
	if said == f.dimension(m.Unit) {
		return true
	}
	if m.Type != catalog.Counter {
		return false
	}
	rate := nlq.Measure{Metric: m.ID, Over: nlq.Rate}.Unit(f.catalog)
	return said == f.dimension(rate) || said == "count/s" && f.dimension(m.Unit) == "count"
}

// convert returns a limit in unit u, which it fits.
func (f *frame) convert(n number, u catalog.Unit) float64 {
	if !n.isUnit || strings.HasPrefix(string(u), "{") {
		if n.isUnit {
			return n.value * n.unit.factor
		}
		return n.value
	}
	to, _ := f.lexicon.unit(string(u))
	factor := n.unit.factor
	if n.unit.binary != 0 && strings.HasPrefix(string(u), "Mi") {
		factor = n.unit.binary
		f.assume(0, "%s of GPU memory are counted in powers of two, as the driver does", n.unitRaw)
	}
	return round((n.value*factor + n.unit.offset - to.offset) / to.factor)
}

// round takes off what binary fractions add: 0.3 / 0.01 is 30.
func round(v float64) float64 {
	r, err := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 12, 64), 64)
	if err != nil {
		return v
	}
	return r
}
