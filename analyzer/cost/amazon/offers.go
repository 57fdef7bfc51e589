package amazon

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/savingsplans"
	plantypes "github.com/aws/aws-sdk-go-v2/service/savingsplans/types"

	"vedette.dev/analyzer/cost"
)

const (
	plansSource = "https://docs.aws.amazon.com/savingsplans/latest/APIReference/API_DescribeSavingsPlansOfferingRates.html"
	spotSource  = "https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeSpotPriceHistory.html"

	// spotPast is over how long a spot price is averaged: a report's usual window.
	spotPast = 7 * 24 * time.Hour

	// mostRates is the largest page of rates that the Savings Plans API gives.
	mostRates = 1000

	linux = "Linux/UNIX"
	year  = 365 * 24 * time.Hour
)

// SavingsPlans returns what machines cost in a region under plans without a
// payment upfront, as of now.
func (l *Lists) SavingsPlans(ctx context.Context, region string, machines []string, now time.Time) ([]cost.Offer, error) {
	families := map[string]bool{}
	for _, m := range machines {
		family, _, _ := strings.Cut(m, ".")
		families[family] = true
	}
	if len(families) == 0 {
		return nil, nil
	}
	by := func(name plantypes.SavingsPlanRateFilterAttribute, values ...string) plantypes.SavingsPlanOfferingRateFilterElement {
		return plantypes.SavingsPlanOfferingRateFilterElement{Name: name, Values: values}
	}
	in := &savingsplans.DescribeSavingsPlansOfferingRatesInput{
		MaxResults:                mostRates,
		Products:                  []plantypes.SavingsPlanProductType{plantypes.SavingsPlanProductTypeEc2},
		SavingsPlanPaymentOptions: []plantypes.SavingsPlanPaymentOption{plantypes.SavingsPlanPaymentOptionNoUpfront},
		SavingsPlanTypes:          []plantypes.SavingsPlanType{plantypes.SavingsPlanTypeCompute, plantypes.SavingsPlanTypeEc2Instance},
		Filters: []plantypes.SavingsPlanOfferingRateFilterElement{
			by(plantypes.SavingsPlanRateFilterAttributeRegion, region),
			by(plantypes.SavingsPlanRateFilterAttributeInstanceFamily, slices.Sorted(maps.Keys(families))...),
			by(plantypes.SavingsPlanRateFilterAttributeProductDescription, linux),
			by(plantypes.SavingsPlanRateFilterAttributeTenancy, "shared"),
		},
	}
	var out []cost.Offer
	var errs []error
	for {
		page, err := l.Plans.DescribeSavingsPlansOfferingRates(ctx, in)
		if err != nil {
			return out, errors.Join(append(errs, fmt.Errorf("ask AWS for Savings Plans in %s: %w", region, err))...)
		}
		for _, r := range page.SearchResults {
			o, err := plan(r, region, now)
			if err != nil {
				errs = append(errs, fmt.Errorf("read AWS' Savings Plans in %s: %w", region, err))
				continue
			}
			out = append(out, o)
		}
		if aws.ToString(page.NextToken) == "" {
			return out, errors.Join(errs...)
		}
		in.NextToken = page.NextToken
	}
}

// plan reads one rate.
func plan(r plantypes.SavingsPlanOfferingRate, region string, now time.Time) (cost.Offer, error) {
	o := cost.Offer{Region: region}
	for _, p := range r.Properties {
		if aws.ToString(p.Name) == string(plantypes.SavingsPlanRatePropertyKeyInstanceType) {
			o.Instance = aws.ToString(p.Value)
		}
	}
	usd, err := strconv.ParseFloat(aws.ToString(r.Rate), 64)
	if err != nil || o.Instance == "" || r.SavingsPlanOffering == nil || r.Unit != plantypes.SavingsPlanRateUnitHours {
		return o, fmt.Errorf("a rate of %q for %q is not one of a machine's hours", aws.ToString(r.Rate), o.Instance)
	}
	switch r.SavingsPlanOffering.PlanType {
	case plantypes.SavingsPlanTypeCompute:
		o.Way = cost.ComputePlan
	case plantypes.SavingsPlanTypeEc2Instance:
		o.Way = cost.InstancePlan
	default:
		return o, fmt.Errorf("a plan for %s is of type %q", o.Instance, r.SavingsPlanOffering.PlanType)
	}
	o.Years = int(time.Duration(r.SavingsPlanOffering.DurationSeconds) * time.Second / year)
	o.Rate = rate(usd, plansSource, now)
	return o, nil
}

// SpotPrices returns what machines cost as spot in each zone of a region: the
// mean of the last week, each price for as long as it held.
func (l *Lists) SpotPrices(ctx context.Context, region string, machines []string, now time.Time) ([]cost.Offer, error) {
	if len(machines) == 0 {
		return nil, nil
	}
	from := now.Add(-spotPast)
	in := &ec2.DescribeSpotPriceHistoryInput{StartTime: &from, EndTime: &now, ProductDescriptions: []string{linux}}
	for _, m := range machines {
		in.InstanceTypes = append(in.InstanceTypes, ec2types.InstanceType(m))
	}
	type lot struct{ machine, zone string }
	seen := map[lot][]ec2types.SpotPrice{}
	for pages := ec2.NewDescribeSpotPriceHistoryPaginator(l.EC2(region), in); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("ask AWS for spot prices in %s: %w", region, err) // half a week's prices make no mean
		}
		for _, p := range page.SpotPriceHistory {
			k := lot{string(p.InstanceType), aws.ToString(p.AvailabilityZone)}
			seen[k] = append(seen[k], p)
		}
	}
	var out []cost.Offer
	var errs []error
	for _, k := range slices.SortedFunc(maps.Keys(seen), func(a, b lot) int {
		return strings.Compare(a.machine+" "+a.zone, b.machine+" "+b.zone)
	}) {
		usd, err := mean(seen[k], from, now)
		if err != nil {
			errs = append(errs, fmt.Errorf("read the spot prices of %s in %s: %w", k.machine, k.zone, err))
			continue
		}
		out = append(out, cost.Offer{Region: region, Instance: k.machine, Way: cost.Spot, Zone: k.zone, Rate: rate(usd, spotSource, now)})
	}
	return out, errors.Join(errs...)
}

// mean returns the mean price from from to now. The first price is usually of
// before: it is what held when the time began.
func mean(prices []ec2types.SpotPrice, from, now time.Time) (float64, error) {
	slices.SortFunc(prices, func(a, b ec2types.SpotPrice) int { return aws.ToTime(a.Timestamp).Compare(aws.ToTime(b.Timestamp)) })
	sum, whole := 0.0, 0.0
	for i, p := range prices {
		usd, err := strconv.ParseFloat(aws.ToString(p.SpotPrice), 64)
		if err != nil || !(usd > 0) {
			return 0, fmt.Errorf("%q is no price", aws.ToString(p.SpotPrice))
		}
		begins, ends := aws.ToTime(p.Timestamp), now
		if begins.Before(from) {
			begins = from
		}
		if i+1 < len(prices) {
			ends = aws.ToTime(prices[i+1].Timestamp)
		}
		if d := ends.Sub(begins).Hours(); d > 0 {
			sum, whole = sum+usd*d, whole+d
		}
	}
	if whole == 0 {
		return 0, errors.New("none held in this time")
	}
	return sum / whole, nil
}
