// Package anomaly keeps the journal of anomalies: what the detectors found, from
// when to when, and what people said of it. What is unusual is the detectors'
// word, what becomes an incident is the book's; a person's word that something
// is no anomaly is kept here and handed to the detectors, who go by it.
package anomaly

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"vedette.dev/analyzer"
	"vedette.dev/analyzer/sqlite"
)

var (
	// ErrNoSuchAnomaly reports an ID that the journal does not hold.
	ErrNoSuchAnomaly = errors.New("no such anomaly")
	// ErrNothingToDo reports a mark that would change nothing, or is not there to be taken back.
	ErrNothingToDo = errors.New("nothing would change")
)

// Detectors are what notices anomalies and goes by what people say of them.
type Detectors interface {
	analyzer.Watcher
	Heed(marks []analyzer.Mark)
}

// An Anomaly is one finding with its number, for people to speak of it.
type Anomaly struct {
	ID int64 `json:"id"`
	analyzer.Finding
}

// Open reports whether the anomaly goes on.
func (a Anomaly) Open() bool { return a.To.IsZero() }

// A Journal is the detectors with a memory in a file: an [analyzer.Watcher] that
// writes down what they notice. It is safe for concurrent use.
type Journal struct {
	db *sql.DB

	mu   sync.Mutex // so that marks reach the detectors in the order in which they were made
	bank Detectors
}

var _ analyzer.Watcher = (*Journal)(nil)

const schema = `
CREATE TABLE anomalies (
	id    INTEGER PRIMARY KEY,
	key   TEXT    NOT NULL,
	began INTEGER NOT NULL,
	ended INTEGER NOT NULL DEFAULT 0,
	body  TEXT    NOT NULL
);
CREATE UNIQUE INDEX anomalies_open ON anomalies (key) WHERE ended = 0;
CREATE INDEX anomalies_by_time ON anomalies (began);
CREATE TABLE marks (
	id        INTEGER PRIMARY KEY,
	key       TEXT    NOT NULL,
	ms        INTEGER NOT NULL,
	withdrawn INTEGER NOT NULL DEFAULT 0,
	body      TEXT    NOT NULL
);
CREATE INDEX marks_standing ON marks (key) WHERE withdrawn = 0;`

// Open opens the journal in dir, creating it if need be, and has bank go by the
// marks in it.
func Open(dir string, bank Detectors) (*Journal, error) {
	db, err := sqlite.Open(filepath.Join(dir, "anomalies.db"), schema)
	if err != nil {
		return nil, err
	}
	j := &Journal{db: db, bank: bank}
	if err := j.heed(context.Background()); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return j, nil
}

// Close closes the file.
func (j *Journal) Close() error { return j.db.Close() }

// Findings implements [analyzer.Watcher]: what the detectors find, written down.
// Where it cannot be, what was found is returned all the same.
func (j *Journal) Findings(ctx context.Context, now time.Time) ([]analyzer.Finding, error) {
	fs, err := j.bank.Findings(ctx, now)
	return fs, errors.Join(err, j.record(ctx, fs, now))
}

// record opens, extends and ends anomalies in the light of what is found now.
func (j *Journal) record(ctx context.Context, fs []analyzer.Finding, now time.Time) error {
	tx, err := j.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("record anomalies: %w", err)
	}
	defer tx.Rollback()
	open, err := read(ctx, tx, `WHERE ended = 0`)
	if err != nil {
		return fmt.Errorf("read open anomalies: %w", err)
	}
	was := map[string]Anomaly{}
	for _, a := range open {
		was[a.Key()] = a
	}
	for _, f := range fs {
		a := was[f.Key()]
		if delete(was, f.Key()); a.ID != 0 && a.From.Before(f.From) {
			f.From = a.From
		}
		if err := put(ctx, tx, Anomaly{a.ID, f}, a); err != nil {
			return fmt.Errorf("record anomaly %s: %w", f.Key(), err)
		}
	}
	for _, a := range was {
		before := a
		if a.To = a.Last; a.To.IsZero() {
			a.To = now.UTC()
		}
		if err := put(ctx, tx, a, before); err != nil {
			return fmt.Errorf("end anomaly %d: %w", a.ID, err)
		}
	}
	return tx.Commit()
}

// put writes a where it is not as it was; an anomaly without a number is new.
func put(ctx context.Context, tx *sql.Tx, a, was Anomaly) error {
	body, err := json.Marshal(a.Finding)
	if err != nil {
		return err
	}
	if a.ID == 0 {
		_, err = tx.ExecContext(ctx, `INSERT INTO anomalies (key, began, ended, body) VALUES (?,?,?,?)`,
			a.Key(), sqlite.Millis(a.From), sqlite.Millis(a.To), body)
		return err
	}
	if old, err := json.Marshal(was.Finding); err != nil || bytes.Equal(old, body) {
		return err
	}
	_, err = tx.ExecContext(ctx, `UPDATE anomalies SET began = ?, ended = ?, body = ? WHERE id = ?`, sqlite.Millis(a.From), sqlite.Millis(a.To), body, a.ID)
	return err
}

// List returns the newest n anomalies: those that go on first, the newest first.
func (j *Journal) List(ctx context.Context, n int) ([]Anomaly, error) {
	as, err := read(ctx, j.db, `ORDER BY ended > 0, began DESC, id DESC LIMIT ?`, n)
	if err != nil {
		return nil, fmt.Errorf("read anomalies: %w", err)
	}
	return as, nil
}

// Prune forgets anomalies that ended before, and marks that nothing goes by any more.
func (j *Journal) Prune(ctx context.Context, before time.Time) error {
	if _, err := j.db.ExecContext(ctx, `DELETE FROM anomalies WHERE ended > 0 AND ended < ?`, before.UnixMilli()); err != nil {
		return fmt.Errorf("prune anomalies: %w", err)
	}
	if _, err := j.db.ExecContext(ctx, `DELETE FROM marks WHERE withdrawn > 0 AND withdrawn < ?`, before.UnixMilli()); err != nil {
		return fmt.Errorf("prune marks: %w", err)
	}
	return nil
}

type conn interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

func read(ctx context.Context, c conn, clause string, args ...any) ([]Anomaly, error) {
	rows, err := c.QueryContext(ctx, `SELECT id, body FROM anomalies `+clause, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var as []Anomaly
	for rows.Next() {
		var a Anomaly
		var body []byte
		if err := rows.Scan(&a.ID, &body); err != nil {
			return nil, err
		}
		if err := json.Unmarshal(body, &a.Finding); err != nil {
			return nil, err
		}
		as = append(as, a)
	}
	return as, rows.Err()
}
