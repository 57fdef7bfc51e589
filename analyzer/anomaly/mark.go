package anomaly

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"vedette.dev/analyzer"
	"vedette.dev/analyzer/sqlite"
)

// Dismiss records that by says that an anomaly is none, until a time or, where
// that is zero, until it is taken back, and has the detectors go by it from now
// on. It takes the place of what was said of the same before.
func (j *Journal) Dismiss(ctx context.Context, id int64, by, why string, until, now time.Time) (Anomaly, error) {
	return j.change(ctx, id, func(tx *sql.Tx, a *Anomaly) error {
		if !until.IsZero() && !until.After(now) {
			return fmt.Errorf("dismiss anomaly %d until %s: that is over: %w", id, until.UTC().Format(time.RFC3339), ErrNothingToDo)
		}
		m := analyzer.NewMark(a.Finding, by, why, now, until)
		lasts := func(l analyzer.Limit) bool { return l.Channel != analyzer.Absence || a.Open() || !m.Until.IsZero() }
		if !slices.ContainsFunc(m.Limits, lasts) {
			return fmt.Errorf("dismiss anomaly %d: it was gone and is back, say for how long to hear nothing when it is gone again: %w", id, ErrNothingToDo)
		}
		if _, err := withdraw(ctx, tx, a.Key(), by, now); err != nil {
			return err
		}
		body, err := json.Marshal(m)
		if err != nil {
			return err
		}
		a.Marked = &m
		_, err = tx.ExecContext(ctx, `INSERT INTO marks (key, ms, body) VALUES (?,?,?)`, a.Key(), now.UnixMilli(), body)
		return err
	})
}

// Restore takes back what was said of an anomaly: it, and what is like it, is
// told again as before.
func (j *Journal) Restore(ctx context.Context, id int64, by string, now time.Time) (Anomaly, error) {
	return j.change(ctx, id, func(tx *sql.Tx, a *Anomaly) error {
		n, err := withdraw(ctx, tx, a.Key(), by, now)
		switch {
		case err != nil:
			return err
		case n == 0:
			return fmt.Errorf("restore anomaly %d: no mark stands on it: %w", id, ErrNothingToDo)
		case a.Open():
			a.Marked = nil
		case a.Marked != nil:
			a.Marked.Withdrawn, a.Marked.WithdrawnBy = now.UTC(), by
		}
		return nil
	})
}

// change does something to an anomaly and to marks, and tells the detectors.
func (j *Journal) change(ctx context.Context, id int64, do func(tx *sql.Tx, a *Anomaly) error) (Anomaly, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	tx, err := j.db.BeginTx(ctx, nil)
	if err != nil {
		return Anomaly{}, fmt.Errorf("mark anomaly %d: %w", id, err)
	}
	defer tx.Rollback()
	as, err := read(ctx, tx, `WHERE id = ?`, id)
	if err != nil {
		return Anomaly{}, fmt.Errorf("read anomaly %d: %w", id, err)
	}
	if len(as) == 0 {
		return Anomaly{}, fmt.Errorf("anomaly %d: %w", id, ErrNoSuchAnomaly)
	}
	a := as[0]
	if err := do(tx, &a); err != nil {
		return Anomaly{}, err
	}
	body, err := json.Marshal(a.Finding)
	if err != nil {
		return Anomaly{}, fmt.Errorf("mark anomaly %d: %w", id, err)
	}
	if _, err := tx.ExecContext(ctx, `UPDATE anomalies SET body = ? WHERE id = ?`, body, id); err != nil {
		return Anomaly{}, fmt.Errorf("mark anomaly %d: %w", id, err)
	}
	if err := tx.Commit(); err != nil {
		return Anomaly{}, fmt.Errorf("mark anomaly %d: %w", id, err)
	}
	return a, j.heed(ctx)
}

// withdraw takes back the marks on what has this key, and says how many stood.
func withdraw(ctx context.Context, tx *sql.Tx, key, by string, now time.Time) (int, error) {
	ms, err := marks(ctx, tx, `AND key = ?`, key)
	if err != nil {
		return 0, fmt.Errorf("read marks: %w", err)
	}
	stood := 0
	for id, m := range ms {
		if m.Stands(now) {
			stood++
		}
		m.Withdrawn, m.WithdrawnBy = now.UTC(), by
		body, err := json.Marshal(m)
		if err != nil {
			return 0, err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE marks SET withdrawn = ?, body = ? WHERE id = ?`, sqlite.Millis(now), body, id); err != nil {
			return 0, fmt.Errorf("take back mark %d: %w", id, err)
		}
	}
	return stood, nil
}

// Standing returns how many marks hold at now.
func (j *Journal) Standing(ctx context.Context, now time.Time) (int, error) {
	ms, err := marks(ctx, j.db, "")
	n := 0
	for _, m := range ms {
		if m.Stands(now) {
			n++
		}
	}
	return n, err
}

// heed has the detectors go by all marks that were not taken back.
func (j *Journal) heed(ctx context.Context) error {
	ms, err := marks(ctx, j.db, "")
	if err != nil {
		return fmt.Errorf("read what is marked as no anomaly: %w", err)
	}
	var all []analyzer.Mark
	for _, m := range ms {
		all = append(all, m)
	}
	j.bank.Heed(all)
	return nil
}

// marks returns the marks that were not taken back, by number.
func marks(ctx context.Context, c conn, also string, args ...any) (map[int64]analyzer.Mark, error) {
	rows, err := c.QueryContext(ctx, `SELECT id, body FROM marks WHERE withdrawn = 0 `+also, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := map[int64]analyzer.Mark{}
	for rows.Next() {
		var id int64
		var body []byte
		if err := rows.Scan(&id, &body); err != nil {
			return nil, err
		}
		var m analyzer.Mark
		if err := json.Unmarshal(body, &m); err != nil {
			return nil, err
		}
		out[id] = m
	}
	return out, rows.Err()
}
