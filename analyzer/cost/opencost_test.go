package cost

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Prices that are kept for OpenCost say here what they say there.
func TestOpenCostPrices(t *testing.T) {
	dir := t.TempDir()
	book := func(rows string) (*Book, error) {
		file := filepath.Join(dir, "prices.yaml")
		for name, data := range map[string]string{file: "apiVersion: vedette.dev/v1\nkind: PriceBook\nopenCostCSV: pricing.csv\n",
			filepath.Join(dir, "pricing.csv"): sheetHeader + "\n" + rows} {
			if err := os.WriteFile(name, []byte(data), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		own, err := ReadOwn(file)
		if err != nil {
			return nil, err
		}
		return Listed().Owning(own)
	}
	b, err := book(`2026-11-02 23:34:22 UTC,rack-1,,node,metadata.name,,8.0,
2026-10-01 23:34:22 UTC,i-0abc,,node,spec.providerID,,40,
2026-10-01 23:34:22 UTC,,us-east-1,node,,p5.48xlarge,30,
2026-10-01 23:34:22 UTC,,us-east-1,node,,p5.48xlarge,34,
2026-10-01 23:34:22 UTC,NVIDIA-L40S,,gpu,nvidia.com/gpu.product,,0.75,
2026-10-01 23:34:22 UTC,fast,,pv,spec.storageClassName,,0.0001,
`)
	if err != nil {
		t.Fatal(err)
	}
	const h100 = "NVIDIA H100 80GB HBM3"
	for _, tt := range []struct {
		name  string
		node  Node
		model string
		gpu   float64 // USD an hour for one
		rest  float64
		why   string
	}{
		{"by type, the mean", Node{Instance: "p5.48xlarge", Region: "us-east-1"}, h100, 32 * .95 / 8, 32 * .05 / 8, "p5.48xlarge in OpenCost's prices"},
		{"by ID", Node{Instance: "p5.48xlarge", Region: "us-east-1", ID: "i-0abc"}, h100, 40 * .95 / 8, 40 * .05 / 8, "p5.48xlarge in OpenCost's prices"},
		{"by name, of a machine that no list knows", Node{Name: "rack-1", Capacity: Size{GPUs: 4, CPUs: 64, MemoryBytes: 1 << 39}}, h100, 8 * .95 / 4, 8 * .05 / 4, "rack-1 in OpenCost's prices"},
		{"a price for the GPU on top", Node{Name: "rack-1", Capacity: Size{GPUs: 4, CPUs: 64, MemoryBytes: 1 << 39}}, "NVIDIA L40S", 0.75, 2, "rack-1 in OpenCost's prices"},
		{"a price for nobody knows how many", Node{Name: "rack-1"}, h100, 0, 0, "how many GPUs rack-1 has is not known"},
		{"what it does not have is on the list", Node{Instance: "g5.xlarge", Region: "us-east-1"}, "NVIDIA A10G", 1.006 * .95, 1.006 * .05, "g5.xlarge on demand"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := b.GPUHour(tt.node, tt.model)
			if math.Abs(p.USD-tt.gpu) > 1e-9 || math.Abs(p.Rest()-tt.rest) > 1e-9 || p.Why != tt.why || p.Known != (tt.gpu > 0) {
				t.Errorf("%v and %v since %q; want %v and %v since %q", p.USD, p.Rest(), p.Why, tt.gpu, tt.rest, tt.why)
			}
			if day := p.AsOf.Format(time.DateOnly); strings.Contains(tt.why, "OpenCost") && day != "2026-11-02" {
				t.Errorf("of %s, want the newest row's day", day)
			}
		})
	}
	for rows, want := range map[string]string{
		"t,x,,node,metadata.labels.rack,,1,\n": `the machine is told by "metadata.labels.rack"`,
		"t,x,,house,metadata.name,,1,\n":       `asset class "house"`,
		"t,x,,node,metadata.name,,free,\n":     `"free" is not a number`,
	} {
		if _, err := book(rows); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "pricing.csv:2") {
			t.Errorf("%q: %v, want %q", rows, err, want)
		}
	}
}
