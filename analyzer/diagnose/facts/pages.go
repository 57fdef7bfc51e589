package facts

import (
	"fmt"
	"slices"
)

// retiredFor records uncorrectable errors of before the window where a page of
// the GPU still waits to be retired: the counter starts again with the driver,
// as the retirement does, so that what it shows is not over.
func (w *World) retiredFor() {
	for _, m := range w.s.Series(string(doubleBit)) {
		gpu, ok := w.gpuOf(m)
		if !ok || m.Last().Value <= 0 || growth(m) > 0 {
			continue
		}
		waits := slices.ContainsFunc(w.named["row-remap-pending"], func(f *Fact) bool {
			return f.Subject == gpu && f.Standing && f.Kind == metricKind(string(retirePending))
		})
		if waits {
			w.measured(gpu, m, "ecc-double-bit", m.Samples[0].At, 2, fmt.Sprintf("%s uncorrectable ECC errors were counted since the driver started, and a page waits to be retired", number(m.Last().Value)))
		}
	}
}
