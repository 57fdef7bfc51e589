package grammar

import (
	"slices"
	"strings"
)

// takeRoute reads whom to tell, at the end or after a mark: "tell #ml-ops",
// "email hw@example.com", "page team-hw". Receivers are Alertmanager's to
// know: what was said is noted, and none is made.
func (f *frame) takeRoute() {
	for i := range f.items {
		_, tells := at(f.items, i-1).has("tell")
		_, asks := at(f.items, i-1).has("kind")
		if (tells || asks) && i > 1 && f.items[i].raw == "#" && i+1 < len(f.items) { // notify #ml-ops
			_, to := f.name(i + 1)
			f.useAll(span(i-1, to)...)
			f.assume(0, "whom alerts reach is set in Alertmanager, not here")
			return
		}
		if _, ok := f.says(i, "route"); !ok {
			continue
		}
		j := i + 1
		for j < len(f.items) && (f.lexicon.stop[f.items[j].low] || f.items[j].low == "channel" || f.items[j].low == "slack" || f.items[j].sign && f.items[j].raw == "#") && len(f.items[j].roles) == 0 {
			j++
		}
		if j >= len(f.items) || f.items[j].used || !f.receiver(j, i) {
			continue
		}
		_, to := f.name(j)
		for to < len(f.items) && f.tail(to) {
			to++
		}
		if low := at(f.items, to).low; i == 0 && low != "when" && low != "if" {
			continue
		} else if i == 0 && f.kind == unsaid {
			f.kind = alert // "slack #gpu-ops when …"
		}
		if v, severity := f.says(i, "severity"); severity {
			f.severity = v
		}
		if low := f.items[i].low; low == "page" || strings.HasPrefix(low, "wake") {
			f.severity = "critical"
		}
		f.useAll(span(i, to)...)
		f.assume(0, "whom alerts reach is set in Alertmanager, not here")
		return
	}
}

// receiver reports whether item j can be somebody to tell: a channel, an
// address, a team, the one on call.
func (f *frame) receiver(j, verb int) bool {
	it := f.items[j]
	low := strings.ToLower(it.raw)
	if it.whole != "" {
		low = strings.ToLower(it.whole)
	}
	return j > 0 && f.items[j-1].raw == "#" || strings.Contains(low, "@") || strings.HasPrefix(low, "team") ||
		strings.Contains(low, "oncall") || strings.Contains(low, "on-call") || low == "on" && at(f.items, j+1).low == "call" || strings.HasSuffix(low, "-ops") || strings.HasSuffix(low, "team")
}

// tail reports whether item i still belongs to a receiver: "on call", "team".
func (f *frame) tail(i int) bool {
	low := f.items[i].low
	return low == "call" || low == "team" || low == "channel" || low == "pager" || low == "group" || f.items[i].inside
}

// dropArrows leaves away the sign that stands for telling somebody: = page, = wake
// someone up.
func (f *frame) dropArrows() {
	for i := len(f.items) - 2; i > 0; i-- {
		_, tell := f.items[i+1].has("kind")
		_, bad := f.items[i+1].has("severity")
		if f.items[i].sign && f.items[i].raw == "=" && (tell || bad) {
			f.items = slices.Delete(f.items, i, i+1)
		}
	}
}
