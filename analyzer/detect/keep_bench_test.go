//go:build bench || scratch

package detect

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// BenchmarkMillionKept saves and restores a bank of a million series, as the
// server does every ten minutes and when it starts: to a file and from it, with
// the labels by which series are found again. Held is how long samples wait at most.
func BenchmarkMillionKept(b *testing.B) {
	const n = 1 << 20
	bank, dir := NewBank(Builtin(), 0), b.TempDir()
	for ref := range uint64(n) {
		bank.Observe(ref, func() map[string]string {
			return map[string]string{"__name__": "DCGM_FI_DEV_ECC_SBE_VOL_TOTAL", "Hostname": fmt.Sprint("node-", ref/8), "UUID": fmt.Sprint("GPU-", ref), "gpu": fmt.Sprint(ref % 8), "namespace": "train", "pod": fmt.Sprint("llm-", ref/8)}
		}, 1_000_000, 60)
	}
	b.Run("save", func(b *testing.B) {
		for b.Loop() {
			if err := bank.Save(dir); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(b.Elapsed().Seconds()/float64(b.N), "s/save")
		f, err := os.Stat(filepath.Join(dir, stateFile))
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(f.Size())/1e6, "MB")
	})
	b.Run("held", func(b *testing.B) {
		most := time.Duration(0)
		for b.Loop() {
			ix, copied := index{}, NewSlab[memory]("bank")
			for from, more := 0, true; more; from += page {
				began := time.Now()
				more = bank.copyPage(&ix, copied, from)
				most = max(most, time.Since(began))
			}
		}
		b.ReportMetric(most.Seconds()*1e3, "ms-held")
	})
	b.Run("restore", func(b *testing.B) {
		for b.Loop() {
			again := NewBank(Builtin(), 0)
			if err := again.Restore(dir); err != nil {
				b.Fatal(err)
			}
			if len(again.members) != n {
				b.Fatalf("%d series, want %d", len(again.members), n)
			}
		}
		b.ReportMetric(b.Elapsed().Seconds()/float64(b.N), "s/restore")
	})
}
