package catalog

import (
	"fmt"
	"slices"
	"strings"
)

// Names of gauges differ in one word where one says how much is used and the
// other how much there is, or how much is left. The words for there being so
// much are tried first.
var (
	usedWords  = []string{"used", "allocated", "usage", "open", "in_use", "size", "alloc"}
	wholeWords = []string{"total", "capacity", "max", "maximum", "limit", "size"}
	restWords  = []string{"free", "available", "avail", "idle", "remaining", "left"}
)

// ofPairs returns the shares of what has no row of its own: in use, of two gauges
// of the same things, one of which is called used and the other total or free;
// failed, of two counters.
func (c *Catalog) ofPairs() []Derived {
	own := map[ID]bool{}
	for _, d := range c.rows {
		for _, id := range c.namedIn(d.Expr) {
			own[id] = true
		}
	}
	var ds []Derived
	for _, m := range c.metrics {
		if m.Type != Gauge || own[m.ID] || m.Unit == "%" || m.Unit == "1" {
			continue
		}
		used, other, rest, ok := c.partner(m)
		if !ok || own[other] && len(other) < len(m.ID)-len(used) { // of several that are used, the row says which
			continue
		}
		d := Derived{Metric: m, Expr: "100 * " + string(m.ID) + " / " + string(other)}
		if rest {
			d.Expr = "100 * " + string(m.ID) + " / (" + string(m.ID) + " + " + string(other) + ")"
		}
		d.ID, d.Unit, d.Min, d.Max, d.Bad, d.Help = m.ID+":percent", "%", "0", "100", "high", "Share in use: "+m.Help
		d.Words = nil
		for _, w := range m.Words {
			if bare, said := without(w, used); said {
				d.Words = append(d.Words, bare+" usage", bare+" full", bare+" used")
			} else if used == "size" {
				d.Words = append(d.Words, w+" full")
			}
		}
		if len(d.Words) > 0 {
			ds = append(ds, d)
			left := d
			left.ID, left.Bad, left.Help = m.ID+":percent_left", "low", "Share that is left: "+m.Help
			left.Expr = "100 - " + d.Expr
			left.Words = nil
			for _, w := range d.Words {
				if bare, said := without(w, "usage"); said {
					left.Words = append(left.Words, bare+" left", bare+" free", bare+" available")
				}
			}
			if len(left.Words) > 0 {
				ds = append(ds, left)
			}
		}
	}
	return slices.Concat(ds, c.ofFailures(own), c.ofHits(own), c.ofCreations(own), c.ofExpiries(own))
}

// Names of counters of lookups differ in one word where one counts those that found
// something and the other those that did not, or all.
var (
	hitWords    = []string{"hits", "hit"}
	missWords   = []string{"misses", "miss", "read"} // Postgres reads a block that it does not hit
	lookupWords = []string{"queries", "lookups", "requests", "gets"}
)

// ofHits returns the share of hits of what has no row of its own: of two
// counters of the same lookups, one of hits and one of misses, or of all.
func (c *Catalog) ofHits(own map[ID]bool) []Derived {
	var ds []Derived
	for _, m := range c.metrics {
		o, misses, ok := c.lookups(m)
		if m.Type != Counter || own[m.ID] || !ok {
			continue
		}
		of := fmt.Sprintf("rate(%s[5m])", o.ID)
		if misses {
			of = fmt.Sprintf("(rate(%s[5m]) + rate(%s[5m]))", m.ID, o.ID)
		}
		d := Derived{Metric: m, Expr: fmt.Sprintf("rate(%s[5m]) / %s", m.ID, of)}
		d.Labels = slices.DeleteFunc(slices.Clone(m.Labels), func(l string) bool { return !o.Has(l) })
		d.ID, d.Type, d.Unit, d.Min, d.Max, d.Bad, d.Help = m.ID+":share", Gauge, "1", "0", "1", "low", "As a share of all lookups: "+m.Help
		d.Words = nil
		words := strings.NewReplacer("_", " ", ":", " ").Replace(strings.TrimSuffix(string(m.ID), "_total"))
		for _, w := range append(slices.Clone(m.Words), words) {
			hit := strings.TrimSuffix(w, "s")
			d.Words = append(d.Words, hit+" rate", hit+" ratio")
		}
		ds = append(ds, d)
	}
	return ds
}

// lookups returns the counter of the same lookups as m, which counts hits: of
// misses, or else of all.
func (c *Catalog) lookups(m Metric) (o Metric, misses, ok bool) {
	name := "_" + string(m.ID) + "_"
	for _, hit := range hitWords {
		for i, w := range append(slices.Clone(missWords), lookupWords...) {
			if !strings.Contains(name, "_"+hit+"_") {
				break
			}
			o, ok := c.Metric(ID(strings.Trim(strings.Replace(name, "_"+hit+"_", "_"+w+"_", 1), "_")))
			if ok && o.Type == Counter && o.ID != m.ID && o.Unit != "By" {
				return o, i < len(missWords), true
			}
		}
	}
	return Metric{}, false, false
}

// expiryNames are how names of gauges end that say until when something is good.
var expiryNames = []string{"_expiration_timestamp_seconds", "_expiry_timestamp", "_expiry_timestamp_seconds", "_cert_expiry", "_not_after", "_not_after_timestamp_seconds", "_expire_time_seconds"}

// ofExpiries returns how long certificates are still good that say until when
// and have no row of their own.
func (c *Catalog) ofExpiries(own map[ID]bool) []Derived {
	var ds []Derived
	for _, m := range c.metrics {
		ends := func(end string) bool { return strings.HasSuffix(string(m.ID), end) }
		if m.Type != Gauge || own[m.ID] || !slices.ContainsFunc(expiryNames, ends) {
			continue
		}
		d := Derived{Metric: m, Expr: string(m.ID) + " - time()"}
		d.ID, d.Unit, d.Min, d.Bad, d.Help = m.ID+":left", "s", "", "low", "Time that is left: "+m.Help
		d.Words = nil
		for _, w := range m.Words {
			for _, end := range []string{"expiry", "expiration", "end", "end date", "not after"} {
				if thing, said := strings.CutSuffix(w, " "+end); said {
					d.Words = append(d.Words, thing+" expires", thing+" expiry", thing+" left", thing+" valid")
				}
			}
		}
		if len(d.Words) > 0 {
			ds = append(ds, d)
		}
	}
	return ds
}

// ofCreations returns the ages of objects that say when they were created and
// have no row of their own.
func (c *Catalog) ofCreations(own map[ID]bool) []Derived {
	var ds []Derived
	for _, m := range c.metrics {
		thing, created := strings.CutSuffix(string(m.ID), "_created")
		if !created || m.Type != Gauge || m.Unit != "s" || own[m.ID] {
			continue
		}
		d := Derived{Metric: m, Expr: "time() - " + string(m.ID)}
		d.ID, d.Bad, d.Help = ID(thing+"_age_seconds"), "", "Time since creation: "+m.Help
		d.Words = []string{m.Entity + " age", "age of " + m.Entity}
		ds = append(ds, d)
	}
	return ds
}

// Names of metrics differ in one word where each says of one direction what the
// other says of the other.
var directions = [][2]string{{"tx", "rx"}, {"TX", "RX"}, {"transmit", "receive"}, {"transmitted", "received"}, {"sent", "received"},
	{"read", "written"}, {"reads", "writes"}, {"ingress", "egress"}}

// Opposite returns the metric that says of the other direction what id says of
// one: received of transmitted. It reports false where there is none.
func (c *Catalog) Opposite(id ID) (Metric, bool) {
	words := strings.Split(string(id), "_")
	for _, d := range directions {
		for i, w := range words {
			other := d[1]
			switch w {
			case d[0]:
			case d[1]:
				other = d[0]
			default:
				continue
			}
			o := slices.Clone(words)
			o[i] = other
			if m, ok := c.Metric(ID(strings.Join(o, "_"))); ok {
				return m, true
			}
		}
	}
	return Metric{}, false
}

// Ceiling returns the gauge that says how much id can be: it is called the same
// but for a word that says so, as PCIE_MAX_LINK_WIDTH is beside PCIE_LINK_WIDTH.
func (c *Catalog) Ceiling(id ID) (Metric, bool) {
	own, ok := c.Metric(id)
	if !ok || own.Type != Gauge {
		return Metric{}, false
	}
	if _, other, rest, ok := c.partner(own); ok && !rest {
		return c.Metric(other)
	}
	parts := strings.Split(string(id), "_")
	for i := 1; i <= len(parts); i++ {
		for _, w := range wholeWords {
			if strings.ToUpper(string(id)) == string(id) {
				w = strings.ToUpper(w)
			}
			m, ok := c.Metric(ID(strings.Join(slices.Insert(slices.Clone(parts), i, w), "_")))
			if ok && m.Type == Gauge && m.Unit == own.Unit {
				return m, true
			}
		}
	}
	return Metric{}, false
}

// Floor returns the gauge that id says the most of: PCIE_LINK_WIDTH for
// PCIE_MAX_LINK_WIDTH.
func (c *Catalog) Floor(id ID) (Metric, bool) {
	parts := strings.Split(string(id), "_")
	for i, part := range parts {
		if !slices.Contains(wholeWords, strings.ToLower(part)) {
			continue
		}
		m, ok := c.Metric(ID(strings.Join(slices.Delete(slices.Clone(parts), i, i+1), "_")))
		if most, is := c.Ceiling(m.ID); ok && is && most.ID == id {
			return m, true
		}
	}
	return Metric{}, false
}

// partner returns what m, which is called used, is a share of, and the word that
// says so; rest: it is what is left, and both together are all.
func (c *Catalog) partner(m Metric) (used string, other ID, rest, ok bool) {
	name, spell := "_"+string(m.ID)+"_", strings.ToLower
	if strings.ToUpper(name) == name {
		spell = strings.ToUpper // as DCGM's fields are
	}
	for _, used := range usedWords {
		if !strings.Contains(name, spell("_"+used+"_")) {
			continue
		}
		others := slices.Concat(wholeWords, restWords)
		if used == "used" {
			others = append(others, "") // ceph_osd_stat_bytes_used of ceph_osd_stat_bytes
		}
		for _, w := range others {
			id := ID(strings.Trim(strings.ReplaceAll(strings.Replace(name, spell("_"+used+"_"), spell("_"+w+"_"), 1), "__", "_"), "_"))
			if o, there := c.Metric(id); there && id != m.ID && o.Type == Gauge && o.Unit == m.Unit && slices.Equal(slices.Sorted(slices.Values(o.Labels)), slices.Sorted(slices.Values(m.Labels))) {
				return strings.ReplaceAll(used, "_", " "), id, slices.Contains(restWords, w), true
			}
		}
	}
	return "", "", false, false
}

// Names of counters differ in one word, or in the lack of it, where one counts
// what went wrong and the other what went well, or all.
var (
	failedWords = []string{"failure", "failures", "failed", "fail", "error", "errors", "rejected", "dropped", "denied"}
	goodWords   = []string{"success", "successes", "succeeded", "ok"}
	allWords    = []string{"", "requests", "request", "attempts", "operations", "runs"}
)

// ofFailures returns the share that went wrong of what has no row of its own:
// of two counters of the same things, one of what failed, the other of all or
// of what did not fail.
func (c *Catalog) ofFailures(own map[ID]bool) []Derived {
	var ds []Derived
	for _, m := range c.metrics {
		if m.Type != Counter || own[m.ID] {
			continue
		}
		all, ok := c.allOf(m)
		if !ok {
			continue
		}
		d := Derived{Metric: m, Expr: "rate(" + string(m.ID) + "[5m]) / " + all}
		d.ID, d.Type, d.Unit, d.Min, d.Max, d.Bad, d.Help = m.ID+":share", Gauge, "1", "0", "1", "high", "As a share of all: "+m.Help
		d.Words = nil
		for _, w := range m.Words {
			d.Words = append(d.Words, w+" share", w+" rate")
		}
		if len(d.Words) > 0 {
			ds = append(ds, d)
		}
	}
	return ds
}

// allOf returns the rate of all of which m counts those that failed.
func (c *Catalog) allOf(m Metric) (expr string, ok bool) {
	name := "_" + string(m.ID) + "_"
	like := func(failed, other string) (ID, bool) {
		with := "_" + other + "_"
		if other == "" {
			with = "_"
		}
		id := ID(strings.Trim(strings.Replace(name, "_"+failed+"_", with, 1), "_"))
		o, there := c.Metric(id)
		return id, there && o.Type == Counter && id != m.ID && slices.Equal(slices.Sorted(slices.Values(o.Labels)), slices.Sorted(slices.Values(m.Labels)))
	}
	for _, failed := range failedWords {
		if !strings.Contains(name, "_"+failed+"_") {
			continue
		}
		for _, good := range goodWords {
			if id, ok := like(failed, good); ok {
				return "(rate(" + string(m.ID) + "[5m]) + rate(" + string(id) + "[5m]))", true
			}
		}
		for _, all := range allWords {
			if id, ok := like(failed, all); ok {
				return "rate(" + string(id) + "[5m])", true
			}
		}
	}
	return "", false
}

// Complements reports whether a counts what went wrong of the same things of which b
// counts what did not, so that both together are all.
func (c *Catalog) Complements(a, b ID) bool {
	name := "_" + string(a) + "_"
	for _, failed := range failedWords {
		for _, good := range goodWords {
			if strings.Contains(name, "_"+failed+"_") && strings.Trim(strings.Replace(name, "_"+failed+"_", "_"+good+"_", 1), "_") == string(b) {
				return true
			}
		}
	}
	return false
}

// without returns phrase without word, and whether it had it.
func without(phrase, word string) (string, bool) {
	words := strings.Fields(phrase)
	i := slices.IndexFunc(words, func(w string) bool { return strings.EqualFold(w, word) })
	if i < 0 || len(words) < 2 {
		return "", false
	}
	return strings.Join(slices.Delete(words, i, i+1), " "), true
}
