// Package history is what happened: Kubernetes events, kernel lines, log lines
// and the revisions of API objects, by subject and time. It is append-only;
// what is older than the retention is dropped, but the newest revision of an
// object that still exists is kept however old it is.
//
// What a reader would get wrong: an agent sends again what it is not sure has
// arrived. A record that is equal to one already here is the same record.
package history

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"vedette.dev/analyzer"
	"vedette.dev/analyzer/sqlite"
)

// A Kind says what the text of a record is. The values are the event names
// on the wire.
type Kind string

// The kinds of records.
const (
	KernelLine Kind = "kernel"
	KubeEvent  Kind = "k8s.event"
	KubeObject Kind = "k8s.object"
	LogLine    Kind = "log"
)

// Attributes that the history itself reads. Others are kept as they came.
const (
	AttrResource = "k8s.resource.name"
	AttrVerb     = "k8s.watch.type"
)

// A Record is one thing that happened to one subject.
type Record struct {
	ID      int64 // grows with arrival; 0 before it is stored
	Kind    Kind
	At      time.Time
	Subject analyzer.Subject
	Attrs   map[string]string
	Text    string
}

// Source is how a report cites the record.
func (r Record) Source() string { return fmt.Sprintf("history#%d", r.ID) }

// ErrNoSuchRecord reports an ID that the history does not hold, or not any more.
var ErrNoSuchRecord = errors.New("no such record")

// A Log is a history in a file.
type Log struct{ db *sql.DB }

const schema = `
CREATE TABLE records (
	id      INTEGER PRIMARY KEY,
	kind    TEXT    NOT NULL,
	ms      INTEGER NOT NULL,
	subject TEXT    NOT NULL,
	attrs   TEXT    NOT NULL,
	text    TEXT    NOT NULL,
	digest  BLOB    NOT NULL UNIQUE
);
CREATE INDEX records_by_time    ON records (kind, ms);
CREATE INDEX records_by_subject ON records (subject, ms);
-- the newest revision of every object that was seen, deleted or not
CREATE TABLE objects (
	resource TEXT    NOT NULL,
	subject  TEXT    NOT NULL,
	record   INTEGER NOT NULL,
	ms       INTEGER NOT NULL,
	deleted  INTEGER NOT NULL,
	PRIMARY KEY (resource, subject)
);`

// Open opens the history in dir, creating it if need be.
func Open(dir string) (*Log, error) {
	db, err := sqlite.Open(filepath.Join(dir, "history.db"), schema)
	if err != nil {
		return nil, err
	}
	return &Log{db}, nil
}

// Close closes the file.
func (l *Log) Close() error { return l.db.Close() }

// Append stores records, all or none. Those already here are passed over.
func (l *Log) Append(ctx context.Context, rs []Record) error {
	if len(rs) == 0 {
		return nil
	}
	tx, err := l.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("append %d records to history: %w", len(rs), err)
	}
	defer tx.Rollback()
	for _, r := range rs {
		if err := insert(ctx, tx, r); err != nil {
			return fmt.Errorf("append %s of %s to history: %w", r.Kind, r.Subject, err)
		}
	}
	return tx.Commit()
}

func insert(ctx context.Context, tx *sql.Tx, r Record) error {
	attrs, err := json.Marshal(r.Attrs) // map keys come sorted
	if err != nil {
		return err
	}
	digest := sha256.Sum256(fmt.Appendf(nil, "%s\x00%d\x00%s\x00%s\x00%s", r.Kind, r.At.UnixMilli(), r.Subject, attrs, r.Text))
	res, err := tx.ExecContext(ctx,
		`INSERT INTO records (kind, ms, subject, attrs, text, digest) VALUES (?,?,?,?,?,?) ON CONFLICT (digest) DO NOTHING`,
		r.Kind, r.At.UnixMilli(), r.Subject.String(), attrs, r.Text, digest[:16])
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 || r.Kind != KubeObject {
		return err
	}
	id, err := res.LastInsertId()
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx,
		`INSERT INTO objects (resource, subject, record, ms, deleted) VALUES (?,?,?,?,?)
		 ON CONFLICT (resource, subject) DO UPDATE SET record = excluded.record, ms = excluded.ms, deleted = excluded.deleted
		 WHERE excluded.ms >= ms`,
		r.Attrs[AttrResource], r.Subject.String(), id, r.At.UnixMilli(), r.Attrs[AttrVerb] == "DELETED")
	return err
}

// A Want selects records. Zero fields select everything.
type Want struct {
	Kind     Kind
	Subject  analyzer.Subject
	From, To time.Time // both included
	AfterID  int64     // only records that arrived after this one
	Limit    int       // the newest Limit records; 0 is [Most]
}

// Most is how many records Select returns where nobody says how many: what a
// cluster of some hundred nodes tells in half an hour, in some 50 MB.
const Most = 10_000

// Select returns the wanted records in the order of their times.
func (l *Log) Select(ctx context.Context, w Want) ([]Record, error) {
	var where []string
	var args []any
	add := func(cond string, arg any) { where, args = append(where, cond), append(args, arg) }
	if w.Kind != "" {
		add("kind = ?", w.Kind)
	}
	if !w.Subject.IsZero() {
		add("subject = ?", w.Subject.String())
	}
	if !w.From.IsZero() {
		add("ms >= ?", w.From.UnixMilli())
	}
	if !w.To.IsZero() {
		add("ms <= ?", w.To.UnixMilli())
	}
	if w.AfterID > 0 {
		add("id > ?", w.AfterID)
	}
	if w.Limit == 0 {
		w.Limit = Most
	}
	cond := ""
	if len(where) > 0 {
		cond = "WHERE " + strings.Join(where, " AND ")
	}
	q := fmt.Sprintf(`SELECT id, kind, ms, subject, attrs, text FROM
		(SELECT * FROM records %s ORDER BY ms DESC, id DESC LIMIT %d) ORDER BY ms, id`, cond, w.Limit)
	rs, err := l.read(ctx, q, args...)
	if err != nil {
		return nil, fmt.Errorf("read history: %w", err)
	}
	return rs, nil
}

// Objects returns the newest revision of every object that exists, or was
// deleted after since (its AttrVerb says so), by resource and subject.
func (l *Log) Objects(ctx context.Context, since time.Time) ([]Record, error) {
	rs, err := l.read(ctx, `SELECT r.id, r.kind, r.ms, r.subject, r.attrs, r.text
		FROM objects o JOIN records r ON r.id = o.record
		WHERE o.deleted = 0 OR o.ms >= ? ORDER BY o.resource, o.subject`, sqlite.Millis(since))
	if err != nil {
		return nil, fmt.Errorf("read objects of history: %w", err)
	}
	return rs, nil
}

// ObjectsOf returns the newest revision of every object of a resource that
// exists, by subject.
func (l *Log) ObjectsOf(ctx context.Context, resource string) ([]Record, error) {
	rs, err := l.read(ctx, `SELECT r.id, r.kind, r.ms, r.subject, r.attrs, r.text
		FROM objects o JOIN records r ON r.id = o.record
		WHERE o.deleted = 0 AND o.resource = ? ORDER BY o.subject`, resource)
	if err != nil {
		return nil, fmt.Errorf("read %s of history: %w", resource, err)
	}
	return rs, nil
}

// Record returns the record that history#id cites, or an error that wraps
// [ErrNoSuchRecord].
func (l *Log) Record(ctx context.Context, id int64) (Record, error) {
	rs, err := l.read(ctx, `SELECT id, kind, ms, subject, attrs, text FROM records WHERE id = ?`, id)
	if err != nil {
		return Record{}, fmt.Errorf("read history#%d: %w", id, err)
	}
	if len(rs) == 0 {
		return Record{}, fmt.Errorf("history#%d: %w", id, ErrNoSuchRecord)
	}
	return rs[0], nil
}

func (l *Log) read(ctx context.Context, query string, args ...any) ([]Record, error) {
	rows, err := l.db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var rs []Record
	for rows.Next() {
		var r Record
		var ms int64
		var subject, attrs string
		if err := rows.Scan(&r.ID, &r.Kind, &ms, &subject, &attrs, &r.Text); err != nil {
			return nil, err
		}
		r.At = sqlite.Time(ms)
		if err := r.Subject.UnmarshalText([]byte(subject)); err != nil {
			return nil, err
		}
		if err := json.Unmarshal([]byte(attrs), &r.Attrs); err != nil {
			return nil, err
		}
		rs = append(rs, r)
	}
	return rs, rows.Err()
}

// Prune drops records from before. The newest revision of an object that still
// exists stays.
func (l *Log) Prune(ctx context.Context, before time.Time) error {
	tx, err := l.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("prune history: %w", err)
	}
	defer tx.Rollback()
	for _, q := range []string{
		`DELETE FROM objects WHERE deleted = 1 AND ms < ?`,
		`DELETE FROM records WHERE ms < ? AND id NOT IN (SELECT record FROM objects)`,
	} {
		if _, err := tx.ExecContext(ctx, q, before.UnixMilli()); err != nil {
			return fmt.Errorf("prune history: %w", err)
		}
	}
	return tx.Commit()
}
