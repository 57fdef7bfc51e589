package action

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"vedette.dev/analyzer/sqlite"
)

const (
	// lapse is how long a proposal waits for a decision that does not say. The
	// evidence it rests on is stale by then, and what still holds is proposed anew.
	lapse = time.Hour
	// rest is how long a settled proposal keeps the same change from being
	// proposed again, so that a denial is not argued with every tick.
	rest = 30 * time.Minute
)

// ErrNotWaiting reports a decision on an action that nobody waits for any more.
var ErrNotWaiting = errors.New("the action is not waiting for a decision")

// ErrNoSuchAction reports an ID that the ledger does not hold.
var ErrNoSuchAction = errors.New("no such action")

// A Ledger is the durable log of actions. It is safe for concurrent use.
type Ledger struct {
	Mode      Mode              // what may become of proposals that touch nodes
	Executors map[Kind]Executor // by the kind they make

	db *sql.DB
}

const schema = `
CREATE TABLE actions (
	id       INTEGER PRIMARY KEY,
	key      TEXT    NOT NULL,
	action   TEXT    NOT NULL, -- JSON
	state    TEXT    NOT NULL,
	proposed INTEGER NOT NULL,
	expires  INTEGER NOT NULL,
	finished INTEGER NOT NULL DEFAULT 0,
	result   TEXT    NOT NULL DEFAULT ''
);
CREATE INDEX actions_by_key ON actions (key, id);
CREATE TABLE decisions (
	id       INTEGER PRIMARY KEY,
	action   INTEGER NOT NULL REFERENCES actions (id),
	by       TEXT    NOT NULL,
	ms       INTEGER NOT NULL,
	approved INTEGER NOT NULL,
	why      TEXT    NOT NULL
);`

// Open opens the ledger in dir, creating it if need be. An action that was
// running when the process died is run again by the next [Ledger.Run].
func Open(dir string, mode Mode, executors map[Kind]Executor) (*Ledger, error) {
	db, err := sqlite.Open(filepath.Join(dir, "actions.db"), schema)
	if err != nil {
		return nil, err
	}
	if _, err := db.Exec(`UPDATE actions SET state = ? WHERE state = ?`, Approved, Running); err != nil {
		return nil, errors.Join(fmt.Errorf("open ledger %s: %w", dir, err), db.Close())
	}
	return &Ledger{Mode: mode, Executors: executors, db: db}, nil
}

// Close closes the file.
func (l *Ledger) Close() error { return l.db.Close() }

// touchesNodes says which kinds the mode governs. Rules, and who is told of
// them, are the matter of who asks.
func touchesNodes(k Kind) bool {
	switch k {
	case PublishRule, UndoRule, SilenceAlerts, EndSilence:
		return false
	}
	return true
}

// Propose records a and returns its entry. Where the same change is already
// waiting or under way, or was settled less than half an hour ago, nothing is
// recorded and that entry is returned.
func (l *Ledger) Propose(ctx context.Context, a Action, now time.Time) (Entry, error) {
	if _, ok := l.Executors[a.Kind]; !ok {
		return Entry{}, fmt.Errorf("propose %s: nothing here can carry out %q", a.Key(), a.Kind)
	}
	body, err := json.Marshal(a)
	if err != nil {
		return Entry{}, fmt.Errorf("propose %s: %w", a.Key(), err)
	}
	state := Proposed
	if l.Mode == Observe && touchesNodes(a.Kind) {
		state = Noted
	}

	tx, err := l.db.BeginTx(ctx, nil)
	if err != nil {
		return Entry{}, fmt.Errorf("propose %s: %w", a.Key(), err)
	}
	defer tx.Rollback()
	last, err := newest(ctx, tx, a.Key())
	if err != nil {
		return Entry{}, fmt.Errorf("propose %s: %w", a.Key(), err)
	}
	if last != nil && !mayRepeat(*last, now) {
		return *last, nil
	}
	e := Entry{Action: a, State: state, Proposed: now, Expires: now.Add(cmp.Or(a.Waits, lapse))}
	res, err := tx.ExecContext(ctx, `INSERT INTO actions (key, action, state, proposed, expires) VALUES (?,?,?,?,?)`,
		a.Key(), body, e.State, e.Proposed.UnixMilli(), e.Expires.UnixMilli())
	if err != nil {
		return Entry{}, fmt.Errorf("propose %s: %w", a.Key(), err)
	}
	if e.ID, err = res.LastInsertId(); err != nil {
		return Entry{}, err
	}
	return e, tx.Commit()
}

// scales says which kinds set a number that goes up and down by the hour.
func scales(k Kind) bool { return k == ScaleBalloon || k == ScaleBuffer || k == ScaleNodegroup }

// mayRepeat reports whether what last asked for may be asked for again. A rule
// may be published again at once: its asker decides. So may a number be changed
// that was set, or that nobody decided on: what is asked for is another one.
func mayRepeat(last Entry, now time.Time) bool {
	switch {
	case last.State == Noted:
		return now.After(last.Expires)
	case !last.State.Settled():
		return false
	case !touchesNodes(last.Kind), scales(last.Kind) && last.State != Denied && last.State != Failed:
		return true
	}
	return now.After(last.Finished.Add(rest))
}

// Decide records a decision on a proposal. One refusal settles it; an approval
// makes it ready to run. Only a proposal that still waits can be decided on.
func (l *Ledger) Decide(ctx context.Context, id int64, d Decision) (Entry, error) {
	if d.By == "" {
		return Entry{}, fmt.Errorf("decide on action %d: a decision needs a name", id)
	}
	tx, err := l.db.BeginTx(ctx, nil)
	if err != nil {
		return Entry{}, fmt.Errorf("decide on action %d: %w", id, err)
	}
	defer tx.Rollback()
	e, err := byID(ctx, tx, id)
	if err != nil {
		return Entry{}, fmt.Errorf("decide on action %d: %w", id, err)
	}
	if e.State != Proposed || d.At.After(e.Expires) {
		return Entry{}, fmt.Errorf("decide on action %d, which is %s: %w", id, e.State, ErrNotWaiting)
	}
	if _, err := tx.ExecContext(ctx, `INSERT INTO decisions (action, by, ms, approved, why) VALUES (?,?,?,?,?)`,
		id, d.By, d.At.UnixMilli(), d.Approved, d.Why); err != nil {
		return Entry{}, fmt.Errorf("decide on action %d: %w", id, err)
	}
	e.Decisions = append(e.Decisions, d)
	e.State = Approved
	if !d.Approved {
		e.State, e.Finished, e.Result = Denied, d.At, "denied by "+d.By
	}
	if err := update(ctx, tx, e); err != nil {
		return Entry{}, fmt.Errorf("decide on action %d: %w", id, err)
	}
	return e, tx.Commit()
}

// Withdraw settles a proposal that nobody has decided on yet, since what asked
// for it no longer does. One that was decided on stays as it is.
func (l *Ledger) Withdraw(ctx context.Context, id int64, why string, now time.Time) error {
	res, err := l.db.ExecContext(ctx, `UPDATE actions SET state = ?, finished = ?, result = ? WHERE id = ? AND state = ?`, Withdrawn, now.UnixMilli(), why, id, Proposed)
	if err != nil {
		return fmt.Errorf("withdraw action %d: %w", id, err)
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return errors.Join(err, fmt.Errorf("withdraw action %d: %w", id, ErrNotWaiting))
	}
	return nil
}

// Run carries out what is approved, in the order of approval, and lets
// proposals lapse that nobody decided on. It returns the entries it settled.
// An executor that fails settles its own entry as failed; the error is for
// what the ledger itself could not do.
func (l *Ledger) Run(ctx context.Context, now time.Time) ([]Entry, error) {
	if _, err := l.db.ExecContext(ctx, `UPDATE actions SET state = ?, finished = ?, result = 'nobody decided in time' WHERE state = ? AND expires < ?`,
		Expired, now.UnixMilli(), Proposed, now.UnixMilli()); err != nil {
		return nil, fmt.Errorf("expire actions: %w", err)
	}
	ready, err := list(ctx, l.db, `WHERE state = ? ORDER BY id`, Approved)
	if err != nil {
		return nil, fmt.Errorf("read approved actions: %w", err)
	}
	var settled []Entry
	for _, e := range ready {
		done, err := l.run(ctx, e, now)
		if errors.Is(err, errClaimed) {
			continue
		}
		if err != nil {
			return settled, err
		}
		settled = append(settled, done)
	}
	return settled, nil
}

// errClaimed reports an entry that another caller of run has taken.
var errClaimed = errors.New("the action is being run already")

// run carries out one approved entry. It is marked as running first, so that
// two callers never run it together; a crash in between leaves it to be run
// again, which executors allow.
func (l *Ledger) run(ctx context.Context, e Entry, now time.Time) (Entry, error) {
	res, err := l.db.ExecContext(ctx, `UPDATE actions SET state = ? WHERE id = ? AND state = ?`, Running, e.ID, Approved)
	if err != nil {
		return e, fmt.Errorf("run action %d: %w", e.ID, err)
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return e, errors.Join(err, fmt.Errorf("run action %d: %w", e.ID, errClaimed))
	}
	x, ok := l.Executors[e.Kind]
	result, err := "", fmt.Errorf("nothing here can carry out %q", e.Kind)
	if ok {
		result, err = x.Execute(ctx, e.Action)
	}
	e.State, e.Finished, e.Result = Done, now, result
	if err != nil {
		e.State, e.Result = Failed, err.Error()
	}
	if err := update(ctx, l.db, e); err != nil {
		return e, fmt.Errorf("record the end of action %d: %w", e.ID, err)
	}
	return e, nil
}

// Do proposes a, approves it in the name of by, and runs it at once: for an
// action whose asker is also the one who may approve it.
func (l *Ledger) Do(ctx context.Context, a Action, by string, now time.Time) (Entry, error) {
	e, err := l.Propose(ctx, a, now)
	if err != nil {
		return e, err
	}
	if e, err = l.Decide(ctx, e.ID, Decision{By: by, At: now, Approved: true, Why: "asked for it"}); err != nil {
		return e, err
	}
	done, err := l.run(ctx, e, now)
	if errors.Is(err, errClaimed) {
		return l.Entry(ctx, e.ID)
	}
	return done, err
}

// Entries returns the newest n entries, the newest first.
func (l *Ledger) Entries(ctx context.Context, n int) ([]Entry, error) {
	es, err := list(ctx, l.db, `ORDER BY id DESC LIMIT ?`, n)
	if err != nil {
		return nil, fmt.Errorf("read actions: %w", err)
	}
	return es, nil
}

// Last returns the newest entry of the same change that a makes which is in
// state, or an error that wraps [ErrNoSuchAction].
func (l *Ledger) Last(ctx context.Context, a Action, state State) (Entry, error) {
	es, err := list(ctx, l.db, `WHERE key = ? AND state = ? ORDER BY id DESC LIMIT 1`, a.Key(), state)
	if err == nil && len(es) == 0 {
		err = ErrNoSuchAction
	}
	if err != nil {
		return Entry{}, fmt.Errorf("read the last %s that is %s: %w", a.Key(), state, err)
	}
	return es[0], nil
}

// Since returns what was done of the same change that a makes from then on, the
// oldest first, with the last that was done before.
func (l *Ledger) Since(ctx context.Context, a Action, then time.Time) ([]Entry, error) {
	es, err := list(ctx, l.db, `WHERE key = ? AND state = ? AND id >= coalesce((SELECT max(id) FROM actions WHERE key = ? AND state = ? AND finished < ?), 0) ORDER BY id`,
		a.Key(), Done, a.Key(), Done, then.UnixMilli())
	if err != nil {
		return nil, fmt.Errorf("read what %s came to: %w", a.Key(), err)
	}
	return es, nil
}

// Entry returns one entry, or an error that wraps [ErrNoSuchAction].
func (l *Ledger) Entry(ctx context.Context, id int64) (Entry, error) {
	e, err := byID(ctx, l.db, id)
	if err != nil {
		return e, fmt.Errorf("read action %d: %w", id, err)
	}
	return e, nil
}
