// Package kmsg reads a node's kernel log: which lines report an Xid, an NVSwitch's
// SXid, a PCIe error, a process killed for memory or a driver of another version,
// and of which GPU. What it looks for is a data file, patterns.csv; what an Xid
// means is left to rules/fault.
//
// What a reader would get wrong: not every line becomes an event. Lines of no
// class are counted, and passed on only if the kernel itself calls them a
// warning or worse, so that a chatty driver does not fill the history.
package kmsg

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"vedette.dev/collector"
	"vedette.dev/rules/catalog"
)

// The metrics of this package.
const (
	Xids    catalog.ID = "vedette_xid_errors_total"     // labels Hostname, pci_bus_id, xid
	SXids   catalog.ID = "vedette_sxid_errors_total"    // labels Hostname, pci_bus_id of the switch, sxid
	NVLinks catalog.ID = "vedette_nvlink5_errors_total" // labels Hostname, pci_bus_id, xid, unit, subcode, severity; each is an Xid too
	Lines   catalog.ID = "vedette_kernel_lines_total"   // labels instance, class
)

// Keys of event attributes that are this package's own.
const (
	AttrClass = "vedette.class" // a [Class]; "" of a line that is merely a warning

	// Of an Xid of NVLink 5.
	AttrUnit     = "nvidia.nvlink.unit"
	AttrSubcode  = "nvidia.xid.subcode"
	AttrSeverity = "nvidia.xid.severity"
	AttrRemedy   = "nvidia.xid.remedy"
	AttrLink     = "nvidia.nvlink.link"
)

// A Class says what a kernel line is about.
type Class string

// The classes of lines.
const (
	Xid      Class = "xid"
	SXid     Class = "sxid"
	AER      Class = "aer"
	OOM      Class = "oom"
	Mismatch Class = "mismatch" // two parts of the driver are of two versions
	other    Class = "other"    // in the label class only
)

// warning is the least urgent syslog level at which a line of no class is an event.
const warning = 4

// A Source turns records of the kernel log into events and counts them. Its
// counts begin when it does.
type Source struct {
	Node string

	// Records returns what was logged since it was last called, each record
	// in the form of /dev/kmsg: "prio,seq,usec,flags;text". It may return
	// records together with an error. Of records with the same sequence
	// number only the first counts.
	Records func(ctx context.Context) ([]string, error)

	Boot time.Time        // when the records' clock was zero
	Now  func() time.Time // the time of the counts; nil is time.Now

	next   uint64
	counts map[fact]float64
	links  map[linkFact]float64
	lines  map[Class]float64
	heard  map[fact]sighting // the newest line of each Xid
}

// A fact is an Xid of a GPU or an SXid of a switch.
type fact struct {
	of        catalog.ID // Xids or SXids
	pci, code string
}

func byPlace(a, b fact) int {
	return cmp.Or(cmp.Compare(b.of, a.of), cmp.Compare(a.pci, b.pci), cmp.Compare(a.code, b.code))
}

// A linkFact is an error of an NVLink.
type linkFact struct{ pci, code, unit, subcode, severity string }

var _ collector.Source = (*Source)(nil)

// Collect returns the lines logged since the last call, and the counts of all
// so far. Records that cannot be read are skipped, and part of the error.
func (s *Source) Collect(ctx context.Context) (collector.Batch, error) {
	if s.lines == nil {
		s.counts, s.links, s.heard = map[fact]float64{}, map[linkFact]float64{}, map[fact]sighting{}
		s.lines = map[Class]float64{Xid: 0, SXid: 0, AER: 0, OOM: 0, Mismatch: 0, other: 0}
	}
	records, err := s.Records(ctx)
	errs := []error{err}
	var b collector.Batch
	for _, text := range records {
		r, err := parseRecord(text)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if r.seq < s.next {
			continue
		}
		s.next = r.seq + 1
		if e, ok := s.see(r); ok {
			b.Events = append(b.Events, e)
		}
	}
	b.Points = s.points()
	return b, errors.Join(errs...)
}

// see counts a record, and returns the event that it is, if it is one.
func (s *Source) see(r record) (collector.Event, bool) {
	m := classify(r.text)
	e := collector.Event{Kind: collector.KernelLine, At: s.Boot.Add(r.since), Text: r.text,
		Attrs: []collector.Attr{{Key: collector.AttrNode, Value: s.Node}, {Key: AttrClass, Value: string(m.class)}}}
	if m.class == "" {
		s.lines[other]++
		return e, r.level <= warning
	}
	s.lines[m.class]++
	switch {
	case m.class == SXid:
		s.counts[fact{SXids, m.pci, m.sxid}]++
	case m.class == Xid && s.echo(m, e.At):
		m.xid = "" // told already: the line is an event, and no Xid of its own
	case m.class == Xid:
		s.counts[fact{Xids, m.pci, m.xid}]++
	}
	attrs := []collector.Attr{{Key: collector.AttrXid, Value: m.xid}, {Key: collector.AttrPCI, Value: m.pci}, {Key: collector.AttrSXid, Value: m.sxid}}
	if l := m.link; l != nil {
		subcode := strconv.Itoa(l.subcode)
		s.links[linkFact{m.pci, m.xid, l.unit, subcode, l.severity}]++
		attrs = append(attrs, collector.Attr{Key: AttrUnit, Value: l.unit}, collector.Attr{Key: AttrSubcode, Value: subcode},
			collector.Attr{Key: AttrSeverity, Value: l.severity}, collector.Attr{Key: AttrRemedy, Value: l.remedy}, collector.Attr{Key: AttrLink, Value: l.link})
	}
	for _, a := range attrs {
		if a.Value != "" {
			e.Attrs = append(e.Attrs, a)
		}
	}
	return e, true
}

// echo reports whether a line tells again of an Xid in other words: of a GPU
// that falls off the bus the driver writes one line with the number 79 and one
// without. Two lines of the same words are two Xids.
func (s *Source) echo(m match, at time.Time) bool {
	f := fact{Xids, m.pci, m.xid}
	last, told := s.heard[f]
	if told && last.nameless != m.nameless && at.Sub(last.at).Abs() <= sameXid {
		delete(s.heard, f)
		return true
	}
	s.heard[f] = sighting{f, at, m.nameless}
	return false
}

func (s *Source) points() []collector.Point {
	now := time.Now
	if s.Now != nil {
		now = s.Now
	}
	at := now()
	var ps []collector.Point
	for _, f := range slices.SortedFunc(maps.Keys(s.counts), byPlace) {
		ps = append(ps, f.point(s.Node, s.counts[f], at))
	}
	for _, l := range slices.SortedFunc(maps.Keys(s.links), func(a, b linkFact) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) }) {
		ps = append(ps, collector.Point{Metric: NVLinks, Counter: true, Value: s.links[l], At: at, Attrs: []collector.Attr{
			{Key: "Hostname", Value: s.Node}, {Key: "pci_bus_id", Value: l.pci}, {Key: "xid", Value: l.code},
			{Key: "unit", Value: l.unit}, {Key: "subcode", Value: l.subcode}, {Key: "severity", Value: l.severity}}})
	}
	for _, c := range slices.Sorted(maps.Keys(s.lines)) {
		ps = append(ps, collector.Point{Metric: Lines, Counter: true, Value: s.lines[c], At: at, Attrs: []collector.Attr{
			{Key: "instance", Value: s.Node}, {Key: "class", Value: string(c)}}})
	}
	return ps
}

// point is the count of f.
func (f fact) point(node string, n float64, at time.Time) collector.Point {
	key := "xid"
	if f.of == SXids {
		key = "sxid"
	}
	return collector.Point{Metric: f.of, Counter: true, Value: n, At: at, Attrs: []collector.Attr{
		{Key: "Hostname", Value: node}, {Key: "pci_bus_id", Value: f.pci}, {Key: key, Value: f.code}}}
}

// A record is one entry of the kernel log.
type record struct {
	level int // 0 emerg to 7 debug
	seq   uint64
	since time.Duration // since boot
	text  string
}

// parseRecord reads one record of /dev/kmsg: see Documentation/ABI/testing/dev-kmsg
// of the kernel. Lines after the first are a dictionary, which is not read.
func parseRecord(s string) (record, error) {
	line, _, _ := strings.Cut(s, "\n")
	head, text, ok := strings.Cut(line, ";")
	fields := strings.Split(head, ",")
	if !ok || len(fields) < 3 {
		return record{}, fmt.Errorf("kernel record %q has no head", cut(line))
	}
	prio, err1 := strconv.ParseUint(fields[0], 10, 16)
	seq, err2 := strconv.ParseUint(fields[1], 10, 64)
	usec, err3 := strconv.ParseInt(fields[2], 10, 64)
	if err := errors.Join(err1, err2, err3); err != nil {
		return record{}, fmt.Errorf("kernel record %q: %w", cut(line), err)
	}
	return record{level: int(prio & 7), seq: seq, since: time.Duration(usec) * time.Microsecond, text: unescape(text)}, nil
}

func cut(s string) string { return s[:min(len(s), 80)] }

// unescape undoes the kernel's \xNN.
func unescape(s string) string {
	if !strings.Contains(s, `\x`) {
		return s
	}
	var b strings.Builder
	for {
		i := strings.Index(s, `\x`)
		if i < 0 || i+4 > len(s) {
			b.WriteString(s)
			return b.String()
		}
		n, err := strconv.ParseUint(s[i+2:i+4], 16, 8)
		if err != nil {
			b.WriteString(s[:i+2])
			s = s[i+2:]
			continue
		}
		b.WriteString(s[:i])
		b.WriteByte(byte(n))
		s = s[i+4:]
	}
}
