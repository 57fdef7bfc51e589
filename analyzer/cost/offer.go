package cost

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
)

// A Way is how a machine is bought otherwise than on demand.
type Way string

// The ways. Those with a commitment are without a payment upfront here: the
// others are cheaper by a few points, and tie up money that a price does not tell.
const (
	Spot         Way = "spot"
	ComputePlan  Way = "compute-savings-plan"  // holds for any machine
	InstancePlan Way = "instance-savings-plan" // for one family in one region
	Reserved     Way = "reserved"              // standard, for one type in one region
)

// people calls it as AWS does.
func (w Way) people() string {
	return map[Way]string{Spot: "spot", ComputePlan: "Compute Savings Plan", InstancePlan: "EC2 Instance Savings Plan", Reserved: "Reserved Instance"}[w]
}

// An Offer is the price of an hour of a machine that is bought another way.
type Offer struct {
	Region, Instance string
	Way              Way
	Years            int    // of the commitment, 0 for spot
	Zone             string // of a spot price
	Rate             Rate
}

func (o Offer) name() string {
	switch o.Years {
	case 0:
		return o.Way.people()
	case 1:
		return o.Way.people() + " of 1 year"
	}
	return fmt.Sprintf("%s of %d years", o.Way.people(), o.Years)
}

// Offered returns b with newer offers in place of those of the same ways in the
// same regions: one that is not there any more is not to be had.
func (b *Book) Offered(newer []Offer) *Book {
	type lot struct {
		region string
		way    Way
	}
	again := map[lot]bool{}
	for _, o := range newer {
		again[lot{o.Region, o.Way}] = true
	}
	c := *b
	c.offers = map[place][]Offer{}
	for at, os := range b.offers {
		c.offers[at] = slices.DeleteFunc(slices.Clone(os), func(o Offer) bool { return again[lot{o.Region, o.Way}] })
	}
	for _, o := range newer {
		at := place{o.Region, o.Instance}
		c.offers[at] = append(c.offers[at], o)
	}
	return &c
}

// Machines returns the names of the machines that the book has a price of in a region, in order.
func (b *Book) Machines(region string) []string {
	var out []string
	for at := range maps.Keys(b.instances) {
		if at.region == region {
			out = append(out, at.item)
		}
	}
	slices.Sort(out)
	return out
}

// spot returns the spot price of a machine in a zone, or the mean of the
// region's where that zone's is not known.
func (b *Book) spot(region, zone, name string) (o Offer, inZone, ok bool) {
	sum, n := 0.0, 0.0
	for _, x := range b.offers[place{region, name}] {
		if x.Way != Spot {
			continue
		}
		if x.Zone == zone && zone != "" {
			return x, true, true
		}
		o, sum, n = x, sum+x.Rate.USD, n+1
	}
	o.Rate.USD = sum / n
	return o, false, n > 0
}

// committed returns the offer that a commitment of one's own is.
func (b *Book) committed(region, name string) (Offer, bool) {
	for _, o := range b.offers[place{region, name}] {
		if o.Way == b.own.Commitment.Way && o.Years == b.own.Commitment.Years {
			return o, true
		}
	}
	return Offer{}, false
}

// A Commitment is what one's machines on demand are bought under.
type Commitment struct {
	Way   Way `yaml:"way"`   // compute-savings-plan, instance-savings-plan or reserved; "" is none
	Years int `yaml:"years"` // 1 or 3
}

func (c Commitment) check() error {
	if c == (Commitment{}) {
		return nil
	}
	if c.Way != ComputePlan && c.Way != InstancePlan && c.Way != Reserved || c.Years != 1 && c.Years != 3 {
		return fmt.Errorf("commitment %q of %d years is not %s, %s or %s of 1 or 3", c.Way, c.Years, ComputePlan, InstancePlan, Reserved)
	}
	return nil
}

// An Alternative is what the machine-hours of a window would have cost bought
// another way.
type Alternative struct {
	Instance string  `json:"instance"`
	Region   string  `json:"region"`
	Way      string  `json:"way"`
	Hours    float64 `json:"machineHours"`
	USD      float64 `json:"usdPerHour"`
	All      float64 `json:"usd"`   // of the hours
	Less     float64 `json:"share"` // of the price on demand, that it is less
	AsOf     string  `json:"asOf"`
}

// alternatives says how the machines that are paid for on demand could be bought.
// Hours count: a commitment is paid for in all of them, used or not.
func alternatives(f *Facts, b *Book, us []Use) []Alternative {
	hours := map[place]float64{}
	for _, u := range us {
		n := f.Nodes[u.Node]
		at := place{or(n.Region, or(b.own.Region, homeRegion)), n.Instance}
		if i, ok := b.Instance(at.region, at.item); ok && u.Class != "" && !n.Spot && b.own.Instances[n.Instance] == 0 {
			hours[at] += u.GPUHours / math.Ceil(i.GPUs)
		}
	}
	out := []Alternative{}
	for at, h := range hours {
		list, _ := b.Rate(at.region, at.item)
		add := func(o Offer) {
			out = append(out, Alternative{Instance: at.item, Region: at.region, Way: o.name(), Hours: h, USD: o.Rate.USD, All: o.Rate.USD * h,
				Less: 1 - o.Rate.USD/list.USD, AsOf: o.Rate.AsOf.Format("2006-01-02")})
		}
		for _, o := range b.offers[at] {
			if o.Way != Spot {
				add(o)
			}
		}
		if o, _, ok := b.spot(at.region, "", at.item); ok {
			add(o)
		}
	}
	slices.SortFunc(out, func(a, b Alternative) int {
		return cmp.Or(strings.Compare(a.Region, b.Region), strings.Compare(a.Instance, b.Instance), cmp.Compare(a.USD, b.USD), strings.Compare(a.Way, b.Way))
	})
	return out
}
