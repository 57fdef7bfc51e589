package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
)

func openDB(t *testing.T) *tsdb.DB {
	t.Helper()
	db, err := tsdb.Open(t.TempDir(), slog.New(slog.DiscardHandler), nil, tsdb.DefaultOptions(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// query returns the values of every series at at, a line each.
func query(t *testing.T, db *tsdb.DB, at time.Time) string {
	t.Helper()
	engine := promql.NewEngine(promql.EngineOpts{MaxSamples: 1000, Timeout: time.Minute, Parser: parser.NewParser(parser.Options{})})
	q, err := engine.NewInstantQuery(t.Context(), db, nil, `{__name__=~".+"}`, at)
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	v, err := q.Exec(t.Context()).Vector()
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, s := range v {
		lines = append(lines, fmt.Sprintf("%s=%v", s.Metric.Get("pod"), s.F))
	}
	slices.Sort(lines)
	return strings.Join(lines, " ")
}

func of(pod string, v float64) sample {
	return sample{lset: labels.FromStrings(labels.MetricName, "up_to_now", "pod", pod), v: v}
}

// A series is there from the write after it is set until the write after it is
// taken away, not five minutes longer.
func TestSeriesEnd(t *testing.T) {
	db := openDB(t)
	p := &page{store: db}
	write := func(at time.Duration, want string) {
		t.Helper()
		if err := p.write(t.Context(), noon.Add(at)); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, query(t, db, noon.Add(at))); diff != "" {
			t.Errorf("after %s (-want +got):\n%s", at, diff)
		}
	}
	p.set("a", []sample{of("a", 1)})
	p.set("b", []sample{of("b", 1), of("c", 2)})
	write(0, "a=1 b=1 c=2")
	write(30*time.Second, "a=1 b=1 c=2")
	p.set("b", []sample{of("b", 5)})
	write(60*time.Second, "a=1 b=5")
	p.set("a", nil)
	write(90*time.Second, "b=5")
	p.set("a", []sample{of("a", 3)})
	write(120*time.Second, "a=3 b=5")
}

// refusing is a storage that cannot commit until it is told that it can.
type refusing struct {
	storage.Appendable
	broken bool
}

type refusingAppender struct {
	storage.Appender
}

func (r *refusing) Appender(ctx context.Context) storage.Appender {
	if r.broken {
		return refusingAppender{r.Appendable.Appender(ctx)}
	}
	return r.Appendable.Appender(ctx)
}

func (r refusingAppender) Commit() error {
	return errors.Join(errors.New("no space left on device"), r.Rollback())
}

// What could not be written is said, and what has ended meanwhile ends at the
// next write that works.
func TestAFullDisk(t *testing.T) {
	db := openDB(t)
	disk := &refusing{Appendable: db}
	p := &page{store: disk}
	p.set("a", []sample{of("a", 1)})
	if err := p.write(t.Context(), noon); err != nil {
		t.Fatal(err)
	}
	p.set("a", nil)
	p.set("b", []sample{of("b", 1)})
	disk.broken = true
	if err := p.write(t.Context(), noon.Add(30*time.Second)); err == nil || !strings.Contains(err.Error(), "no space left") {
		t.Errorf("error %v, want that there is no space", err)
	}
	disk.broken = false
	if err := p.write(t.Context(), noon.Add(60*time.Second)); err != nil {
		t.Fatal(err)
	}
	if got := query(t, db, noon.Add(60*time.Second)); got != "b=1" {
		t.Errorf("there is %q, want b alone", got)
	}
}

// A clock that is set back costs the samples until it has caught up, and is said.
func TestAClockSetBack(t *testing.T) {
	db := openDB(t)
	p := &page{store: db}
	p.set("1", []sample{of("a", 1)})
	if err := p.write(t.Context(), noon); err != nil {
		t.Fatal(err)
	}
	p.set("2", []sample{of("b", 1)})
	if err := p.write(t.Context(), noon.Add(-time.Minute)); err == nil || !strings.Contains(err.Error(), "1 of 2 series were not taken") {
		t.Errorf("error %v, want that one series was not taken", err)
	}
	if got := query(t, db, noon.Add(-time.Minute)); got != "b=1" {
		t.Errorf("there is %q, want b alone", got)
	}
}
