// Package host reads the node itself: processors, memory, disks, file systems,
// network and InfiniBand ports, under node_exporter's names and labels. It
// reads /proc and /sys, of this machine or wherever they are mounted.
//
// What a reader would get wrong: every point also carries the label instance,
// which of node_exporter's series the scraper adds; here nobody scrapes.
package host

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/procfs"

	"vedette.dev/collector"
	"vedette.dev/rules/catalog"
)

// A Source reads one node.
type Source struct {
	Node string           // the value of the label instance
	Proc string           // where its /proc is; "" is /proc
	Sys  string           // where its /sys is; "" is /sys
	Root string           // where its / is, for the space on its file systems; "" is /
	Now  func() time.Time // nil is time.Now

	// Statfs says how full the file system at a path is; nil is the system's
	// call. It may hang: a mount whose server is gone does.
	Statfs func(path string) (Space, error)

	mounts mounts
}

var _ collector.Source = (*Source)(nil)

// A batch is the points read so far.
type batch struct {
	node   string
	at     time.Time
	points []collector.Point
}

func (b *batch) add(metric catalog.ID, counter bool, v float64, labels ...string) {
	attrs := make([]collector.Attr, 0, 1+len(labels)/2)
	attrs = append(attrs, collector.Attr{Key: "instance", Value: b.node})
	for i := 0; i < len(labels); i += 2 {
		attrs = append(attrs, collector.Attr{Key: labels[i], Value: labels[i+1]})
	}
	b.points = append(b.points, collector.Point{Metric: metric, Counter: counter, Value: v, At: b.at, Attrs: attrs})
}

func (b *batch) gauge(metric catalog.ID, v float64, labels ...string) {
	b.add(metric, false, v, labels...)
}

func (b *batch) counter(metric catalog.ID, v float64, labels ...string) {
	b.add(metric, true, v, labels...)
}

// Collect reads everything once. What cannot be read is in the error; the rest is good.
func (s *Source) Collect(ctx context.Context) (collector.Batch, error) {
	now := time.Now
	if s.Now != nil {
		now = s.Now
	}
	b := &batch{node: s.Node, at: now()}
	b.gauge("node_time_seconds", float64(b.at.UnixMilli())/1e3)

	fs, err := procfs.NewFS(s.proc())
	if err != nil {
		return collector.Batch{Points: b.points}, fmt.Errorf("read the node: %w", err)
	}
	var errs []error
	for _, part := range []struct {
		what string
		read func(*batch, procfs.FS) error
	}{
		{"processors", readStat},
		{"load", readLoad},
		{"memory", readMemory},
		{"memory events", s.readVMStat},
		{"pressure", readPressure},
		{"disks", s.readDisks},
		{"network", s.readNetwork},
		{"InfiniBand", s.readInfiniBand},
		{"EFA", s.readEFA},
		{"GPUs on the bus", s.readGPUs},
		{"kernel", s.readUname},
		{"file systems", func(b *batch, fs procfs.FS) error { return s.readMounts(ctx, b, fs) }},
	} {
		if err := part.read(b, fs); err != nil {
			errs = append(errs, fmt.Errorf("read %s: %w", part.what, err))
		}
	}
	return collector.Batch{Points: b.points}, errors.Join(errs...)
}

func (s *Source) proc(path ...string) string { return under(s.Proc, "/proc", path...) }

func (s *Source) sys(path ...string) string { return under(s.Sys, "/sys", path...) }

func under(root, usual string, path ...string) string {
	if root == "" {
		root = usual
	}
	return filepath.Join(append([]string{root}, path...)...)
}

func readStat(b *batch, fs procfs.FS) error {
	st, err := fs.Stat()
	if err != nil {
		return err
	}
	b.gauge("node_boot_time_seconds", float64(st.BootTime))
	b.counter("node_context_switches_total", float64(st.ContextSwitches))
	b.gauge("node_procs_running", float64(st.ProcessesRunning))
	b.gauge("node_procs_blocked", float64(st.ProcessesBlocked))
	for id, c := range st.CPU {
		cpu := strconv.FormatInt(id, 10)
		for _, m := range []struct {
			mode    string
			seconds float64
		}{
			{"user", c.User}, {"nice", c.Nice}, {"system", c.System}, {"idle", c.Idle},
			{"iowait", c.Iowait}, {"irq", c.IRQ}, {"softirq", c.SoftIRQ}, {"steal", c.Steal},
		} {
			b.counter("node_cpu_seconds_total", m.seconds, "cpu", cpu, "mode", m.mode)
		}
	}
	return nil
}

func readLoad(b *batch, fs procfs.FS) error {
	l, err := fs.LoadAvg()
	if err != nil {
		return err
	}
	b.gauge("node_load1", l.Load1)
	b.gauge("node_load5", l.Load5)
	b.gauge("node_load15", l.Load15)
	return nil
}

func readMemory(b *batch, fs procfs.FS) error {
	m, err := fs.Meminfo()
	if err != nil {
		return err
	}
	for _, f := range []struct {
		metric catalog.ID
		bytes  *uint64
	}{
		{"node_memory_MemTotal_bytes", m.MemTotalBytes},
		{"node_memory_MemFree_bytes", m.MemFreeBytes},
		{"node_memory_MemAvailable_bytes", m.MemAvailableBytes},
		{"node_memory_Buffers_bytes", m.BuffersBytes},
		{"node_memory_Cached_bytes", m.CachedBytes},
		{"node_memory_SwapCached_bytes", m.SwapCachedBytes},
		{"node_memory_SwapTotal_bytes", m.SwapTotalBytes},
		{"node_memory_SwapFree_bytes", m.SwapFreeBytes},
		{"node_memory_Dirty_bytes", m.DirtyBytes},
		{"node_memory_Slab_bytes", m.SlabBytes},
	} {
		if f.bytes != nil {
			b.gauge(f.metric, float64(*f.bytes))
		}
	}
	return nil
}

// readVMStat reads what procfs does not: the counts of /proc/vmstat.
func (s *Source) readVMStat(b *batch, _ procfs.FS) error {
	text, err := os.ReadFile(s.proc("vmstat"))
	if err != nil {
		return err
	}
	for sc := bufio.NewScanner(bytes.NewReader(text)); sc.Scan(); {
		name, value, _ := strings.Cut(sc.Text(), " ")
		if name != "oom_kill" && name != "pgmajfault" {
			continue
		}
		v, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return fmt.Errorf("vmstat %s: %w", name, err)
		}
		b.counter(catalog.ID("node_vmstat_"+name), v)
	}
	return nil
}

// readPressure reads the stall times, which a kernel may have been built or booted without.
func readPressure(b *batch, fs procfs.FS) error {
	for _, r := range []struct {
		resource         string
		waiting, stalled catalog.ID
	}{
		{"cpu", "node_pressure_cpu_waiting_seconds_total", ""},
		{"io", "node_pressure_io_waiting_seconds_total", "node_pressure_io_stalled_seconds_total"},
		{"memory", "node_pressure_memory_waiting_seconds_total", "node_pressure_memory_stalled_seconds_total"},
	} {
		p, err := fs.PSIStatsForResource(r.resource)
		if errors.Is(err, os.ErrNotExist) || errors.Is(err, errors.ErrUnsupported) {
			return nil
		}
		if err != nil {
			return err
		}
		if p.Some != nil {
			b.counter(r.waiting, float64(p.Some.Total)/1e6)
		}
		if p.Full != nil && r.stalled != "" {
			b.counter(r.stalled, float64(p.Full.Total)/1e6)
		}
	}
	return nil
}

func (s *Source) readUname(b *batch, _ procfs.FS) error {
	labels := []string{"machine", machine()}
	for _, f := range []struct{ label, file string }{
		{"sysname", "ostype"}, {"release", "osrelease"}, {"version", "version"}, {"nodename", "hostname"}, {"domainname", "domainname"},
	} {
		text, err := os.ReadFile(s.proc("sys", "kernel", f.file))
		if err != nil {
			return err
		}
		labels = append(labels, f.label, strings.TrimSpace(string(text)))
	}
	b.gauge("node_uname_info", 1, labels...)
	return nil
}
