package host

import (
	"bytes"
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/prometheus/procfs"

	"vedette.dev/rules/catalog"
	"vedette.dev/rules/strictcsv"
)

// What the node has and should have. A GPU that falls off the bus may be gone
// from it, and then no tool of NVIDIA's misses it.
const (
	Present  catalog.ID = "vedette_gpus_present"  // GPUs on the PCI bus
	Expected catalog.ID = "vedette_gpus_expected" // GPUs that a machine of its kind has, with the label instance_type
)

//go:embed instances.csv
var instances []byte

// gpusOf returns the table of instance types.
var gpusOf = sync.OnceValue(func() map[string]int {
	t := map[string]int{}
	err := strictcsv.Each("instances.csv", bytes.NewReader(instances), "product,gpus,source", func(f []string) error {
		n, err := strconv.Atoi(f[1])
		if err != nil || n < 1 {
			return fmt.Errorf("%s: %q is no number of GPUs", f[0], f[1])
		}
		if _, twice := t[f[0]]; twice || f[2] == "" {
			return fmt.Errorf("%s: listed twice, or without a source", f[0])
		}
		t[f[0]] = n
		return nil
	})
	if err != nil {
		panic(err) // embedded data: a test reads it too
	}
	return t
})

// readGPUs counts the GPUs on the bus, on a node that has or should have some.
func (s *Source) readGPUs(b *batch, _ procfs.FS) error {
	const vendor, display = "0x10de", "0x03" // NVIDIA's number, and the class of what can draw or compute
	devices, err := filepath.Glob(filepath.Join(s.sys("bus/pci/devices"), "*"))
	if err != nil {
		return err
	}
	n := 0
	for _, d := range devices {
		if text(d, "vendor") == vendor && strings.HasPrefix(text(d, "class"), display) {
			n++
		}
	}
	product := text(s.sys("class/dmi/id"), "product_name")
	want, known := gpusOf()[product]
	if n > 0 || known {
		b.gauge(Present, float64(n))
	}
	if known {
		b.gauge(Expected, float64(want), "instance_type", product)
	}
	return nil
}

// text returns what a file of sysfs says, "" where there is none.
func text(dir, name string) string {
	data, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(data))
}
