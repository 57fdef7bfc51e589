package dcgm

import (
	"bytes"
	_ "embed"
	"fmt"
	"io"
	"strconv"
	"sync"
	"time"

	godcgm "github.com/NVIDIA/go-dcgm/pkg/dcgm"

	"vedette.dev/collector"
	"vedette.dev/rules/catalog"
	"vedette.dev/rules/strictcsv"
)

// ClockEvent says whether a reason holds a GPU's clocks back: 1 or 0, with the
// labels Hostname, gpu, UUID and clock_event. It is the bits of
// DCGM_FI_DEV_CLOCKS_EVENT_REASONS, which PromQL cannot take apart.
const ClockEvent catalog.ID = "vedette_gpu_clock_event"

const fieldClockEvents godcgm.Short = 112

// A clockEvent is one row of clocks.csv.
type clockEvent struct {
	bit    uint64
	reason string
}

//go:embed clocks.csv
var clocks []byte

var clockEvents = sync.OnceValue(func() []clockEvent {
	es, err := parseClockEvents("clocks.csv", bytes.NewReader(clocks))
	if err != nil {
		panic(err) // embedded data: a test reads it too
	}
	return es
})

func parseClockEvents(file string, r io.Reader) ([]clockEvent, error) {
	var es []clockEvent
	err := strictcsv.Each(file, r, "bit,reason,source", func(f []string) error {
		bit, err := strconv.ParseUint(f[0], 0, 64)
		if err != nil || bit == 0 || bit&(bit-1) != 0 {
			return fmt.Errorf("bit %q is not one bit", f[0])
		}
		if f[1] == "" || f[2] == "" {
			return fmt.Errorf("bit %s: reason and source are required", f[0])
		}
		es = append(es, clockEvent{bit, f[1]})
		return nil
	})
	return es, err
}

// clockPoints takes a reading of the reasons apart.
func (s *Source) clockPoints(id uint, uuid string, mask uint64, at time.Time) []collector.Point {
	var ps []collector.Point
	for _, e := range clockEvents() {
		p := collector.Point{Metric: ClockEvent, At: at, Attrs: []collector.Attr{
			{Key: s.conf.HostName, Value: s.conf.Node}, {Key: "gpu", Value: strconv.FormatUint(uint64(id), 10)},
			{Key: "UUID", Value: uuid}, {Key: "clock_event", Value: e.reason}}}
		if mask&e.bit != 0 {
			p.Value = 1
		}
		ps = append(ps, p)
	}
	return ps
}
