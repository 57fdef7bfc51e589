package simulate_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"vedette.dev/collector"
	"vedette.dev/collector/simulate"
	"vedette.dev/fixtures"
)

var update = flag.Bool("update", false, "write the footprints in testdata")

var start = time.Date(2026, 11, 17, 9, 0, 0, 0, time.UTC) // a Tuesday

func world(t testing.TB, name string) *simulate.World {
	t.Helper()
	data, err := fixtures.Scenario(name)
	if err != nil {
		t.Fatal(err)
	}
	sc, err := simulate.Parse(name+".yaml", data)
	if err != nil {
		t.Fatal(err)
	}
	w, err := simulate.New(sc, start)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// look collects from every source of w. Errors are part of what is seen.
func look(t *testing.T, w *simulate.World) (points []collector.Point, events []collector.Event, errs []error) {
	t.Helper()
	sources := []collector.Source{w.Cluster()}
	for _, n := range w.Nodes() {
		sources = append(sources, w.GPUs(n), w.Host(n))
	}
	for _, s := range sources {
		b, err := s.Collect(t.Context())
		if err != nil {
			errs = append(errs, err)
		}
		points = append(points, b.Points...)
		events = append(events, b.Events...)
	}
	return points, events, errs
}

// TestFootprints plays each small scenario for twelve minutes and compares
// all that shows of it, apart from noise, with testdata.
func TestFootprints(t *testing.T) {
	for _, name := range fixtures.Scenarios() {
		if name == "demo" {
			continue // TestDemo
		}
		t.Run(name, func(t *testing.T) {
			got := footprint(t, world(t, name))
			file := filepath.Join("testdata", name+".txt")
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o666); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("footprint (-want +got):\n%s", diff)
			}
		})
	}
}

func footprint(t *testing.T, w *simulate.World) string {
	var b strings.Builder
	look(t, w)
	readKernel(t, w)
	w.StartScript(start, 1)
	for now := start; now.Before(start.Add(12 * time.Minute)); {
		now = now.Add(15 * time.Second)
		w.Advance(now)
		for _, line := range readKernel(t, w) {
			fmt.Fprintln(&b, line)
		}
		points, events, errs := look(t, w)
		for _, e := range events {
			fmt.Fprintf(&b, "%6s %s\n", e.At.Sub(start).Round(time.Second), told(t, e))
		}
		if now.Sub(start)%(3*time.Minute) == 0 {
			fmt.Fprintf(&b, "%6s %s", now.Sub(start), state(points, errs))
		}
	}
	return b.String()
}

// TestSymptoms says which small scenario shows what, and which nearly does.
func TestSymptoms(t *testing.T) {
	for name, want := range map[string][]string{
		"quiet": nil, "hot": nil, "wear": nil,
		"thermal":       {"throttling"},
		"xid79":         {"gpu lost", "ranks ended"},
		"xid79-serving": {"gpu lost"},
		"xid31":         {"ranks ended"},
		"demand":        {"no room for a replica", "queueing"},
	} {
		t.Run(name, func(t *testing.T) {
			w := world(t, name)
			w.StartScript(start, 1)
			seen := map[string]bool{}
			for now := start; now.Before(start.Add(12 * time.Minute)); {
				now = now.Add(15 * time.Second)
				w.Advance(now)
				points, events, _ := look(t, w)
				maps.Copy(seen, symptoms(points, events))
			}
			if diff := cmp.Diff(want, slices.Sorted(maps.Keys(seen))); diff != "" {
				t.Errorf("symptoms (-want +got):\n%s", diff)
			}
		})
	}
}

func readKernel(t *testing.T, w *simulate.World) []string {
	t.Helper()
	var lines []string
	for _, n := range w.Nodes() {
		records, err := w.Kernel(n)(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range records {
			var prio, seq, usec int64
			if _, err := fmt.Sscanf(r, "%d,%d,%d,-;", &prio, &seq, &usec); err != nil {
				t.Fatalf("record %q: %v", r, err)
			}
			_, text, _ := strings.Cut(r, ";")
			at := w.Boot(n).Add(time.Duration(usec) * time.Microsecond).Sub(start).Round(time.Second)
			lines = append(lines, fmt.Sprintf("%6s kernel %s <%d> %s", at, n, prio, text))
		}
	}
	return lines
}

// told puts an event into one line.
func told(t *testing.T, e collector.Event) string {
	t.Helper()
	switch e.Kind {
	case collector.KubeEvent:
		var ev corev1.Event
		if err := json.Unmarshal([]byte(e.Text), &ev); err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("event %s %s/%s x%d %s: %s", ev.Type, ev.InvolvedObject.Kind, ev.InvolvedObject.Name, ev.Count, ev.Reason, ev.Message)
	case collector.LogLine:
		return fmt.Sprintf("log %s %s", e.Attr(collector.AttrPod), e.Text)
	case collector.KubeObject:
		status := ""
		if e.Attr(collector.AttrResource) == "pods" {
			var p corev1.Pod
			if err := json.Unmarshal([]byte(e.Text), &p); err != nil {
				t.Fatal(err)
			}
			status = " " + string(p.Status.Phase)
			for _, c := range p.Status.ContainerStatuses {
				if s := c.State.Terminated; s != nil {
					status += fmt.Sprintf(" exit %d %s", s.ExitCode, s.Reason)
				}
				if s := c.State.Waiting; s != nil {
					status += " " + s.Reason
				}
			}
		}
		return fmt.Sprintf("%s %s/%s%s", e.Attr(collector.AttrVerb), e.Attr(collector.AttrResource), e.Attr(collector.AttrObject), status)
	}
	t.Fatalf("event of kind %q", e.Kind)
	return ""
}

// state shows what matters of the points, rounded so that noise does not show.
func state(points []collector.Point, errs []error) string {
	round := map[string]float64{
		"DCGM_FI_DEV_GPU_UTIL": 5, "DCGM_FI_DEV_GPU_TEMP": 4, "DCGM_FI_DEV_POWER_USAGE": 50, "DCGM_FI_DEV_SM_CLOCK": 150, "DCGM_FI_PROF_PIPE_TENSOR_ACTIVE": 0.05,
		"DCGM_FI_DEV_CLOCKS_EVENT_REASONS": 1, "DCGM_FI_DEV_XID_ERRORS": 1, "DCGM_FI_DEV_ECC_SBE_VOL_TOTAL": 50, "DCGM_FI_DEV_UNCORRECTABLE_REMAPPED_ROWS": 1,
		"DCGM_FI_DEV_THERMAL_VIOLATION": 60e9, "kube_job_status_failed": 1, "kube_deployment_spec_replicas": 1,
		"kube_deployment_status_replicas_available": 1, "vllm:num_requests_waiting": 25, "kube_pod_status_unschedulable": 1,
	}
	rows := map[string][]string{}
	for _, p := range points {
		name := string(p.Metric)
		r, ok := round[name]
		if name == "kube_node_status_allocatable" {
			r, ok = 1, attr(p, "resource") == "nvidia_com_gpu"
		}
		if name == "node_filesystem_avail_bytes" {
			r, ok = 50<<30, true
		}
		if ok {
			rows[name] = append(rows[name], fmt.Sprintf("%.4g", float64(int(p.Value/r+0.5))*r))
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "state\n")
	for _, e := range errs {
		fmt.Fprintf(&b, "       %v\n", e)
	}
	for _, n := range slices.Sorted(maps.Keys(rows)) {
		fmt.Fprintf(&b, "       %-44s %s\n", n, strings.Join(rows[n], " "))
	}
	return b.String()
}

func attr(p collector.Point, key string) string {
	for _, a := range p.Attrs {
		if a.Key == key {
			return a.Value
		}
	}
	return ""
}

// TestDeterminism holds two worlds of one scenario to each other, byte for byte.
func TestDeterminism(t *testing.T) {
	var runs [2]string
	for i := range runs {
		w := world(t, "demo")
		for h := range 60 {
			w.Advance(start.Add(time.Duration(h) * time.Hour))
		}
		now := start.Add(60 * time.Hour)
		w.StartScript(now, 4)
		for range 8 {
			now = now.Add(30 * time.Second)
			w.Advance(now)
			points, events, errs := look(t, w)
			runs[i] += fmt.Sprint(points, events, errs, readKernel(t, w))
		}
	}
	if runs[0] != runs[1] {
		t.Error("the same scenario, start and steps gave different readings")
	}
}

// TestReadings holds every reading of a day of the demo, and of its script, to what any reading is.
func TestReadings(t *testing.T) {
	w := world(t, "demo")
	last := map[string]collector.Point{}
	resource := map[string]string{}
	check := func(now time.Time) {
		points, events, _ := look(t, w)
		seen := map[string]bool{}
		for _, p := range points {
			key := string(p.Metric) + fmt.Sprint(p.Attrs)
			if seen[key] {
				t.Fatalf("%s: %s comes twice", now, key)
			}
			seen[key] = true
			if !p.At.Equal(now) {
				t.Fatalf("%s is of %s, want %s", key, p.At, now)
			}
			if p.Value < 0 || p.Value != p.Value {
				t.Fatalf("%s is %v", key, p.Value)
			}
			if old, ok := last[key]; ok && p.Counter && p.Value < old.Value {
				t.Fatalf("counter %s fell from %v to %v", key, old.Value, p.Value)
			}
			last[key] = p
		}
		for _, e := range events {
			if e.Kind != collector.LogLine && !json.Valid([]byte(e.Text)) {
				t.Fatalf("not JSON: %s", e.Text)
			}
			if e.Kind == collector.KubeObject {
				follow(t, resource, e)
			}
		}
	}
	now := start
	for range 24 {
		now = now.Add(time.Hour)
		w.Advance(now)
		check(now)
	}
	w.StartScript(now, 4)
	for range 24 {
		now = now.Add(15 * time.Second)
		w.Advance(now)
		check(now)
	}
}

// follow holds a change of an object to those before it: first ADDED, then MODIFIED, nothing after DELETED.
func follow(t *testing.T, verbs map[string]string, e collector.Event) {
	t.Helper()
	var o struct {
		APIVersion, Kind string
		Metadata         struct{ Name, UID, ResourceVersion string }
	}
	if err := json.Unmarshal([]byte(e.Text), &o); err != nil {
		t.Fatal(err)
	}
	if o.APIVersion == "" || o.Kind == "" || o.Metadata.Name == "" || o.Metadata.ResourceVersion == "" {
		t.Fatalf("incomplete object: %s", e.Text)
	}
	verb, before := e.Attr(collector.AttrVerb), verbs[o.Metadata.UID]
	if (verb == "ADDED") != (before == "") || before == "DELETED" {
		t.Fatalf("%s of %s %s after %q", verb, o.Kind, o.Metadata.Name, before)
	}
	verbs[o.Metadata.UID] = verb
}

// TestDemo plays the demo at speed 4 after a week, as the demo command does,
// at several hours of the week: each fault shows in time.
func TestDemo(t *testing.T) {
	for _, into := range []time.Duration{7 * 24 * time.Hour, 4*24*time.Hour + 17*time.Hour, 5*24*time.Hour + 5*time.Hour} {
		w := world(t, "demo")
		now := start
		for now.Before(start.Add(into)) {
			now = now.Add(2 * time.Minute)
			w.Advance(now)
		}
		began := now
		look(t, w)
		w.StartScript(now, 4)
		first := map[string]time.Duration{}
		for now.Sub(began) < 6*time.Minute {
			now = now.Add(5 * time.Second)
			w.Advance(now)
			points, events, _ := look(t, w)
			for what := range symptoms(points, events) {
				if _, ok := first[what]; !ok {
					first[what] = now.Sub(began)
				}
			}
		}
		for what, within := range map[string]time.Duration{"throttling": time.Minute, "gpu lost": time.Minute, "ranks ended": 3 * time.Minute, "no room for a replica": 5 * time.Minute, "queueing": 6 * time.Minute} {
			at, ok := first[what]
			t.Logf("%s: %s at %s", into, what, at)
			if !ok || at > within {
				t.Errorf("after %s: %s at %s, want within %s", into, what, at, within)
			}
		}
	}
}

func symptoms(points []collector.Point, events []collector.Event) map[string]bool {
	s := map[string]bool{}
	for _, p := range points {
		switch p.Metric {
		case "DCGM_FI_DEV_CLOCKS_EVENT_REASONS":
			s["throttling"] = s["throttling"] || int(p.Value)&0x40 != 0
		case "DCGM_FI_DEV_XID_ERRORS":
			s["gpu lost"] = s["gpu lost"] || p.Value == 79
		case "vllm:num_requests_waiting":
			s["queueing"] = s["queueing"] || p.Value > 10
		}
	}
	for _, e := range events {
		switch {
		case e.Kind == collector.LogLine && strings.Contains(e.Text, "Watchdog caught collective operation timeout"):
			s["ranks ended"] = true
		case e.Kind == collector.KubeEvent && strings.Contains(e.Text, `"FailedScheduling"`) && strings.Contains(e.Text, `"namespace":"serving"`):
			s["no room for a replica"] = true
		}
	}
	for what, is := range s {
		if !is {
			delete(s, what)
		}
	}
	return s
}

// BenchmarkWeek is the demo's history: it must not keep anybody waiting.
func BenchmarkWeek(b *testing.B) {
	for b.Loop() {
		w := world(b, "demo")
		for k := range 7 * 24 * 30 {
			w.Advance(start.Add(time.Duration(k+1) * 2 * time.Minute))
		}
	}
}

func TestCordon(t *testing.T) {
	w := world(t, "xid79")
	look(t, w)
	for range 2 { // the second changes nothing
		if err := w.Cordon("gpu-01"); err != nil {
			t.Fatal(err)
		}
	}
	points, events, _ := look(t, w)
	var got []string
	for _, e := range events {
		got = append(got, told(t, e))
	}
	want := []string{"event Normal Node/gpu-01 x1 NodeNotSchedulable: Node gpu-01 status is now: NodeNotSchedulable", "MODIFIED nodes/gpu-01"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	for _, p := range points {
		if p.Metric == "kube_node_spec_unschedulable" && (p.Value == 1) != (attr(p, "node") == "gpu-01") {
			t.Errorf("kube_node_spec_unschedulable of %s is %v", attr(p, "node"), p.Value)
		}
	}
	if err := w.Uncordon("gpu-01"); err != nil {
		t.Fatal(err)
	}
	if err := w.Cordon("gpu-99"); err == nil {
		t.Error("a node that is not there was cordoned")
	}
	if _, err := w.GPUs("gpu-99").Collect(context.Background()); err == nil {
		t.Error("a node that is not there was read")
	}
}
