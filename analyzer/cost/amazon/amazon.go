// Package amazon asks AWS what machines with GPUs cost: its Pricing API on demand
// and reserved, its Savings Plans API under a plan, EC2 as spot. Negotiated
// prices are not there: what a contract says goes into a price book of one's own.
package amazon

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/pricing"
	"github.com/aws/aws-sdk-go-v2/service/pricing/types"
	"github.com/aws/aws-sdk-go-v2/service/savingsplans"

	"vedette.dev/analyzer/cost"
)

// home is where the Pricing API is, whatever region it is asked about:
// https://docs.aws.amazon.com/awsaccountbilling/latest/aboutv2/using-price-list-query-api.html
const home = "us-east-1"

// source is what a price from here says that it is from.
const source = "https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_pricing_GetProducts.html"

// Lists reads price lists.
type Lists struct {
	API   pricing.GetProductsAPIClient
	Plans *savingsplans.Client
	EC2   market
}

// Open finds credentials as every AWS program does. An endpoint other than
// AWS' own is for tests.
func Open(ctx context.Context, endpoint string) (*Lists, error) {
	cfg, err := config.LoadDefaultConfig(ctx, config.WithRegion(home))
	if err != nil {
		return nil, fmt.Errorf("AWS Pricing: %w", err)
	}
	return &Lists{API: pricing.NewFromConfig(cfg, func(o *pricing.Options) {
		if endpoint != "" {
			o.BaseEndpoint = &endpoint
		}
	}), Plans: savingsplans.NewFromConfig(cfg, func(o *savingsplans.Options) {
		if endpoint != "" {
			o.BaseEndpoint = &endpoint
		}
	}), EC2: market{cfg, endpoint}}, nil
}

// GPUMachines returns the machines with GPUs that are sold in a region, with
// their prices as of now, and what they cost reserved. What of them cannot be
// read is in the error, and the others are returned beside it.
func (l *Lists) GPUMachines(ctx context.Context, region string, now time.Time) ([]cost.Instance, []cost.Offer, error) {
	service := "AmazonEC2"
	in := &pricing.GetProductsInput{ServiceCode: &service, Filters: []types.Filter{
		is("regionCode", region),
		is("instanceFamily", "GPU instance"),
		is("operatingSystem", "Linux"), // without a licence and of a shared machine that is paid for as it is used
		is("preInstalledSw", "NA"),
		is("tenancy", "Shared"),
		is("capacitystatus", "Used"),
	}}
	var out []cost.Instance
	var offers []cost.Offer
	var errs []error
	for pages := pricing.NewGetProductsPaginator(l.API, in); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return out, offers, errors.Join(append(errs, fmt.Errorf("ask AWS for the prices in %s: %w", region, err))...)
		}
		for _, doc := range page.PriceList {
			i, reserved, err := parse(doc, region, now)
			if err != nil {
				errs = append(errs, fmt.Errorf("read AWS' price list of %s: %w", region, err))
				continue
			}
			out, offers = append(out, i), append(offers, reserved...)
		}
	}
	return out, offers, errors.Join(errs...)
}

func is(field, value string) types.Filter {
	return types.Filter{Type: types.FilterTypeTermMatch, Field: &field, Value: &value}
}

// A product is one document of a price list, as far as it is read.
type product struct {
	Product struct {
		Attributes struct {
			InstanceType string `json:"instanceType"`
			GPU          string `json:"gpu"`
			VCPU         string `json:"vcpu"`
			Memory       string `json:"memory"` // 2,048 GiB
		} `json:"attributes"`
	} `json:"product"`
	Terms struct {
		OnDemand map[string]term `json:"OnDemand"`
		Reserved map[string]term `json:"Reserved"`
	} `json:"terms"`
}

type term struct {
	PriceDimensions map[string]struct {
		Unit         string            `json:"unit"`
		PricePerUnit map[string]string `json:"pricePerUnit"`
	} `json:"priceDimensions"`
	Attributes struct {
		Length  string `json:"LeaseContractLength"` // 1yr, 3yr
		Class   string `json:"OfferingClass"`       // standard, convertible
		Payment string `json:"PurchaseOption"`      // No Upfront and so on
	} `json:"termAttributes"`
}

// hourly returns the USD for an hour of a term, 0 where it has none.
func (t term) hourly() float64 {
	for _, d := range t.PriceDimensions {
		usd, err := strconv.ParseFloat(d.PricePerUnit["USD"], 64)
		if d.Unit == "Hrs" && err == nil && usd > 0 {
			return usd
		}
	}
	return 0
}

func parse(doc, region string, now time.Time) (cost.Instance, []cost.Offer, error) {
	var p product
	if err := json.Unmarshal([]byte(doc), &p); err != nil {
		return cost.Instance{}, nil, err
	}
	a := p.Product.Attributes
	i := cost.Instance{Region: region, Name: a.InstanceType, Rate: rate(0, source, now)}
	i.GPUs, _ = strconv.ParseFloat(a.GPU, 64) // of a part of a GPU it is not said; the price book may know
	i.VCPUs, _ = strconv.ParseFloat(a.VCPU, 64)
	gib, _ := strconv.ParseFloat(strings.ReplaceAll(strings.TrimSuffix(a.Memory, " GiB"), ",", ""), 64)
	i.MemoryMiB = 1024 * gib
	for _, t := range p.Terms.OnDemand {
		i.Rate.USD = max(i.Rate.USD, t.hourly())
	}
	if i.Name == "" || i.Rate.USD == 0 {
		return i, nil, fmt.Errorf("%q has no price on demand in USD an hour", i.Name)
	}
	var reserved []cost.Offer
	for _, t := range p.Terms.Reserved {
		years, _ := strconv.Atoi(strings.TrimSuffix(t.Attributes.Length, "yr"))
		if usd := t.hourly(); usd > 0 && years > 0 && t.Attributes.Class == "standard" && t.Attributes.Payment == noUpfront {
			reserved = append(reserved, cost.Offer{Region: region, Instance: i.Name, Way: cost.Reserved, Years: years, Rate: rate(usd, source, now)})
		}
	}
	slices.SortFunc(reserved, func(a, b cost.Offer) int { return cmp.Compare(a.Years, b.Years) })
	return i, reserved, nil
}

// noUpfront is what those commitments are called that are paid for by the hour.
const noUpfront = "No Upfront"

func rate(usd float64, source string, now time.Time) cost.Rate {
	return cost.Rate{USD: usd, Unit: "hour", AsOf: now.UTC().Truncate(24 * time.Hour), Source: source}
}
