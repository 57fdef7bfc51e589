package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"vedette.dev/collector"
	"vedette.dev/collector/dcgm"
	"vedette.dev/rules/catalog"
)

// hostEngine is where DCGM's own daemon listens, if it runs: two engines on a
// node would fight over the profiling counters.
const hostEngine = "127.0.0.1:5555"

// lookAgain is after how long the agent looks again for a DCGM library that was
// not there: a driver may be installed under it.
const lookAgain = 3 * time.Minute

// patience is how long DCGM is waited for at the least: a call that takes a
// few short periods on a busy node does not hang.
const patience = 500 * time.Millisecond

// gpus is the DCGM source of a node that may have no GPU, or no library yet.
type gpus struct {
	conf *config
	log  *slog.Logger
	now  func() time.Time

	source  *dcgm.Source
	missing error // why there is no source
	next    time.Time

	unread string // why the counter file could not be read, told already

	mu       sync.Mutex
	counters *dcgm.Counters // of the counter file; nil where there is none
	read     os.FileInfo    // of the counter file, when it was read
}

// help returns the counter file's help text of a metric, or "".
func (g *gpus) help(id catalog.ID) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.counters == nil {
		return ""
	}
	return g.counters.Help[id]
}

// reread reads the counter file where it is not the one read last. What stood
// before stands on when the new file is not good.
func (g *gpus) reread() error {
	if g.conf.Counters == "" {
		return nil
	}
	info, err := os.Stat(g.conf.Counters)
	if err != nil {
		return fmt.Errorf("counter file: %w", err)
	}
	if g.read != nil && info.ModTime().Equal(g.read.ModTime()) && info.Size() == g.read.Size() {
		return nil
	}
	g.read, g.unread = info, ""
	f, err := os.Open(g.conf.Counters)
	if err != nil {
		return fmt.Errorf("counter file: %w", err)
	}
	defer f.Close()
	c, err := dcgm.ReadCounters(g.conf.Counters, f)
	if err != nil {
		return err
	}
	for _, s := range c.Skipped {
		g.log.Warn("counter file: not read", "counter", s)
	}
	g.mu.Lock()
	g.counters = c
	g.mu.Unlock()
	if g.source != nil {
		g.log.Info("the counter file was read again", "file", g.conf.Counters, "metrics", len(c.Help))
		g.source.Use(c)
	}
	return nil
}

// Collect implements [collector.Source]. A node with no NVIDIA device has
// nothing to read, which is no error; one that has the device and no library is.
func (g *gpus) Collect(ctx context.Context) (collector.Batch, error) {
	if err := g.reread(); err != nil && err.Error() != g.unread {
		g.log.Warn("the counters stay as they were", "err", err)
		g.unread = err.Error()
	}
	if g.source == nil && !g.now().Before(g.next) {
		g.open()
	}
	if g.source != nil {
		return g.source.Collect(ctx)
	}
	if g.conf.DCGM == "auto" && !hasNVIDIA(g.conf.Sys) {
		return collector.Batch{}, nil
	}
	return collector.Batch{}, g.missing
}

func (g *gpus) open() {
	address := g.conf.DCGM
	switch address {
	case "auto":
		address = ""
		if answers(hostEngine) {
			address = hostEngine
		}
	case "embedded":
		address = ""
	}
	s, err := dcgm.Open(dcgm.Config{Address: address, Node: g.conf.Node, HostName: g.conf.HostName, Every: min(time.Duration(g.conf.Period), 10*time.Second),
		Patience: max(min(time.Duration(g.conf.Period)/2, 5*time.Second), patience),
		Warn:     func(err error) { g.log.Warn(err.Error()) }})
	if err != nil {
		if g.missing == nil {
			g.log.Warn("GPUs are not read", "err", err, "again in", lookAgain)
		}
		g.missing, g.next = err, g.now().Add(lookAgain)
		return
	}
	if g.missing != nil {
		g.log.Info("the DCGM library is there now")
	}
	if g.counters != nil {
		s.Use(g.counters)
	}
	g.source, g.missing = s, nil
}

func (g *gpus) close() {
	if g.source == nil {
		return
	}
	if err := g.source.Close(); err != nil {
		g.log.Warn("DCGM was not left in order", "err", err)
	}
}

// answers reports whether someone listens at address.
func answers(address string) bool {
	c, err := net.DialTimeout("tcp", address, 200*time.Millisecond)
	if err != nil {
		return false
	}
	c.Close()
	return true
}

// nvidiaVendor is NVIDIA's number in the PCI register.
const nvidiaVendor = "0x10de"

// hasNVIDIA reports whether the node has a PCI device of NVIDIA.
func hasNVIDIA(sys string) bool { return nvidiaDevices(sys) > 0 }

// nvidiaDevices counts NVIDIA's PCI devices: GPUs, and the switches between them.
func nvidiaDevices(sys string) int {
	n := 0
	files, _ := filepath.Glob(filepath.Join(sys, "bus/pci/devices/*/vendor")) // the pattern is good
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err == nil && strings.TrimSpace(string(text)) == nvidiaVendor {
			n++
		}
	}
	return n
}

// expected reports whether err says only that the library is not there, which
// has been told already.
func expected(err error) bool { return errors.Is(err, dcgm.ErrNoLibrary) }
