package facts

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"vedette.dev/analyzer"
	"vedette.dev/analyzer/snapshot"
	"vedette.dev/analyzer/topology"
	"vedette.dev/rules/catalog"
	"vedette.dev/rules/fault"
)

// The metrics that facts are read from, under dcgm-exporter's names.
const (
	gpuTemp       catalog.ID = "DCGM_FI_DEV_GPU_TEMP"
	smClock       catalog.ID = "DCGM_FI_DEV_SM_CLOCK"
	gpuUtil       catalog.ID = "DCGM_FI_DEV_GPU_UTIL"
	grActive      catalog.ID = "DCGM_FI_PROF_GR_ENGINE_ACTIVE"
	clockReasons  catalog.ID = "DCGM_FI_DEV_CLOCKS_EVENT_REASONS"
	oldReasons    catalog.ID = "DCGM_FI_DEV_CLOCK_THROTTLE_REASONS" // before DCGM 3.3
	thermalTime   catalog.ID = "DCGM_FI_DEV_THERMAL_VIOLATION"
	powerTime     catalog.ID = "DCGM_FI_DEV_POWER_VIOLATION"
	xidErrors     catalog.ID = "DCGM_FI_DEV_XID_ERRORS"
	remapped      catalog.ID = "DCGM_FI_DEV_UNCORRECTABLE_REMAPPED_ROWS"
	remapPending  catalog.ID = "DCGM_FI_DEV_ROW_REMAP_PENDING"
	remapFailure  catalog.ID = "DCGM_FI_DEV_ROW_REMAP_FAILURE"
	retirePending catalog.ID = "DCGM_FI_DEV_RETIRED_PENDING" // before Ampere, which replaces rows and not pages
	doubleBit     catalog.ID = "DCGM_FI_DEV_ECC_DBE_VOL_TOTAL"
	linkCRC       catalog.ID = "DCGM_FI_DEV_NVLINK_CRC_FLIT_ERROR_COUNT_TOTAL"
	linkRecovery  catalog.ID = "DCGM_FI_DEV_NVLINK_RECOVERY_ERROR_COUNT_TOTAL"
	linkReplay    catalog.ID = "DCGM_FI_DEV_NVLINK_REPLAY_ERROR_COUNT_TOTAL"
	reasonPower              = 0x80 // hardware power brake: a signal from the power supply
	reasonThermal            = 0x20 | 0x40
	hotCelsius               = 80.0 // where data-centre GPUs come near the slowdown of 83 to 90
	clockDrop                = 0.9  // of the usual clock: below it work is visibly slower
	fresh                    = 5 * time.Minute
	missedScrapes            = 3
)

// Metrics returns the names of the metrics that a diagnosis reads: what a
// snapshot needs to hold of a store that has many more.
func Metrics() []string {
	ids := []catalog.ID{gpuTemp, smClock, gpuUtil, grActive, clockReasons, oldReasons, thermalTime, powerTime,
		xidErrors, xidCounts, clockEvents, cpuPeriods, cpuThrottled, remapped, remapPending, retirePending, remapFailure, doubleBit, linkCRC, linkRecovery, linkReplay, unitState, topology.Holds,
		workingSet, memoryLimit, volumeFree, volumeSize, diskReadOnly, diskFree, diskSize, fabricState, hostPortState, fabricDowned, connections, maxConnections}
	names := make([]string, len(ids))
	for i, id := range ids {
		names[i] = string(id)
	}
	return append(names, poolMetrics()...)
}

// readGPUs reads what the series of every GPU show.
func (w *World) readGPUs() {
	var newest time.Time
	for _, m := range w.s.Series(string(gpuTemp)) {
		if t := m.Last().At; t.After(newest) {
			newest = t
		}
	}
	for _, m := range w.s.Metrics {
		if !strings.HasPrefix(m.Name(), "DCGM_") {
			continue
		}
		gpu, ok := w.gpuOf(m)
		if !ok {
			continue
		}
		switch catalog.ID(m.Name()) {
		case clockReasons, oldReasons:
			w.readReasons(gpu, m)
		case clockEvents:
			w.readClockEvents(gpu, m)
		case xidCounts:
			w.readXidCount(gpu, m)
		case thermalTime:
			w.readGrowth(gpu, m, "thermal-violation", "time lost to heat grows", 0)
		case powerTime:
			w.readGrowth(gpu, m, "power-violation", "time lost to the power limit grows", 0)
		case doubleBit:
			w.readGrowth(gpu, m, "ecc-double-bit", "uncorrectable ECC errors were counted", 2)
		case linkCRC, linkRecovery, linkReplay:
			w.readGrowth(gpu, m, "nvlink-errors", "NVLink errors are counted", 0)
		case remapPending:
			w.readFlag(gpu, m, "row-remap-pending", "a row of memory waits to be replaced at the next reset", 1)
		case remapped:
			w.readGrowth(gpu, m, "row-remapped", "rows of memory were marked to be replaced", 1)
		case retirePending:
			w.readFlag(gpu, m, "row-remap-pending", "a page of memory waits to be retired at the next reset", 1)
		case remapFailure:
			w.readFlag(gpu, m, "row-remap-failed", "a bad row of memory could not be replaced", 3)
		case gpuTemp:
			w.readTemperature(gpu, m)
			w.readSilence(gpu, m, newest)
		case smClock:
			w.readClock(gpu, m)
		case xidErrors:
			w.readXidMetric(gpu, m)
		}
	}
	w.retiredFor()
	w.oddLinks()
	w.nearMisses()
}

// gpuOf returns the GPU of a series under the name that the graph has for it.
func (w *World) gpuOf(m snapshot.Series) (analyzer.Subject, bool) {
	gpu, ok := topology.GPUOf(m.Labels)
	if !ok {
		return gpu, false
	}
	if w.Graph.Knows(gpu) {
		return gpu, true
	}
	return w.Graph.GPUOf(m.Labels), true // the metric knows the host's name, the cluster the node's
}

// A gpuMetric is a metric of a GPU.
type gpuMetric struct {
	gpu  analyzer.Subject
	name catalog.ID
}

func (w *World) indexGPUs() {
	w.measures = map[gpuMetric][]snapshot.Series{}
	for _, name := range []catalog.ID{gpuTemp, gpuUtil, grActive, clockReasons, oldReasons, remapPending} {
		for _, m := range w.s.Series(string(name)) {
			if gpu, ok := w.gpuOf(m); ok {
				k := gpuMetric{gpu, name}
				w.measures[k] = append(w.measures[k], m)
			}
		}
	}
}

func (w *World) measured(gpu analyzer.Subject, m snapshot.Series, name string, at time.Time, weight float64, text string) *Fact {
	return w.add(Fact{Fact: analyzer.Fact{Subject: gpu, Name: name, At: at, Standing: w.fresh(m), Text: text, Source: m.Source},
		Kind: metricKind(m.Name()), Weight: weight, Lag: spacing(m)})
}

// fresh reports whether the newest sample is about the present.
func (w *World) fresh(m snapshot.Series) bool { return w.now.Sub(m.Last().At) <= fresh }

// runStart returns the start of the last unbroken run of samples for which is
// holds, and how many they are; none where the newest is not one.
func runStart(m snapshot.Series, is func(float64) bool) (time.Time, int) {
	n := 0
	for _, p := range slices.Backward(m.Samples) {
		if !is(p.Value) {
			break
		}
		n++
	}
	if n == 0 {
		return time.Time{}, 0
	}
	return m.Samples[len(m.Samples)-n].At, n
}

// Slower clocks cool a GPU below the limit at which they were lowered, so that
// the state comes and goes with it. It goes on where it was there in most of a
// stretch of samples that has no longer gap, and in one of the newest two.
const (
	flapping = 5 // samples of it, to be more than a few moments
	lull     = 2 // samples without it, one after the other
)

// stateStart returns since when a state is there that may come and go, and the
// newest value that says so. It reports false where there is none.
func stateStart(m snapshot.Series, is func(float64) bool) (at time.Time, value float64, ok bool) {
	if at, n := runStart(m, is); n >= 2 {
		return at, m.Last().Value, true
	}
	first, set, gap := -1, 0, 0
	for i, p := range slices.Backward(m.Samples) {
		if is(p.Value) {
			if set == 0 {
				value = p.Value
			}
			first, gap, set = i, 0, set+1
			continue
		}
		if gap++; gap > lull || set == 0 && gap > 1 {
			break
		}
	}
	if set < flapping || 2*set < len(m.Samples)-first {
		return time.Time{}, 0, false
	}
	return m.Samples[first].At, value, true
}

// readReasons reads the bits by which the driver says why clocks are low. One
// sample is a moment: two in a row are a state.
func (w *World) readReasons(gpu analyzer.Subject, m snapshot.Series) {
	bit := func(mask int64) func(float64) bool {
		return func(v float64) bool { return !math.IsNaN(v) && int64(v)&mask != 0 }
	}
	if at, v, ok := stateStart(m, bit(reasonThermal)); ok {
		w.measured(gpu, m, "thermal-throttle", at, 2, fmt.Sprintf("clocks are lowered because of heat (event reasons %#x)", int64(v)))
	}
	if at, v, ok := stateStart(m, bit(reasonPower)); ok {
		w.measured(gpu, m, "power-brake", at, 2, fmt.Sprintf("the power supply asserts its brake (event reasons %#x)", int64(v)))
	}
}

// readGrowth records that a counter grew towards the end of the window.
func (w *World) readGrowth(gpu analyzer.Subject, m snapshot.Series, name, text string, weight float64) {
	since, grown := time.Time{}, 0.0
	for i := 1; i < len(m.Samples); i++ {
		if d := m.Samples[i].Value - m.Samples[i-1].Value; d > 0 {
			if grown += d; since.IsZero() {
				since = m.Samples[i].At
			}
		}
	}
	if grown > 0 {
		w.measured(gpu, m, name, since, weight, fmt.Sprintf("%s: by %s since then", text, grownText(m, grown)))
	}
}

// grownText writes by how much a counter grew; violations are nanoseconds.
func grownText(m snapshot.Series, by float64) string {
	if id := catalog.ID(m.Name()); id == thermalTime || id == powerTime {
		return time.Duration(by).Round(time.Second / 10).String()
	}
	return number(by)
}

func (w *World) readFlag(gpu analyzer.Subject, m snapshot.Series, name, text string, weight float64) {
	if at, n := runStart(m, func(v float64) bool { return v > 0 }); n > 0 {
		w.measured(gpu, m, name, at, weight, text)
	}
}

func (w *World) readTemperature(gpu analyzer.Subject, m snapshot.Series) {
	if at, n := runStart(m, func(v float64) bool { return v >= hotCelsius }); n >= 2 {
		f := w.measured(gpu, m, "gpu-hot", at, 0, fmt.Sprintf("the GPU is at %s °C", number(m.Last().Value)))
		f.Detail["celsius"] = number(m.Last().Value)
	}
}

// readClock compares the newest clock with the usual one of the window.
func (w *World) readClock(gpu analyzer.Subject, m snapshot.Series) {
	var values []float64
	for _, p := range m.Samples {
		if !math.IsNaN(p.Value) {
			values = append(values, p.Value)
		}
	}
	if len(values) < 5 {
		return
	}
	slices.Sort(values)
	usual := values[len(values)*3/4] // the upper quartile: a drop may fill half of the window
	if at, n := runStart(m, func(v float64) bool { return v < clockDrop*usual }); n >= 2 {
		w.measured(gpu, m, "sm-clock-low", at, 0, fmt.Sprintf("the SM clock is %s MHz, usually %s", number(m.Last().Value), number(usual)))
	}
}

// readSilence records that a GPU's samples ended while others' went on.
func (w *World) readSilence(gpu analyzer.Subject, m snapshot.Series, newest time.Time) {
	step := spacing(m)
	if step == 0 {
		return
	}
	if newest.Sub(m.Last().At) < missedScrapes*step {
		return
	}
	f := w.measured(gpu, m, "gpu-metrics-ended", m.Last().At.Add(step), 0, "the GPU's metrics end here while others go on")
	f.Standing = true
}

// spacing returns the usual distance of samples, 0 for fewer than three.
func spacing(m snapshot.Series) time.Duration {
	if len(m.Samples) < 3 {
		return 0
	}
	var ds []time.Duration
	for i := 1; i < len(m.Samples); i++ {
		ds = append(ds, m.Samples[i].At.Sub(m.Samples[i-1].At))
	}
	slices.Sort(ds)
	return ds[len(ds)/2]
}

// readXidMetric reads the last Xid that DCGM saw. It confirms a kernel line,
// and stands for it where no kernel log was captured.
func (w *World) readXidMetric(gpu analyzer.Subject, m snapshot.Series) {
	last := m.Last().Value
	if last <= 0 || last != math.Trunc(last) || last > 10_000 {
		return
	}
	at, n := runStart(m, func(v float64) bool { return v == last })
	f := w.addXid(gpu, fault.Xid(last), at, m.Source, metricKind(m.Name()))
	f.Detail["sampled"] = "true"
	if n == len(m.Samples) && n > 1 {
		f.Standing = false // the gauge keeps its last value: it may be of last month
	}
}

// nearMisses says of GPUs that are hot and do not throttle that they do not.
func (w *World) nearMisses() {
	throttled, ended := map[analyzer.Subject]bool{}, map[analyzer.Subject]bool{}
	for _, f := range w.Facts {
		throttled[f.Subject] = throttled[f.Subject] || f.Name == "thermal-throttle" || f.Name == "thermal-violation"
		ended[f.Subject] = ended[f.Subject] || f.Name == "gpu-metrics-ended"
	}
	w.weighViolations()
	w.readReplaced()
	for _, f := range w.Facts {
		if f.Name == "gpu-hot" && f.Standing && !throttled[f.Subject] {
			w.reject(analyzer.Rejected{Cause: "gpu-thermal-throttle", Subject: f.Subject,
				Why: fmt.Sprintf("it is at %s °C, but no sample says that its clocks are lowered because of heat", cmp.Or(f.Detail["celsius"], "?")), Cites: append([]string{f.Source}, w.reasons(f.Subject)...)})
		}
		if strings.TrimPrefix(f.Name, "xid-") == strconv.Itoa(int(fellOffBus)) && !ended[f.Subject] {
			w.outlived(f)
		}
	}
}

// reasons returns the sources of what the driver says of a GPU's clocks.
func (w *World) reasons(gpu analyzer.Subject) []string {
	var all []string
	for _, name := range []catalog.ID{clockReasons, oldReasons} {
		for _, m := range w.measures[gpuMetric{gpu, name}] {
			all = append(all, m.Source)
		}
	}
	return all
}

// weighViolations makes time lost to heat a complaint where the clock is low
// for it: counters alone creep on every busy GPU.
func (w *World) weighViolations() {
	low := map[analyzer.Subject]bool{}
	for _, f := range w.named["sm-clock-low"] {
		low[f.Subject] = f.Standing
	}
	for _, f := range w.named["thermal-violation"] {
		if f.Standing && low[f.Subject] {
			f.Weight = 1
		}
	}
}

// readReplaced says of rows that were marked and are not waiting any more that a
// reset has replaced them: the counter of rows never goes back.
func (w *World) readReplaced() {
	for _, f := range w.named["row-remapped"] {
		for _, m := range w.measures[gpuMetric{f.Subject, remapPending}] {
			if m.Last().Value == 0 && w.fresh(m) && !m.Last().At.Before(f.At) {
				f.Standing = false
				w.reject(analyzer.Rejected{Cause: "gpu-row-remap-pending", Subject: f.Subject, Why: "rows were marked to be replaced, and none waits for it now: the GPU was reset since", Cites: []string{m.Source, f.Source}})
			}
		}
	}
}

// outlived notes that a GPU went on after it was said to be gone: then it came
// back, or the line was about another.
func (w *World) outlived(f *Fact) {
	for _, m := range w.measures[gpuMetric{f.Subject, gpuTemp}] {
		if m.Last().At.Sub(f.At) > fresh {
			w.measured(f.Subject, m, "gpu-metrics-go-on", m.Last().At, 0, "the GPU's metrics go on long afterwards")
			return
		}
	}
}

// number writes a value without needless digits.
func number(v float64) string { return strconv.FormatFloat(math.Round(v*100)/100, 'f', -1, 64) }
