package kmsg

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"vedette.dev/collector"
)

const (
	// sameXid is how far apart the kernel's and DCGM's times of one Xid may be:
	// the one is counted from boot, the other read from the wall clock.
	sameXid = 2 * time.Second
	// word is how long the kernel's word of an Xid is remembered, for a DCGM
	// that is slow to tell of it.
	word = 5 * time.Minute
)

// A Merge tells of every Xid and SXid once. The kernel log and DCGM both report
// them, each some that the other does not; what both report is the kernel's to
// tell, in more words. It is a source: that of the kernel log, with what only DCGM saw.
type Merge struct {
	Kernel collector.Source // reads the kernel log; nil where it cannot be read
	Node   string
	Now    func() time.Time
	Last   bool // the next Collect is the last one: nothing waits any longer

	mu      sync.Mutex
	said    []sighting        // by the kernel, and not yet by DCGM
	waiting []collector.Event // of DCGM, for the kernel's word
	extra   map[fact]float64  // what only DCGM saw
}

// A sighting is an Xid or SXid at a time.
type sighting struct {
	fact
	at       time.Time
	nameless bool // told in words that do not name it
}

func sightingOf(e collector.Event) (sighting, bool) {
	s := sighting{fact: fact{Xids, e.Attr(collector.AttrPCI), e.Attr(collector.AttrXid)}, at: e.At}
	if s.code == "" {
		s.of, s.code = SXids, e.Attr(collector.AttrSXid)
	}
	return s, e.Kind == collector.KernelLine && s.code != ""
}

var _ collector.Source = (*Merge)(nil)

// Other returns a source that reads s, of DCGM, without its Xids: these come
// with the merge's own Collect, which is to be called after it.
func (m *Merge) Other(s collector.Source) collector.Source {
	return collector.SourceFunc(func(ctx context.Context) (collector.Batch, error) {
		b, err := s.Collect(ctx)
		m.mu.Lock()
		defer m.mu.Unlock()
		b.Events = slices.DeleteFunc(b.Events, func(e collector.Event) bool {
			_, is := sightingOf(e)
			if is {
				m.waiting = append(m.waiting, e)
			}
			return is
		})
		return b, err
	})
}

// Collect reads the kernel log and adds the Xids that DCGM reported and that
// the kernel has not within two seconds; where the log cannot be read, at once.
func (m *Merge) Collect(ctx context.Context) (collector.Batch, error) {
	var b collector.Batch
	var err error
	if m.Kernel != nil {
		b, err = m.Kernel.Collect(ctx)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.Now()
	for _, e := range b.Events {
		if s, ok := sightingOf(e); ok {
			m.said = append(m.said, s)
		}
	}
	m.said = slices.DeleteFunc(m.said, func(s sighting) bool { return now.Sub(s.at) > word })

	deaf := m.Kernel == nil || err != nil || m.Last
	m.waiting = slices.DeleteFunc(m.waiting, func(e collector.Event) bool {
		s, _ := sightingOf(e)
		if m.known(s) {
			return true
		}
		if !deaf && now.Sub(s.at) <= sameXid {
			return false
		}
		b.Events = append(b.Events, e)
		if m.extra == nil {
			m.extra = map[fact]float64{}
		}
		m.extra[s.fact]++
		return true
	})
	b.Points = m.counted(b.Points, now)
	return b, err
}

// known reports whether the kernel has told of s, and takes its word for it:
// the same Xid again is another. The nearest in time is the one. DCGM may not
// know where a lost GPU or a switch was; then the code and the time must do.
func (m *Merge) known(s sighting) bool {
	best := -1
	for i, k := range m.said {
		same := k.of == s.of && k.code == s.code && (k.pci == s.pci || s.pci == "")
		if same && k.at.Sub(s.at).Abs() <= sameXid && (best < 0 || k.at.Sub(s.at).Abs() < m.said[best].at.Sub(s.at).Abs()) {
			best = i
		}
	}
	if best < 0 {
		return false
	}
	m.said = slices.Delete(m.said, best, best+1)
	return true
}

// counted adds what only DCGM saw to the kernel's counts.
func (m *Merge) counted(points []collector.Point, now time.Time) []collector.Point {
	left := maps.Clone(m.extra)
	for i := range points {
		p := &points[i]
		if p.Metric != Xids && p.Metric != SXids {
			continue
		}
		f := fact{of: p.Metric}
		for _, a := range p.Attrs {
			switch a.Key {
			case "pci_bus_id":
				f.pci = a.Value
			case "xid", "sxid":
				f.code = a.Value
			}
		}
		p.Value += left[f]
		delete(left, f)
	}
	for _, f := range slices.SortedFunc(maps.Keys(left), byPlace) {
		points = append(points, f.point(m.Node, left[f], now))
	}
	return points
}
