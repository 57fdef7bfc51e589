package cost

import (
	"bytes"
	"cmp"
	"fmt"
	"math"
	"os"
	"strings"
	"time"

	"vedette.dev/rules/strictcsv"
)

// A sheet is prices that a site keeps for OpenCost, as CSV:
// https://opencost.io/docs/configuration/on-prem
// https://github.com/opencost/opencost/blob/develop/configs/pricing_schema.csv
//
// As there, the price of a machine is found by its name or its provider's ID,
// or else by region and type, the mean of those that are listed; and a price of
// its kind of GPU comes on top of it.
type sheet struct {
	file  string
	asOf  time.Time // of the newest row
	nodes map[string]float64
	types map[place][]float64
	gpus  map[string]float64 // by what kind calls them
}

const sheetHeader = "EndTimestamp,InstanceID,Region,AssetClass,InstanceIDField,InstanceType,MarketPriceHourly,Version"

// readSheet reads a file. A row that cannot be followed here is an error: a
// price that is passed over looks like one that is there.
func readSheet(file string) (*sheet, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	s := &sheet{file: file, nodes: map[string]float64{}, types: map[place][]float64{}, gpus: map[string]float64{}}
	err = strictcsv.Each(file, bytes.NewReader(data), sheetHeader, func(f []string) error {
		at, id, region, class, field, machine := f[0], strings.ToLower(f[1]), strings.ToLower(f[2]), f[3], f[4], f[5]
		var usd float64
		if err := numbers(f[6:7], &usd); err != nil {
			return err
		}
		if day, err := time.Parse("2006-01-02 15:04:05 MST", at); err == nil && day.After(s.asOf) {
			s.asOf = day
		}
		switch class {
		case "pv":
			return nil // volumes are not costed
		case "gpu":
			s.gpus[kind(id)] = usd
			return nil
		case "node":
		default:
			return fmt.Errorf("asset class %q is not node, gpu or pv", class)
		}
		named := field == "metadata.name" || field == "spec.providerID"
		switch {
		case named && id != "":
			s.nodes[id] = usd
		case machine == "":
			return fmt.Errorf("the machine is told by %q: only metadata.name, spec.providerID and an InstanceType are read", field)
		}
		if machine != "" {
			k := place{region, machine}
			s.types[k] = append(s.types[k], usd)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read OpenCost's prices: %w", err)
	}
	return s, nil
}

// kind makes one name of a GPU of what a label and what DCGM call it:
// NVIDIA-H100-80GB-HBM3, Quadro_RTX_4000 and NVIDIA H100 80GB HBM3.
func kind(name string) string {
	name = strings.ToLower(strings.NewReplacer("_", " ", "-", " ").Replace(name))
	return strings.TrimPrefix(name, "nvidia ")
}

// hour returns the price of an hour of a GPU called model in n, false where the
// sheet has none.
func (s *sheet) hour(b *Book, n Node, model string) (Price, bool) {
	if s == nil {
		return Price{}, false
	}
	usd, ok := s.nodes[strings.ToLower(n.Name)]
	if !ok {
		usd, ok = s.nodes[strings.ToLower(n.ID)]
	}
	if !ok {
		of := s.types[place{strings.ToLower(n.Region), n.Instance}]
		if of == nil {
			of = s.types[place{"", n.Instance}]
		}
		for _, v := range of {
			usd += v / float64(len(of))
		}
		ok = len(of) > 0
	}
	if !ok {
		return Price{}, false
	}
	p := Price{Known: true, Why: cmp.Or(n.Instance, n.Name) + " in OpenCost's prices", AsOf: s.asOf}
	i, listed := b.known(n.Instance)
	if !listed {
		i = Instance{GPUs: n.Capacity.GPUs, VCPUs: n.Capacity.CPUs, MemoryMiB: n.Capacity.MemoryBytes / (1 << 20)}
	}
	if i.GPUs == 0 {
		return Price{Why: "how many GPUs " + cmp.Or(n.Instance, n.Name) + " has is not known"}, true
	}
	p = b.split(p, i, usd)
	if each, apart := s.gpus[kind(model)]; apart { // then the machine's price is that of its CPUs and memory
		_, cpus, memory := b.own.Split.shares(i)
		if cpus+memory == 0 {
			cpus, memory = 1, 1
		}
		rest := usd / math.Ceil(i.GPUs)
		p.USD, p.CPU, p.Memory = each, rest*cpus/(cpus+memory), rest*memory/(cpus+memory)
	}
	return p, true
}
