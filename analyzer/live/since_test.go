package live_test

import (
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"vedette.dev/analyzer"
	"vedette.dev/analyzer/history"
	"vedette.dev/analyzer/live"
)

// A longer look sees what the usual one has forgotten, and metrics that it does not take.
func TestSince(t *testing.T) {
	db, past := open(t)
	long := noon.Add(-2 * time.Hour)
	if err := past.Append(t.Context(), []history.Record{{Kind: history.KernelLine, At: long, Subject: analyzer.Node("gpu-01"), Text: "EXT4-fs error"}}); err != nil {
		t.Fatal(err)
	}
	app := db.DB().Appender(t.Context())
	for at := long; !at.After(noon); at = at.Add(30 * time.Second) {
		if _, err := app.Append(0, labels.FromStrings("__name__", "queue_length", "queue", "q"), at.UnixMilli(), 3); err != nil {
			t.Fatal(err)
		}
	}
	if err := app.Commit(); err != nil {
		t.Fatal(err)
	}
	c := &live.Camera{Querier: db, History: past, Metrics: []string{"up"}}
	short, err := c.Take(t.Context(), noon)
	if err != nil {
		t.Fatal(err)
	}
	wide, err := c.Since(t.Context(), noon, 3*time.Hour, "queue_length")
	if err != nil {
		t.Fatal(err)
	}
	if len(short.Kernel["gpu-01"])+len(short.Series("queue_length")) != 0 {
		t.Errorf("the usual look has %+v, %+v", short.Kernel, short.Metrics)
	}
	if len(wide.Kernel["gpu-01"]) != 1 || len(wide.Series("queue_length")) != 1 {
		t.Errorf("the longer look has %+v, %+v", wide.Kernel, wide.Metrics)
	}
	if ages, err := c.Since(t.Context(), noon, 1000*time.Hour); err != nil || ages.Window.To.Sub(ages.Window.From) != live.Longest {
		t.Errorf("it looks back to %s, %v", ages.Window.From, err)
	}
	if len(c.Metrics) != 1 {
		t.Errorf("the camera takes %q from now on", c.Metrics)
	}
}
