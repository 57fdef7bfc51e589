package batchjob

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"vedette.dev/collector"
)

func TestJobs(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	reading := func(attrs ...collector.Attr) collector.Point {
		return collector.Point{Metric: "DCGM_FI_DEV_GPU_UTIL", Value: 1, Attrs: attrs}
	}
	gpus := collector.SourceFunc(func(context.Context) (collector.Batch, error) {
		return collector.Batch{Points: []collector.Point{
			reading(collector.Attr{Key: "gpu", Value: "0"}),
			reading(collector.Attr{Key: "gpu", Value: "1"}),
			reading(collector.Attr{Key: "gpu", Value: "2"}, collector.Attr{Key: "GPU_I_ID", Value: "1"}),
			reading(collector.Attr{Key: "gpu", Value: "2"}, collector.Attr{Key: "GPU_I_ID", Value: "2"}),
			reading(collector.Attr{Key: "instance", Value: "node"}),
		}}, nil
	})
	look := func(dir string) (string, error) {
		j := &Jobs{Dir: dir}
		b, err := j.Label(gpus).Collect(t.Context())
		if _, why := j.Collect(t.Context()); why != nil {
			t.Error(why)
		}
		var lines []string
		for _, p := range b.Points {
			lines = append(lines, fmt.Sprint(p.Attrs))
		}
		return strings.Join(lines, "\n"), err
	}
	plain := "[{gpu 0}]\n[{gpu 1}]\n[{gpu 2} {GPU_I_ID 1}]\n[{gpu 2} {GPU_I_ID 2}]\n[{instance node}]"

	got, err := look(filepath.Join(dir, "not-yet"))
	if diff := cmp.Diff(plain, got); diff != "" || err != nil {
		t.Errorf("without a directory: %v\n%s", err, diff)
	}

	write("0", "4711\n")
	write("1", " 12\n\n13\n12\n")
	write("2", "whole")
	write("2.2", "part")
	write("3", "of a GPU that is not there")
	write("notes.txt", "0")
	if err := os.Mkdir(filepath.Join(dir, "4"), 0o755); err != nil {
		t.Fatal(err)
	}
	want := "[{gpu 0} {hpc_job 4711}]\n[{gpu 1} {hpc_job 12}]\n[{gpu 1} {hpc_job 13}]\n[{gpu 2} {GPU_I_ID 1} {hpc_job whole}]\n[{gpu 2} {GPU_I_ID 2} {hpc_job part}]\n[{instance node}]"
	if got, err = look(dir); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("jobs (-want +got):\n%s", diff)
	}

	// The job has ended.
	for _, name := range []string{"0", "1", "2", "2.2"} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	got, err = look(dir)
	if diff := cmp.Diff(plain, got); diff != "" || err != nil {
		t.Errorf("after the jobs: %v\n%s", err, diff)
	}
}

// What cannot be read is said and costs the labels, not the readings.
func TestNoDirectory(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	j := &Jobs{Dir: file}
	b, err := j.Label(collector.SourceFunc(func(context.Context) (collector.Batch, error) {
		return collector.Batch{Points: make([]collector.Point, 2)}, nil
	})).Collect(t.Context())
	_, why := j.Collect(t.Context())
	if err != nil || why == nil || !strings.Contains(why.Error(), "the jobs of GPUs") || len(b.Points) != 2 {
		t.Errorf("%d readings, %v, %v; want 2 and why there are no jobs", len(b.Points), err, why)
	}
}
