package dcgm

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	godcgm "github.com/NVIDIA/go-dcgm/pkg/dcgm"

	"vedette.dev/rules/catalog"
)

// Counters are what a counter file of dcgm-exporter asks for.
type Counters struct {
	Help    map[catalog.ID]string // the help texts of the file, by metric
	Skipped []string              // what the file asks for and is not read, with why

	fields []field
}

// exporterOwn begins the names of what dcgm-exporter computes itself.
const exporterOwn = "DCGM_EXP_"

// instead says where what dcgm-exporter computes is found here.
var instead = map[string]string{
	"DCGM_EXP_XID_ERRORS_COUNT":   "vedette_xid_errors_total counts every Xid",
	"DCGM_EXP_CLOCK_EVENTS_COUNT": "vedette_gpu_clock_event has a series for each reason",
}

// ReadCounters reads a counter file in dcgm-exporter's form: a line for each
// metric with DCGM's name of the field, gauge, counter or label, and the help
// text; lines starting with # are ignored. An error names file and line.
func ReadCounters(file string, r io.Reader) (*Counters, error) {
	cr := csv.NewReader(r)
	cr.Comment = '#'
	cr.TrimLeadingSpace = true
	cr.FieldsPerRecord = -1 // a wrong number is told with its line
	c := &Counters{Help: map[catalog.ID]string{}}
	for {
		rec, err := cr.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		line, _ := cr.FieldPos(0)
		if err := c.add(rec); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", file, line, err)
		}
	}
	if len(c.Help) == 0 {
		return nil, fmt.Errorf("%s: asks for no metric", file)
	}
	// What names a GPU is read whatever the file says, and so are the Xids and
	// the limits that policies are set by.
	for _, f := range builtinFields() {
		identity := slices.Contains([]catalog.ID{"UUID", "modelName", "pci_bus_id"}, f.metric)
		unseen := slices.Contains([]godcgm.Short{fieldXid, fieldSlowdownTemp, fieldEnforcedPower}, f.id)
		if !unseen && !identity || slices.ContainsFunc(c.fields, func(o field) bool { return o.id == f.id }) {
			continue
		}
		f.hidden = unseen
		c.fields = append(c.fields, f)
	}
	return c, nil
}

func (c *Counters) add(rec []string) error {
	for i := range rec {
		rec[i] = strings.TrimSpace(rec[i])
	}
	if len(rec) == 1 && rec[0] == "" {
		return nil
	}
	if len(rec) != 3 {
		return fmt.Errorf("%d columns, want field, type and help", len(rec))
	}
	f := field{name: rec[0], metric: catalog.ID(rec[0]), kind: kind(rec[1])}
	if strings.HasPrefix(f.name, exporterOwn) {
		why := instead[f.name]
		if why == "" {
			why = "dcgm-exporter computes it, and there is nothing like it here"
		}
		c.Skipped = append(c.Skipped, f.name+": "+why)
		return nil
	}
	id, ok := godcgm.GetFieldID(f.name)
	if !ok {
		return fmt.Errorf("DCGM has no field %q", f.name)
	}
	f.id = id
	if f.kind != gauge && f.kind != counter && f.kind != label {
		return fmt.Errorf("%s: type %q is none of gauge, counter, label", f.name, f.kind)
	}
	if slices.ContainsFunc(c.fields, func(o field) bool { return o.id == f.id }) {
		return fmt.Errorf("%s: listed twice", f.name)
	}
	c.fields = append(c.fields, f)
	c.Help[f.metric] = rec[2]
	return nil
}

// Use makes the source read what c asks for, from the next look on; nil is
// what it reads by itself. The look that changes over has readings as any other.
func (s *Source) Use(c *Counters) {
	fields := builtinFields()
	if c != nil {
		fields = c.fields
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next = fields
}

// changeOver takes up what Use left.
func (s *Source) changeOver() {
	s.mu.Lock()
	next := s.next
	s.next = nil
	s.mu.Unlock()
	if next == nil {
		return
	}
	s.fields = next
	if s.engine != nil {
		if err := s.readHappened(); err != nil { // the watch ends
			s.warn(err)
		}
		s.unwatch()
		s.recognize()
	}
}
