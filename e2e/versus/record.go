//go:build e2e

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/txtar"
)

// recordings are the flags of dcgm-exporter that pages are recorded with, and
// how many pods then hold a GPU.
var recordings = []struct {
	name string
	pods int
	args []string
}{
	{"default", 0, nil},
	{"no-hostname", 0, []string{"--no-hostname"}},
	{"pods", 1, nil},
	{"shared", 3, nil},
	{"shared-virtual", 3, []string{"--kubernetes-virtual-gpus"}},
}

// record writes dcgm-exporter's pages into folder, which holds the script of
// the GPUs and the counters: they are what cmd/vedette-agent compares ours with.
func (b *bench) record(folder string) error {
	for from, to := range map[string]string{"script": "script", "default-counters.csv": "counters.csv"} {
		text, err := os.ReadFile(filepath.Join(folder, from))
		if err != nil {
			return err
		}
		if err := os.WriteFile(b.file(to), text, 0o644); err != nil {
			return err
		}
	}
	b.gpus = 2 // of the script
	ar := &txtar.Archive{Comment: []byte("The /metrics pages of dcgm-exporter " + filepath.Base(b.exporter) + " for the GPUs of the file script, as\n" +
		"`make record-exporter` has recorded them: a page for each set of flags.\n")}
	for _, r := range recordings {
		p, stop, err := b.launch(subject{name: r.name, pods: r.pods, args: r.args})
		if err != nil {
			return err
		}
		text, err := p.scrape()
		stop()
		if err != nil {
			return fmt.Errorf("%s: %w", r.name, err)
		}
		name := strings.TrimSpace(r.name + " " + strings.Join(r.args, " "))
		ar.Files = append(ar.Files, txtar.File{Name: name, Data: text})
	}
	return os.WriteFile(filepath.Join(folder, "pages.txtar"), txtar.Format(ar), 0o644)
}
