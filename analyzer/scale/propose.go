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

// own is what is set where no forecast asks for anything.
func (t *Target) own(p Pool) int { return t.units(p, Advice{}) }

// bare is the action of a target, without its number.
func (t *Target) bare() action.Action {
	return action.Action{Kind: t.Kind, Target: t.Name, Params: map[string]string{}}
}

// have returns what was set last, and when: never where nothing was.
func (t *Target) have(ctx context.Context, l *action.Ledger, p Pool) (int, time.Time, error) {
	last, err := l.Last(ctx, t.bare(), action.Done)
	if errors.Is(err, action.ErrNoSuchAction) {
		return t.own(p), time.Time{}, nil
	}
	if err != nil {
		return 0, time.Time{}, err
	}
	n, err := strconv.Atoi(last.Params[Units])
	if err != nil {
		return 0, time.Time{}, fmt.Errorf("read how many units action %d set: %w", last.ID, err)
	}
	return n, last.Finished, nil
}

// propose has the target follow the advice. More waits for its approval, as
// the target says, and is withdrawn once the forecast asks for none of it, or
// for still more; what a forecast had added and no longer asks for is taken back at once:
// nobody needs to approve that what was there before is so again.
func propose(ctx context.Context, l *action.Ledger, spec Spec, s State, now time.Time) error {
	t := spec.Target
	want := t.units(spec.Pool, *s.Advice)
	have, _, err := t.have(ctx, l, spec.Pool)
	if err != nil {
		return err
	}
	why := fmt.Sprintf("the forecast asks for %d now", want)
	if want <= have {
		why = fmt.Sprintf("the forecast asks for no more than the %d there are", have)
	}
	if err := withdraw(ctx, l, t, want, have, why, now); err != nil || want == have {
		return err
	}
	act := t.set(want, have)
	act.Waits = lasts(s)
	act.Reason = s.Reason + s.money(want-have) + s.Replay.sentence()
	act.Cites = []string{spec.Demand, s.Boot.Evidence}
	if want < have {
		act.Reason = "the forecast no longer asks for it: " + s.Reason
	}
	if l.Mode == action.Observe || want > have && !t.ByPolicy {
		_, err = l.Propose(ctx, act, now)
		return err
	}
	return do(ctx, l, spec, act, now)
}

// lasts is how long what a forecast adds is good for without a newer one: until
// what was ordered works, and as long again as units stay.
func lasts(s State) time.Duration { return s.Boot.Time + hold*time.Minute }

// withdraw takes back a proposal that is no longer wanted, or is too little. One
// of a few units too many stays, so that who reads it can still approve it: what
// is too many is taken back by itself.
func withdraw(ctx context.Context, l *action.Ledger, t *Target, want, have int, why string, now time.Time) error {
	e, err := l.Last(ctx, t.bare(), action.Proposed)
	if errors.Is(err, action.ErrNoSuchAction) {
		return nil
	}
	if err != nil {
		return err
	}
	if asked, err := strconv.Atoi(e.Params[Units]); err == nil && have < want && want <= asked {
		return nil
	}
	if err := l.Withdraw(ctx, e.ID, why, now); !errors.Is(err, action.ErrNotWaiting) { // else somebody decided meanwhile
		return err
	}
	return nil
}

// release takes back what a forecast added, and what it would add, where
// nothing has been advised since for as long as that was good for: a service
// that is blind pays for no room.
func release(ctx context.Context, l *action.Ledger, spec Spec, s State, advised time.Time, blind error, now time.Time) error {
	t := spec.Target
	have, at, err := t.have(ctx, l, spec.Pool)
	if err != nil {
		return err
	}
	if advised.After(at) {
		at = advised
	}
	own := t.own(spec.Pool)
	if at.IsZero() || now.Sub(at) <= lasts(s) || l.Mode == action.Observe {
		return nil
	}
	why := fmt.Sprintf("nothing has been advised for %s: %v", short(now.Sub(at)), blind)
	if err := withdraw(ctx, l, t, own, own, why, now); err != nil || have <= own {
		return err
	}
	act := t.set(own, have)
	act.Reason = why
	act.Cites = []string{spec.Demand}
	return do(ctx, l, spec, act, now)
}

// set is the action that makes have units want.
func (t *Target) set(want, have int) action.Action {
	act := t.bare()
	for k, v := range t.Params {
		act.Params[k] = v
	}
	act.Params[Units] = strconv.Itoa(want)
	act.Effect = fmt.Sprintf("%s goes from %d to %d %s", t.Name, have, want, t.Says)
	return act
}

func do(ctx context.Context, l *action.Ledger, spec Spec, act action.Action, now time.Time) error {
	_, err := l.Do(ctx, act, "the limits of pool "+spec.Name, now)
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
