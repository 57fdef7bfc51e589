package host

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/prometheus/procfs"

	"vedette.dev/rules/catalog"
	"vedette.dev/rules/strictcsv"
)

//go:embed efa.csv
var efa []byte

// efaFiles returns the counters of an adapter.
var efaFiles = sync.OnceValue(func() []string {
	var files []string
	err := strictcsv.Each("efa.csv", bytes.NewReader(efa), "file,source", func(f []string) error {
		if f[0] == "" || f[1] == "" {
			return errors.New("file and source are required")
		}
		files = append(files, f[0])
		return nil
	})
	if err != nil {
		panic(err) // embedded data: a test reads it too
	}
	return files
})

// efaDriver is the line by which a PCI device names the driver of Amazon's
// Elastic Fabric Adapter.
const efaDriver = "DRIVER=efa"

// readEFA reads the counters of Amazon's adapters, which are listed with the
// InfiniBand devices and count other things. What an older driver does not
// count has no series.
func (s *Source) readEFA(b *batch, _ procfs.FS) error {
	ports, _ := filepath.Glob(s.sys("class", "infiniband", "*", "ports", "*")) // the pattern is good
	var errs []error
	for _, port := range ports {
		device := filepath.Base(filepath.Dir(filepath.Dir(port)))
		if !s.isEFA(device) {
			continue
		}
		for _, f := range efaFiles() {
			text, err := os.ReadFile(filepath.Join(port, "hw_counters", f))
			if errors.Is(err, os.ErrNotExist) {
				continue
			}
			if err != nil {
				errs = append(errs, err)
				continue
			}
			v, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
			if err != nil {
				errs = append(errs, fmt.Errorf("%s port %s: %s: %w", device, filepath.Base(port), f, err))
				continue
			}
			b.counter(catalog.ID("node_amazonefa_"+f), float64(v), "device", device, "port", filepath.Base(port))
		}
	}
	return errors.Join(errs...)
}

func (s *Source) isEFA(device string) bool {
	text, err := os.ReadFile(s.sys("class", "infiniband", device, "device", "uevent"))
	return err == nil && slices.Contains(strings.Fields(string(text)), efaDriver)
}
