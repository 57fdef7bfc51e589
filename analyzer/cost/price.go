package cost

import (
	"bytes"
	"embed"
	"fmt"
	"io/fs"
	"maps"
	"strconv"
	"sync"
	"time"

	"vedette.dev/rules/strictcsv"
)

//go:embed prices sample
var files embed.FS

// stale is how old a price may be before a report warns. AWS changes prices of
// GPUs seldom and by much, 45 % at once in June 2025
// (https://aws.amazon.com/blogs/aws/announcing-up-to-45-price-reduction-for-amazon-ec2-nvidia-gpu-accelerated-instances/).
const stale = 90 * 24 * time.Hour

// A Book is what things cost. The zero value knows no price.
type Book struct {
	instances map[place]Instance
	rates     map[place]Rate
	offers    map[place][]Offer // of machines, by another way than on demand
	sheet     *sheet            // prices kept for OpenCost; nil where there are none
	own       Own
}

// place is what a price is of: a thing in a region.
type place struct{ region, item string }

// An Instance is a type of machine and its price for an hour.
type Instance struct {
	Region, Name string
	GPU          string
	GPUs         float64 // below 1 where the machine has a part of one
	GPUMiB       float64 // of each
	VCPUs        float64
	MemoryMiB    float64
	Rate         Rate
}

// A Rate is the price of one unit of something.
type Rate struct {
	USD    float64
	Unit   string // hour, month or GB-month
	Note   string // what the price leaves out
	AsOf   time.Time
	Source string
}

// Listed returns the book of list prices that comes with the program.
var Listed = sync.OnceValue(func() *Book { return must(readBook(files, "prices/aws.csv", "prices/services.csv")) })

func must[T any](v T, err error) T {
	if err != nil {
		panic(err) // embedded data that does not parse
	}
	return v
}

// readBook reads a table of instances, where one is named, and one of rates.
func readBook(fsys fs.FS, instances, rates string) (*Book, error) {
	b := &Book{instances: map[place]Instance{}, rates: map[place]Rate{}}
	if instances != "" {
		err := each(fsys, instances, "region,instance,gpu,gpus,gpu_mib,vcpus,memory_mib,usd_per_hour,as_of,source", func(f []string) error {
			i := Instance{Region: f[0], Name: f[1], GPU: f[2]}
			var err error
			if i.Rate, err = rate(f[7], "hour", "", f[8], f[9]); err != nil {
				return err
			}
			if err := numbers(f[3:7], &i.GPUs, &i.GPUMiB, &i.VCPUs, &i.MemoryMiB); err != nil {
				return err
			}
			return put(b.instances, place{i.Region, i.Name}, i)
		})
		if err != nil {
			return nil, err
		}
	}
	err := each(fsys, rates, "region,item,unit,usd,note,as_of,source", func(f []string) error {
		r, err := rate(f[3], f[2], f[4], f[5], f[6])
		if err != nil {
			return err
		}
		return put(b.rates, place{f[0], f[1]}, r)
	})
	return b, err
}

func each(fsys fs.FS, file, header string, do func(f []string) error) error {
	data, err := fs.ReadFile(fsys, file)
	if err != nil {
		return err
	}
	return strictcsv.Each(file, bytes.NewReader(data), header, do)
}

func put[V any](m map[place]V, at place, v V) error {
	if _, twice := m[at]; twice {
		return fmt.Errorf("%s in %s has two prices", at.item, at.region)
	}
	m[at] = v
	return nil
}

func rate(usd, unit, note, asOf, source string) (Rate, error) {
	r := Rate{Unit: unit, Note: note, Source: source}
	if source == "" {
		return r, fmt.Errorf("has no source")
	}
	if unit != "hour" && unit != "month" && unit != "GB-month" {
		return r, fmt.Errorf("unit %q is not hour, month or GB-month", unit)
	}
	var err error
	if r.AsOf, err = time.Parse(time.DateOnly, asOf); err != nil {
		return r, err
	}
	return r, numbers([]string{usd}, &r.USD)
}

// numbers parses what may not be negative.
func numbers(from []string, to ...*float64) error {
	for i, s := range from {
		v, err := strconv.ParseFloat(s, 64)
		if err != nil || !(v >= 0) {
			return fmt.Errorf("%q is not a number from 0 up", s)
		}
		*to[i] = v
	}
	return nil
}

// Instance returns what the book knows of a type of machine in a region.
func (b *Book) Instance(region, name string) (Instance, bool) {
	i, ok := b.instances[place{region, name}]
	return i, ok
}

// Rate returns the list price of an item, which may be a type of machine.
func (b *Book) Rate(region, item string) (Rate, bool) {
	if i, ok := b.Instance(region, item); ok {
		return i.Rate, true
	}
	r, ok := b.rates[place{region, item}]
	return r, ok
}

// Refreshed returns b with newer prices. Of a type of machine that b knows in
// any region it keeps which GPUs that has: a price list does not name them.
func (b *Book) Refreshed(newer []Instance) *Book {
	c := *b
	c.instances = maps.Clone(b.instances)
	for _, i := range newer {
		if known, ok := b.known(i.Name); ok {
			i.GPU, i.GPUs, i.GPUMiB = known.GPU, known.GPUs, known.GPUMiB
		}
		if i.GPUs > 0 {
			c.instances[place{i.Region, i.Name}] = i
		}
	}
	return &c
}

// known returns what is known of a type of machine, whatever it costs.
func (b *Book) known(name string) (Instance, bool) { return b.Instance(homeRegion, name) }
