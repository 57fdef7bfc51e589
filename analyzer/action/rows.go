package action

import (
	"context"
	"database/sql"
	"encoding/json"

	"vedette.dev/analyzer/sqlite"
)

// A conn is a database or a transaction in it.
type conn interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// newest returns the newest entry with the key, or nil.
func newest(ctx context.Context, c conn, key string) (*Entry, error) {
	es, err := list(ctx, c, `WHERE key = ? ORDER BY id DESC LIMIT 1`, key)
	if err != nil || len(es) == 0 {
		return nil, err
	}
	return &es[0], nil
}

func byID(ctx context.Context, c conn, id int64) (Entry, error) {
	es, err := list(ctx, c, `WHERE id = ?`, id)
	if err != nil {
		return Entry{}, err
	}
	if len(es) == 0 {
		return Entry{}, ErrNoSuchAction
	}
	return es[0], nil
}

// list reads the entries that the clause selects, with their decisions.
func list(ctx context.Context, c conn, clause string, args ...any) ([]Entry, error) {
	rows, err := c.QueryContext(ctx, `SELECT id, action, state, proposed, expires, finished, result FROM actions `+clause, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var es []Entry
	for rows.Next() {
		var e Entry
		var body []byte
		var proposed, expires, finished int64
		if err := rows.Scan(&e.ID, &body, &e.State, &proposed, &expires, &finished, &e.Result); err != nil {
			return nil, err
		}
		if err := json.Unmarshal(body, &e.Action); err != nil {
			return nil, err
		}
		e.Proposed, e.Expires, e.Finished = sqlite.Time(proposed), sqlite.Time(expires), sqlite.Time(finished)
		es = append(es, e)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	rows.Close() // a transaction has one connection: free it for the decisions
	for i := range es {
		if es[i].Decisions, err = decisions(ctx, c, es[i].ID); err != nil {
			return nil, err
		}
	}
	return es, nil
}

func decisions(ctx context.Context, c conn, id int64) ([]Decision, error) {
	rows, err := c.QueryContext(ctx, `SELECT by, ms, approved, why FROM decisions WHERE action = ? ORDER BY id`, id)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var ds []Decision
	for rows.Next() {
		var d Decision
		var ms int64
		if err := rows.Scan(&d.By, &ms, &d.Approved, &d.Why); err != nil {
			return nil, err
		}
		d.At = sqlite.Time(ms)
		ds = append(ds, d)
	}
	return ds, rows.Err()
}

func update(ctx context.Context, c conn, e Entry) error {
	_, err := c.ExecContext(ctx, `UPDATE actions SET state = ?, finished = ?, result = ? WHERE id = ?`,
		e.State, sqlite.Millis(e.Finished), e.Result, e.ID)
	return err
}
