package cost

import (
	"fmt"
	"math"
	"path/filepath"
	"time"

	"vedette.dev/rules/strictyaml"
)

// Own is the prices of one's own that `prices:` in the server's configuration
// names: they go before list prices.
type Own struct {
	APIVersion string `yaml:"apiVersion"` // vedette.dev/v1
	Kind       string `yaml:"kind"`       // PriceBook

	AsOf     string             `yaml:"asOf"`     // the day they were true: 2026-11-01
	Region   string             `yaml:"region"`   // of nodes that do not say theirs
	Discount float64            `yaml:"discount"` // share off every list price: 0.17
	Spot     map[string]float64 `yaml:"spot"`     // USD an hour for a whole machine that is bought as spot, by its type

	OpenCost   string             `yaml:"openCostCSV"` // a file of prices that is kept for OpenCost, beside this one: they go before list prices
	Commitment Commitment         `yaml:"commitment"`  // what machines on demand are bought under, where its rates were asked for
	Split      Split              `yaml:"split"`       // of a machine's price: gpu-95-3-2, opencost or whole; gpu-95-3-2
	Instances  map[string]float64 `yaml:"instances"`   // USD an hour for a whole machine, by its type
	GPUs       map[string]Owned   `yaml:"gpus"`        // by the name that DCGM gives a GPU: NVIDIA H100 80GB HBM3
}

// Owned is what an hour of a GPU of one's own costs: what it was bought for over
// the months that it is used, its power, and what else an hour costs.
type Owned struct {
	USDPerHour float64 `yaml:"usdPerHour"`
	Capex      float64 `yaml:"capex"` // USD for a GPU with its share of the machine
	Months     float64 `yaml:"months"`
	Watts      float64 `yaml:"watts"` // of a GPU with its share of the machine
	USDPerKWh  float64 `yaml:"usdPerKWh"`
	PUE        float64 `yaml:"pue"` // power of the building to that of the machines; 1
}

// Hour returns the USD for one hour.
func (o Owned) Hour() float64 {
	usd := o.USDPerHour + o.Watts/1000*max(o.PUE, 1)*o.USDPerKWh
	if o.Months > 0 {
		usd += o.Capex / (o.Months * monthHours)
	}
	return usd
}

// A Split says how much of a machine's price its GPUs are.
type Split string

// The splits. The first gives 95 % to the GPUs, 3 % to the CPUs and 2 % to the
// memory, as Datadog does
// (https://docs.datadoghq.com/cloud_cost_management/container_cost_allocation/).
// OpenCost's weighs GPUs, CPUs and memory as its default prices do; of a
// p5.48xlarge that leaves a third for eight H100
// (https://github.com/opencost/opencost/blob/develop/configs/default.json).
const (
	SplitGPU      Split = "gpu-95-3-2"
	SplitOpenCost Split = "opencost"
	SplitWhole    Split = "whole"
)

// shares returns what of a machine's price is its GPUs', its CPUs' and its memory's.
func (s Split) shares(i Instance) (gpus, cpus, memory float64) {
	switch s {
	case SplitWhole:
		return 1, 0, 0
	case SplitOpenCost:
		const cpu, gib, gpu = 0.031611, 0.004237, 0.95
		all := i.VCPUs*cpu + i.MemoryMiB/1024*gib + i.GPUs*gpu
		return i.GPUs * gpu / all, i.VCPUs * cpu / all, i.MemoryMiB / 1024 * gib / all
	}
	return 0.95, 0.03, 0.02
}

// Owning returns b with prices of one's own before its own.
func (b *Book) Owning(o Own) (*Book, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	c := *b
	c.own = o
	if o.OpenCost != "" {
		var err error
		if c.sheet, err = readSheet(o.OpenCost); err != nil {
			return nil, err
		}
	}
	return &c, nil
}

// ReadOwn reads a file of prices of one's own.
func ReadOwn(path string) (Own, error) {
	var o Own
	if err := strictyaml.DecodeFile(path, &o); err != nil {
		return o, fmt.Errorf("read prices: %w", err)
	}
	if o.APIVersion != "vedette.dev/v1" || o.Kind != "PriceBook" {
		return o, fmt.Errorf("read prices: %s is %s %s, not vedette.dev/v1 PriceBook", path, o.APIVersion, o.Kind)
	}
	if err := o.check(); err != nil {
		return o, fmt.Errorf("read prices: %s: %w", path, err)
	}
	if o.OpenCost != "" && !filepath.IsAbs(o.OpenCost) {
		o.OpenCost = filepath.Join(filepath.Dir(path), o.OpenCost)
	}
	return o, nil
}

func (o Own) check() error {
	switch o.Split {
	case "", SplitGPU, SplitOpenCost, SplitWhole:
	default:
		return fmt.Errorf("split %q is not %s, %s or %s", o.Split, SplitGPU, SplitOpenCost, SplitWhole)
	}
	if !(o.Discount >= 0 && o.Discount < 1) {
		return fmt.Errorf("discount %v is not a share from 0 up to 1", o.Discount)
	}
	if _, err := o.day(); o.AsOf != "" && err != nil {
		return fmt.Errorf("asOf %q is not a day: 2026-11-01", o.AsOf)
	}
	if err := o.Commitment.check(); err != nil {
		return err
	}
	for name, usd := range o.Spot {
		if !(usd > 0) {
			return fmt.Errorf("spot: the price of %s is %v, not above 0", name, usd)
		}
	}
	for name, usd := range o.Instances {
		if !(usd > 0) {
			return fmt.Errorf("instances: the price of %s is %v, not above 0", name, usd)
		}
	}
	for name, g := range o.GPUs {
		if !(g.Hour() > 0) || math.IsInf(g.Hour(), 0) {
			return fmt.Errorf("gpus: an hour of %s costs %v, not above 0", name, g.Hour())
		}
	}
	return nil
}

func (o Own) day() (time.Time, error) { return time.Parse(time.DateOnly, o.AsOf) }

// A Price is what an hour of a GPU costs, and why that.
type Price struct {
	USD    float64
	CPU    float64 // of the machine's hour, its CPUs', for each of its GPUs
	Memory float64 // the same of its memory
	Known  bool
	Why    string // how it comes about, or what is missing
	AsOf   time.Time
}

// Rest returns what of the machine's hour is not its GPUs', for each of them.
func (p Price) Rest() float64 { return p.CPU + p.Memory }

// GPUHour returns the price of an hour of a GPU called model in n.
func (b *Book) GPUHour(n Node, model string) Price {
	day, _ := b.own.day()
	if o, ok := b.own.GPUs[model]; ok {
		return Price{USD: o.Hour(), Known: true, Why: model + " of one's own", AsOf: day}
	}
	if _, own := b.own.Instances[n.Instance]; !own {
		if p, ok := b.sheet.hour(b, n, model); ok {
			return p
		}
	}
	if n.Instance == "" {
		return Price{Why: "the type of the machine was not seen"}
	}
	region, why := n.Region, ""
	if region == "" {
		region, why = b.own.Region, ", in the region of the price book"
	}
	if region == "" {
		region, why = homeRegion, ", in "+homeRegion+" since no region was seen"
	}
	i, listed := b.Instance(region, n.Instance)
	if usd, ok := b.own.Instances[n.Instance]; ok && !(n.Spot && b.own.Spot[n.Instance] > 0) {
		p := Price{Known: listed, Why: n.Instance + " at a price of one's own" + why, AsOf: day}
		if !listed {
			if i, listed = b.Instance(homeRegion, n.Instance); !listed {
				return Price{Why: "how many GPUs " + n.Instance + " has is not known"}
			}
			p.Known = true
		}
		return b.split(p, i, usd)
	}
	switch {
	case !listed:
		return Price{Why: fmt.Sprintf("there is no list price of %s in %s", n.Instance, region)}
	case n.Spot:
		return b.spotHour(n, region, i, day)
	}
	if o, ok := b.committed(region, n.Instance); ok {
		return b.split(Price{Known: true, Why: n.Instance + " under: " + o.name() + why, AsOf: o.Rate.AsOf}, i, o.Rate.USD)
	}
	if c := b.own.Commitment; c.Way != "" {
		why += fmt.Sprintf(" (no rate of it is known under: %s)", Offer{Way: c.Way, Years: c.Years}.name())
	}
	p := Price{Known: true, Why: n.Instance + " on demand" + why, AsOf: i.Rate.AsOf}
	if b.own.Discount > 0 {
		p.Why += fmt.Sprintf(", %.0f %% off", 100*b.own.Discount)
	}
	return b.split(p, i, i.Rate.USD*(1-b.own.Discount))
}

// spotHour returns the price of an hour of a GPU in a machine that is bought as spot.
func (b *Book) spotHour(n Node, region string, i Instance, day time.Time) Price {
	if usd, ok := b.own.Spot[n.Instance]; ok {
		return b.split(Price{Known: true, Why: n.Instance + " at a spot price of one's own", AsOf: day}, i, usd)
	}
	o, inZone, ok := b.spot(region, n.Zone, n.Instance)
	if !ok {
		return Price{Why: n.Instance + " is bought at a spot price, which is not in the book"}
	}
	where := "the mean of " + region
	if inZone {
		where = "in " + n.Zone
	}
	return b.split(Price{Known: true, Why: n.Instance + " as spot, " + where, AsOf: o.Rate.AsOf}, i, o.Rate.USD)
}

// homeRegion is the region of the list prices that come with the program.
const homeRegion = "us-east-1"

// split gives the GPUs of a machine their part of its price. A part of a GPU
// counts as one: it is the one that is seen there.
func (b *Book) split(p Price, i Instance, usd float64) Price {
	devices := math.Ceil(i.GPUs)
	gpus, cpus, memory := b.own.Split.shares(i)
	p.USD, p.CPU, p.Memory = usd*gpus/devices, usd*cpus/devices, usd*memory/devices
	return p
}
