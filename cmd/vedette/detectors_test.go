package main

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// opened is a service whose data are in dir.
func opened(t *testing.T, dir string) *service {
	t.Helper()
	path := filepath.Join(t.TempDir(), "server.yaml")
	if err := os.WriteFile(path, fmt.Appendf(nil, `apiVersion: vedette.dev/v1
kind: ServerConfig
data: %s
listen: {http: "127.0.0.1:0", otlp: "127.0.0.1:0"}
kubernetes: {disabled: true}
`, dir), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := readConfig(path)
	if err != nil {
		t.Fatal(err)
	}
	s, err := open(cfg, slog.New(slog.DiscardHandler), extras{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// nodes shows the detectors the load of three nodes for as long; load is that of
// the first, and none is nothing.
func nodes(s *service, from time.Time, long time.Duration, load float64, none bool) (to time.Time) {
	for at := from; at.Before(from.Add(long)); at = at.Add(15 * time.Second) {
		for n := range 3 {
			v := 8 + float64(at.Unix()/15%7)
			if n == 0 {
				v += load
				if none {
					continue
				}
			}
			s.bank.Observe(uint64(n+1), func() map[string]string {
				return map[string]string{"__name__": "node_load1", "instance": fmt.Sprint("n", n)}
			}, at.UnixMilli(), v)
		}
	}
	return from.Add(long)
}

// says runs a command against the service and returns what it writes.
func says(t *testing.T, s *service, want int, args ...string) string {
	t.Helper()
	srv := httptest.NewServer(s.http.Handler)
	defer srv.Close()
	var out, wrong bytes.Buffer
	if got := run(t.Context(), append([]string{"--server", srv.URL}, args...), strings.NewReader(""), &out, &wrong); got != want {
		t.Fatalf("vedette %s ends with %d, want %d: %s%s", strings.Join(args, " "), got, want, &out, &wrong)
	}
	return out.String() + wrong.String()
}

func contains(t *testing.T, text string, all ...string) {
	t.Helper()
	for _, want := range all {
		if !strings.Contains(text, want) {
			t.Errorf("there is no %q in\n%s", want, text)
		}
	}
}

// A person finds an anomaly that nothing explains, says that it is none, and
// takes that back.
func TestAnomaliesFromEndToEnd(t *testing.T) {
	s := opened(t, t.TempDir())
	now := nodes(s, time.Now().Add(-9*time.Hour), 8*time.Hour, 0, false)
	s.tick(t.Context(), now)
	contains(t, says(t, s, 0, "anomalies", "list"), "No anomalies.")

	now = nodes(s, now, 5*time.Minute, 60, false)
	s.tick(t.Context(), now)
	contains(t, says(t, s, 0, "anomalies", "list"), "1   open", "node/n0", "node_load1 rose to", "only 8h", `node_load1{instance="n0"}`)
	for _, name := range []string{"vedette_anomaly_expected_low", "vedette_anomaly_expected_high"} {
		if got, err := s.db.Query(t.Context(), name+`{metric="node_load1"}`, instant(now)); err != nil || len(got) != 1 || got[0].Labels["instance"] != "n0" || got[0].Values[0] > 30 {
			t.Errorf("%s is %v (%v), want that of n0, far below its load now", name, got, err)
		}
	}
	contains(t, says(t, s, 0, "anomalies", "list", "-o", "json"), `"channel": "past"`, `"least": 16`)
	contains(t, says(t, s, 0, "anomalies", "list", "-o", "yaml"), "channel: past")
	contains(t, says(t, s, 0, "incidents", "list"), "No incidents.") // one series by itself wakes nobody
	contains(t, says(t, s, 0, "ask", "which series are anomalous"), "node/n0", "vedette anomalies dismiss 1")
	contains(t, says(t, s, 0, "ask", "this is not an anomaly"), "Nothing is decided by words", "vedette anomalies dismiss 1")

	contains(t, says(t, s, 2, "anomalies", "dismiss", "1", "--by", "ada"), "--reason")
	contains(t, says(t, s, 2, "anomalies", "dismiss", "1", "--by", "ada", "--reason", "x", "--for", "soon"), "--for")
	contains(t, says(t, s, 1, "anomalies", "dismiss", "7", "--by", "ada", "--reason", "x"), "no such anomaly")
	contains(t, says(t, s, 0, "anomalies", "dismiss", "1", "--by", "ada", "--reason", "a burn-in"), "marked as no anomaly by ada", "(a burn-in)", "raised from 16")
	s.tick(t.Context(), now)
	contains(t, says(t, s, 0, "anomalies", "list"), "dismissed", "marked as no anomaly by ada")
	metrics, err := s.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	standing := 0.0
	for _, m := range metrics {
		if m.GetName() == "vedette_anomaly_marks" {
			standing = m.GetMetric()[0].GetGauge().GetValue()
		}
	}
	if standing != 1 {
		t.Errorf("vedette_anomaly_marks is %g, want 1", standing)
	}
	contains(t, says(t, s, 0, "anomalies", "restore", "1", "--by", "bob"), "told as before")
	s.tick(t.Context(), now)
	contains(t, says(t, s, 0, "anomalies", "list"), "1   open")
}

// A node that is gone is an incident although nothing says why.
func TestADisappearanceIsAnIncident(t *testing.T) {
	s := opened(t, t.TempDir())
	now := nodes(s, time.Now().Add(-2*time.Hour), time.Hour, 0, false)
	now = nodes(s, now, 10*time.Minute, 0, true)
	s.tick(t.Context(), now)
	ins, err := s.book.List(t.Context(), 10)
	if err != nil || len(ins) != 1 {
		t.Fatal(ins, err)
	}
	if in := ins[0]; in.Cause != "" || in.Severity != "warning" || !strings.Contains(in.Title, "node_load1 is no longer reported while others are, cause not known") {
		t.Errorf("the incident is %+v", in)
	}
	contains(t, says(t, s, 0, "incidents", "show", ins[0].ID), "node/n0", "not known")
}

// A process that is killed has what its detectors knew some minutes before.
func TestAKilledServiceKnowsWhatItLearned(t *testing.T) {
	dir := t.TempDir()
	s := opened(t, dir)
	s.remembers = 10 * time.Millisecond
	now := nodes(s, time.Now().Add(-9*time.Hour), 8*time.Hour, 0, false)
	want := s.bank.Scores(now)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.run(ctx) }()
	kept := filepath.Join(dir, "detect.state")
	eventually(t, "saved state", func() bool { _, err := os.Stat(kept); return err == nil })
	data, err := os.ReadFile(kept) // as it is while the process goes on
	if err != nil {
		t.Fatal(err)
	}
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}

	elsewhere := t.TempDir()
	if err := os.WriteFile(filepath.Join(elsewhere, "detect.state"), data, 0o600); err != nil {
		t.Fatal(err)
	}
	again := opened(t, elsewhere)
	if diff := cmp.Diff(want, again.bank.Scores(now)); diff != "" || len(want) == 0 {
		t.Errorf("%d scores; before the kill and after (-want +got):\n%s", len(want), diff)
	}
}
