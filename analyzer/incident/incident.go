// Package incident keeps the book of incidents: it groups what is found by
// what explains it, follows each group until it is over, and remembers it. It
// decides what is one incident and when it is over; why it happened is the
// diagnosis' word.
//
// What a reader would get wrong: what one series does by itself opens nothing. An
// alert is somebody's word that they want to be woken, an anomaly is not; it joins
// the incident of its subject where there is one, and is listed by its journal.
// Only what is a warning by itself, such as a GPU that is gone or one that stays
// behind its peers, is an incident of its own, once nothing has explained it for a
// while.
package incident

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"vedette.dev/analyzer"
	"vedette.dev/analyzer/sqlite"
)

const (
	// quiet is how long nothing of an incident must be seen before it is over:
	// longer than an alert that flaps at the usual intervals of 15 s to 1 min.
	quiet = 3 * time.Minute
	// memory is how long after its end an incident that comes back is the same one.
	memory = time.Hour
	// patience is how long an anomaly must last unexplained before it is an incident by
	// itself: a cause, or the alert that somebody wrote, mostly follows within that, and
	// one trouble is not to be told as two.
	patience = 2 * time.Minute
)

// ErrNoSuchIncident reports an ID that the book does not hold.
var ErrNoSuchIncident = errors.New("no such incident")

// A Book is an [analyzer.Book] in a file.
type Book struct{ db *sql.DB }

var _ analyzer.Book = (*Book)(nil)

const schema = `
CREATE TABLE incidents (
	id      TEXT    PRIMARY KEY,
	key     TEXT    NOT NULL,
	opened  INTEGER NOT NULL,
	updated INTEGER NOT NULL,
	closed  INTEGER NOT NULL DEFAULT 0,
	body    TEXT    NOT NULL
);
CREATE UNIQUE INDEX incidents_open ON incidents (key) WHERE closed = 0;
CREATE INDEX incidents_by_time ON incidents (opened);`

// Open opens the book in dir, creating it if need be.
func Open(dir string) (*Book, error) {
	db, err := sqlite.Open(filepath.Join(dir, "incidents.db"), schema)
	if err != nil {
		return nil, err
	}
	return &Book{db}, nil
}

// Close closes the file.
func (b *Book) Close() error { return b.db.Close() }

// Record implements [analyzer.Book]. It returns the incidents that it opened,
// reopened or closed, those whose cause became known or changed, and those of
// which somebody said that they are no anomaly.
func (b *Book) Record(ctx context.Context, fs []analyzer.Finding, r analyzer.Report, now time.Time) ([]analyzer.Incident, error) {
	tx, err := b.db.BeginTx(ctx, nil)
	if err != nil {
		return nil, fmt.Errorf("record incidents: %w", err)
	}
	defer tx.Rollback()
	open, err := read(ctx, tx, `WHERE closed = 0 ORDER BY opened, id`)
	if err != nil {
		return nil, fmt.Errorf("read open incidents: %w", err)
	}

	var changed []analyzer.Incident
	seen := map[string]bool{}
	fs, marked := apart(fs)
	dismissed := map[string]bool{}
	for i := range open {
		dismissed[open[i].ID] = dismiss(&open[i], marked, now)
	}
	for _, g := range group(fs, r, open, now) {
		in, news, err := b.entry(ctx, tx, g, open, now)
		if err != nil {
			return nil, err
		}
		seen[in.ID] = true
		news = extend(&in, g, r, now) || news
		in.Touched = touched(in)
		if i := slices.IndexFunc(open, func(o analyzer.Incident) bool { return o.ID == in.ID }); i >= 0 {
			open[i] = in // a later claim may join it too
		}
		if err := put(ctx, tx, in); err != nil {
			return nil, fmt.Errorf("record incident %s: %w", in.ID, err)
		}
		if news {
			changed = append(changed, in)
		}
		for i := range open { // what was noticed before its cause was known
			if o := &open[i]; o.ID != in.ID && g.holds(*o, r) && o.Open() {
				end(o, now, "it is part of incident "+in.ID)
			}
		}
	}
	for _, in := range open {
		if in.Open() {
			over := !seen[in.ID] && now.Sub(in.Updated) >= quiet
			if !over && (seen[in.ID] || !dismissed[in.ID]) {
				continue
			}
			if over {
				end(&in, now, fmt.Sprintf("nothing of it seen for %s", quiet))
			}
		}
		if err := put(ctx, tx, in); err != nil {
			return nil, fmt.Errorf("close incident %s: %w", in.ID, err)
		}
		changed = append(changed, in)
	}
	return changed, tx.Commit()
}

// entry finds the incident that g belongs to: the open one with its key; one
// that has a finding in common, where either of the two is not explained; one
// that ended lately and comes back; or a new one. It reports whether it was
// opened, reopened or explained.
func (b *Book) entry(ctx context.Context, tx *sql.Tx, g claim, open []analyzer.Incident, now time.Time) (analyzer.Incident, bool, error) {
	open = slices.DeleteFunc(slices.Clone(open), func(in analyzer.Incident) bool { return !in.Open() }) // closed a moment ago
	for _, in := range open {
		if in.Key == g.key {
			return in, false, nil
		}
	}
	if in, ok := g.recaused(open, now); ok {
		return in, true, nil
	}
	for _, in := range open {
		if !g.shares(in.Findings) {
			continue
		}
		if g.diagnosis == nil {
			return in, false, nil
		}
		if in.Cause == "" {
			in.Key = g.key
			return in, true, nil
		}
	}
	back, err := read(ctx, tx, `WHERE key = ? AND closed >= ? ORDER BY closed DESC LIMIT 1`, g.key, now.Add(-memory).UnixMilli())
	if err != nil {
		return analyzer.Incident{}, false, fmt.Errorf("read closed incidents: %w", err)
	}
	if len(back) > 0 {
		in := back[0]
		in.Closed = time.Time{}
		in.Reopened++
		note(&in, analyzer.Moment{At: now, Subject: g.subject, Kind: "reopened", Text: "seen again"})
		return in, true, nil
	}
	id, err := nextID(ctx, tx, now)
	if err != nil {
		return analyzer.Incident{}, false, err
	}
	in := analyzer.Incident{ID: id, Key: g.key, Opened: now.UTC()}
	note(&in, analyzer.Moment{At: now, Subject: g.subject, Kind: "opened", Text: "incident opened"})
	return in, true, nil
}

// nextID is the day and a number within it.
func nextID(ctx context.Context, tx *sql.Tx, now time.Time) (string, error) {
	day := now.UTC().Format(time.DateOnly)
	var n int
	if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM incidents WHERE id LIKE ? || '-%'`, day).Scan(&n); err != nil {
		return "", fmt.Errorf("number the incident: %w", err)
	}
	return fmt.Sprintf("%s-%d", day, n+1), nil
}

// List returns the newest n incidents: the open ones first, then by opening,
// the newest first.
func (b *Book) List(ctx context.Context, n int) ([]analyzer.Incident, error) {
	ins, err := read(ctx, b.db, `ORDER BY closed > 0, opened DESC, id DESC LIMIT ?`, n)
	if err != nil {
		return nil, fmt.Errorf("read incidents: %w", err)
	}
	return ins, nil
}

// Ongoing returns the open incidents, the oldest first.
func (b *Book) Ongoing(ctx context.Context) ([]analyzer.Incident, error) {
	ins, err := read(ctx, b.db, `WHERE closed = 0 ORDER BY opened, id`)
	if err != nil {
		return nil, fmt.Errorf("read open incidents: %w", err)
	}
	return ins, nil
}

// Incident returns one incident with those before that are like it, or an error that wraps [ErrNoSuchIncident].
func (b *Book) Incident(ctx context.Context, id string) (analyzer.Incident, error) {
	ins, err := read(ctx, b.db, `WHERE id = ?`, id)
	if err != nil {
		return analyzer.Incident{}, fmt.Errorf("read incident %s: %w", id, err)
	}
	if len(ins) == 0 {
		return analyzer.Incident{}, fmt.Errorf("incident %q: %w", id, ErrNoSuchIncident)
	}
	in := ins[0]
	in.Earlier, err = b.earlier(ctx, in)
	return in, err
}

type conn interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

func read(ctx context.Context, c conn, clause string, args ...any) ([]analyzer.Incident, error) {
	rows, err := c.QueryContext(ctx, `SELECT body FROM incidents `+clause, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var ins []analyzer.Incident
	for rows.Next() {
		var body []byte
		if err := rows.Scan(&body); err != nil {
			return nil, err
		}
		var in analyzer.Incident
		if err := json.Unmarshal(body, &in); err != nil {
			return nil, err
		}
		ins = append(ins, in)
	}
	return ins, rows.Err()
}

func put(ctx context.Context, tx *sql.Tx, in analyzer.Incident) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO incidents (id, key, opened, updated, closed, body) VALUES (?,?,?,?,?,?)
		ON CONFLICT (id) DO UPDATE SET key = excluded.key, updated = excluded.updated, closed = excluded.closed, body = excluded.body`,
		in.ID, in.Key, sqlite.Millis(in.Opened), sqlite.Millis(in.Updated), sqlite.Millis(in.Closed), body)
	return err
}
