// Package batchjob tells of GPU readings which job of a batch scheduler, such
// as Slurm, has the GPU. The scheduler's prolog and epilog write it into a
// directory: a file for each GPU, named by its number ("3"), or for a MIG
// instance by the number and the instance's ("3.1"), with a job a line. It is
// the directory of dcgm-exporter's flag --hpc-job-mapping-dir.
//
// What a reader would get wrong: several jobs on a GPU make a copy of each
// reading for each job, as dcgm-exporter does; sums over them count double.
package batchjob

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"vedette.dev/collector"
)

// Label is the label that names a job, as dcgm-exporter has it.
const Label = "hpc_job"

// maxFile bounds what is read of one file: thousands of jobs, where a GPU has one or a few.
const maxFile = 64 << 10

// named is how files are named that are about a GPU; others are not read.
var named = regexp.MustCompile(`^\d+(\.\d+)?$`)

// Jobs are the jobs that have GPUs, by the files in a directory. One that is
// not there yet has none.
type Jobs struct {
	Dir string

	mu  sync.Mutex
	why error // why the last read failed
}

var _ collector.Source = (*Jobs)(nil)

// Label returns s with [Label] on the readings of GPUs that a job has. What
// cannot be read costs labels, not readings; Collect says why.
func (j *Jobs) Label(s collector.Source) collector.Source {
	return collector.SourceFunc(func(ctx context.Context) (collector.Batch, error) {
		b, err := s.Collect(ctx)
		jobs, why := read(j.Dir)
		j.mu.Lock()
		j.why = why
		j.mu.Unlock()
		if len(jobs) > 0 {
			b.Points = label(b.Points, jobs)
		}
		return b, err
	})
}

// Collect implements [collector.Source]: there are no readings of jobs, but
// whether they could be read for the labels.
func (j *Jobs) Collect(context.Context) (collector.Batch, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return collector.Batch{}, j.why
}

// read returns the jobs of each GPU or instance, by the name of its file.
func read(dir string) (map[string][]string, error) {
	files, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the jobs of GPUs: %w", err)
	}
	jobs := map[string][]string{}
	var errs []error
	for _, f := range files {
		if !f.Type().IsRegular() || !named.MatchString(f.Name()) {
			continue
		}
		js, err := lines(filepath.Join(dir, f.Name()))
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // the job has just ended
			errs = append(errs, fmt.Errorf("read the jobs of GPU %s: %w", f.Name(), err))
		}
		if len(js) > 0 {
			jobs[f.Name()] = js
		}
	}
	return jobs, errors.Join(errs...)
}

// lines returns the lines of a file that say something, each once.
func lines(path string) ([]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var out []string
	in := bufio.NewScanner(io.LimitReader(f, maxFile))
	for in.Scan() {
		if job := strings.TrimSpace(in.Text()); job != "" && !slices.Contains(out, job) {
			out = append(out, job)
		}
	}
	return out, in.Err()
}

// label returns points with the jobs of their GPUs.
func label(points []collector.Point, jobs map[string][]string) []collector.Point {
	out := make([]collector.Point, 0, len(points))
	for _, p := range points {
		of := jobsOf(p, jobs)
		if len(of) == 0 {
			out = append(out, p)
			continue
		}
		for _, job := range of {
			own := p
			own.Attrs = append(slices.Clip(p.Attrs), collector.Attr{Key: Label, Value: job})
			out = append(out, own)
		}
	}
	return out
}

// jobsOf returns the jobs of what p is about. What is said of a whole GPU holds
// for its instances, unless something is said of them.
func jobsOf(p collector.Point, jobs map[string][]string) []string {
	gpu := p.Attr("gpu")
	if gpu == "" {
		return nil
	}
	if of, ok := jobs[gpu+"."+p.Attr("GPU_I_ID")]; ok {
		return of
	}
	return jobs[gpu]
}
