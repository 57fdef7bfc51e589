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
	"github.com/aws/aws-sdk-go-v2/service/savingsplans"
	plantypes "github.com/aws/aws-sdk-go-v2/service/savingsplans/types"

	"vedette.dev/analyzer/cost"
)

const (
	plansSource = "https://docs.aws.amazon.com/savingsplans/latest/APIReference/API_DescribeSavingsPlansOfferingRates.html"

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
