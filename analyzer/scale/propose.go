package scale

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"vedette.dev/analyzer/action"
)

// A Target is where what a forecast adds is set.
type Target struct {
	Kind     action.Kind
	Name     string            // namespace/name, or cluster/node group
	Params   map[string]string // what the executor needs besides the number
	Says     string            // what a unit of it is, for people: "pods of 8 GPUs that give way to any other"
	Whole    bool              // the number is of all units, not of those added
	ByPolicy bool              // whoever configured the pool approved it within its limits; else a person does each time
}

// Units is the parameter that says how many.
const Units = "units"

// units returns what is to be set for an advice.
func (t *Target) units(p Pool, a Advice) int {
	switch {
	case !t.Whole:
		return a.Added()
	case a.Added() == 0:
		return p.Min // what somebody chose; the reactive autoscaler does the rest
	}
	return a.Units
}

// propose has the target follow the advice. More waits for its approval, as
// the target says; what a forecast had added and no longer asks for is taken
// back at once: nobody needs to approve that what was there before is so again.
func propose(ctx context.Context, l *action.Ledger, spec Spec, s State, now time.Time) error {
	t, a := spec.Target, *s.Advice
	want, have := t.units(spec.Pool, a), t.units(spec.Pool, Advice{})
	act := action.Action{Kind: t.Kind, Target: t.Name, Params: map[string]string{}}
	last, err := l.Last(ctx, act, action.Done)
	switch {
	case errors.Is(err, action.ErrNoSuchAction):
	case err != nil:
		return err
	default:
		if have, err = strconv.Atoi(last.Params[Units]); err != nil {
			return fmt.Errorf("read how many units action %d set: %w", last.ID, err)
		}
	}
	if want == have {
		return nil
	}
	for k, v := range t.Params {
		act.Params[k] = v
	}
	act.Params[Units] = strconv.Itoa(want)
	act.Reason = s.Reason + s.money(want-have) + s.Replay.sentence()
	act.Effect = fmt.Sprintf("%s goes from %d to %d %s", t.Name, have, want, t.Says)
	act.Cites = []string{spec.Demand, s.Boot.Evidence}
	if want < have {
		act.Reason = "the forecast no longer asks for it: " + s.Reason
	}
	if l.Mode == action.Observe || want > have && !t.ByPolicy {
		_, err = l.Propose(ctx, act, now)
		return err
	}
	_, err = l.Do(ctx, act, "the limits of pool "+spec.Name, now)
	if errors.Is(err, action.ErrNotWaiting) {
		return nil // an attempt failed or was refused a while ago, and rests
	}
	return err
}

// money says what more units cost.
func (s State) money(more int) string {
	if s.USD == 0 || more <= 0 {
		return ""
	}
	return fmt.Sprintf("; %d more cost $%.2f an hour by the price book", more, float64(more)*s.USD)
}
