package answer

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"vedette.dev/analyzer/action"
	"vedette.dev/nlq"
	"vedette.dev/nlq/compile"
)

// silence proposes in the ledger that nobody be told of some alerts.
func (d *Desk) silence(ctx context.Context, a *Answer, s nlq.Silence, now time.Time) error {
	kind := action.SilenceAlerts
	if s.Lift {
		kind = action.EndSilence
	}
	if _, ok := d.Ledger.Executors[kind]; !ok {
		a.unclear("No Alertmanager is configured: nobody is told of alerts, and there is nothing to silence.", nil)
		return nil
	}
	firing := d.Alerts.Firing()
	where, doubts := matchersOf(s, firing)
	target, err := compile.Selector(where)
	if err != nil {
		return err
	}
	a.Caveats = append(a.Caveats, doubts...)
	about := slices.DeleteFunc(firing, func(ls map[string]string) bool { return !holds(where, ls) })
	act := action.Action{Kind: kind, Target: target, Reason: "asked: " + a.Asked, Effect: effect(s, about)}
	if !s.Lift {
		act.Params = map[string]string{"for": model.Duration(s.For).String()}
	}
	e, err := d.Ledger.Propose(ctx, act, now)
	if err != nil {
		return err
	}
	a.Kind, a.Silence = KindSilence, &SilenceResult{Firing: orEmpty(about[:min(len(about), maxFiring)]), Total: len(about), Entry: e,
		How: fmt.Sprintf("Nothing is decided by words here: vedette actions approve %d, or the button on the page.", e.ID)}
	return nil
}

// maxFiring bounds how many firing alerts are listed: more than that nobody reads.
const maxFiring = 20

// matchersOf returns the matchers of s. A place goes by different labels in
// different rules: it is looked for in the alerts that fire.
func matchersOf(s nlq.Silence, firing []map[string]string) (ms []nlq.Matcher, doubts []string) {
	if s.Alert != "" {
		ms = append(ms, nlq.Matcher{Label: "alertname", Op: "=", Value: s.Alert})
		firing = slices.DeleteFunc(slices.Clone(firing), func(ls map[string]string) bool { return !holds(ms, ls) })
	}
	for _, n := range s.At {
		m := nlq.Matcher{Op: "=", Value: n.Name}
		if strings.Contains(n.Name, "*") {
			m.Op, m.Value = "=~", strings.ReplaceAll(regexp.QuoteMeta(n.Name), `\*`, ".*")
		}
		i := slices.IndexFunc(nlq.Places(), func(p nlq.Place) bool { return p.Name == n.Place })
		known := nlq.Places()[i].Labels
		for _, l := range known {
			m.Label = l
			if slices.ContainsFunc(firing, func(ls map[string]string) bool { return holds([]nlq.Matcher{m}, ls) }) {
				break
			}
			m.Label = ""
		}
		if m.Label == "" {
			m.Label = known[0]
			doubts = append(doubts, fmt.Sprintf("no such alert of %s %s fires now: the label %s is taken to say it, as rules made here have it", n.Place, n.Name, m.Label))
		}
		ms = append(ms, m)
	}
	return ms, doubts
}

// holds reports whether labels are as all matchers say; their operators are = and =~.
func holds(ms []nlq.Matcher, ls map[string]string) bool {
	return !slices.ContainsFunc(ms, func(m nlq.Matcher) bool {
		if m.Op == "=~" {
			return !regexp.MustCompile("^(?s:" + m.Value + ")$").MatchString(ls[m.Label])
		}
		return ls[m.Label] != m.Value
	})
}

// effect says who is not told of what.
func effect(s nlq.Silence, about []map[string]string) string {
	names := map[string]int{}
	for _, ls := range about {
		names[ls["alertname"]]++
	}
	var which []string
	for _, n := range slices.Sorted(maps.Keys(names)) {
		which = append(which, fmt.Sprintf("%s (%d)", n, names[n]))
	}
	firing := cmp.Or(strings.Join(which, ", "), "none")
	if s.Lift {
		return "people are told again; alerts of these that fire now: " + firing
	}
	return fmt.Sprintf("nobody is told of these alerts for %s; they go on being evaluated and shown; of them fire now: %s", nlq.Period(s.For), firing)
}
