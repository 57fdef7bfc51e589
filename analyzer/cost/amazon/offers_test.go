package amazon

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"vedette.dev/analyzer/cost"
)

// A planner answers DescribeSavingsPlansOfferingRates in pages of two, as REST
// with JSON, and takes nothing but what is asked of it here:
// https://docs.aws.amazon.com/savingsplans/latest/APIReference/API_DescribeSavingsPlansOfferingRates.html
type planner struct {
	rates []map[string]any
	deny  bool
}

func (p *planner) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	fail := func(status int, code, why string) {
		w.Header().Set("X-Amzn-Errortype", code)
		w.WriteHeader(status)
		json.NewEncoder(w).Encode(map[string]string{"message": why})
	}
	switch auth := r.Header.Get("Authorization"); {
	case r.Method != http.MethodPost || r.URL.Path != "/DescribeSavingsPlansOfferingRates":
		fail(404, "ResourceNotFoundException", r.Method+" "+r.URL.Path)
		return
	case !strings.Contains(auth, "/us-east-1/savingsplans/aws4_request"), p.deny:
		fail(403, "AccessDeniedException", "not authorized to perform: savingsplans:DescribeSavingsPlansOfferingRates")
		return
	}
	type filter struct {
		Name   string   `json:"name"`
		Values []string `json:"values"`
	}
	var in struct {
		Filters                   []filter `json:"filters"`
		MaxResults                int      `json:"maxResults"`
		NextToken                 string   `json:"nextToken"`
		Products                  []string `json:"products"`
		SavingsPlanPaymentOptions []string `json:"savingsPlanPaymentOptions"`
		SavingsPlanTypes          []string `json:"savingsPlanTypes"`
	}
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil {
		fail(400, "ValidationException", err.Error())
		return
	}
	want := []filter{{"region", []string{"eu-west-1"}}, {"instanceFamily", []string{"g5", "p5"}}, {"productDescription", []string{"Linux/UNIX"}}, {"tenancy", []string{"shared"}}}
	if diff := cmp.Diff(want, in.Filters); diff != "" || in.MaxResults > 1000 || !slices.Equal(in.Products, []string{"EC2"}) ||
		!slices.Equal(in.SavingsPlanPaymentOptions, []string{"No Upfront"}) || !slices.Equal(in.SavingsPlanTypes, []string{"Compute", "EC2Instance"}) {
		fail(400, "ValidationException", fmt.Sprintf("%s %+v", diff, in))
		return
	}
	from := 0
	if in.NextToken != "" {
		fmt.Sscanf(in.NextToken, "from-%d", &from)
	}
	to := min(from+2, len(p.rates))
	out := map[string]any{"searchResults": p.rates[from:to], "nextToken": ""} // an empty token is the end, as AWS gives it
	if to < len(p.rates) {
		out["nextToken"] = fmt.Sprintf("from-%d", to)
	}
	json.NewEncoder(w).Encode(out)
}

func offered(plan, machine, usd string, years int) map[string]any {
	return map[string]any{"savingsPlanOffering": map[string]any{"offeringId": "o", "paymentOption": "No Upfront", "planType": plan, "durationSeconds": years * 31536000, "currency": "USD"},
		"rate": usd, "unit": "Hrs", "productType": "EC2", "serviceCode": "AmazonEC2", "usageType": "BoxUsage:" + machine, "operation": "RunInstances",
		"properties": []map[string]string{{"name": "region", "value": "eu-west-1"}, {"name": "instanceType", "value": machine}, {"name": "tenancy", "value": "shared"}}}
}

func TestSavingsPlans(t *testing.T) {
	l := open(t, &planner{rates: []map[string]any{offered("Compute", "p5.48xlarge", "46.2", 1), offered("EC2Instance", "p5.48xlarge", "31.5", 3), offered("SageMaker", "p5.48xlarge", "1", 1), offered("Compute", "g5.xlarge", "0.9", 1)}})
	got, err := l.SavingsPlans(t.Context(), "eu-west-1", []string{"g5.xlarge", "p5.48xlarge", "p5.4xlarge"}, now)
	if err == nil || !strings.Contains(err.Error(), `a plan for p5.48xlarge is of type "SageMaker"`) {
		t.Errorf("error %v", err)
	}
	at := func(usd float64) cost.Rate { return rate(usd, plansSource, now) }
	want := []cost.Offer{
		{Region: "eu-west-1", Instance: "p5.48xlarge", Way: cost.ComputePlan, Years: 1, Rate: at(46.2)},
		{Region: "eu-west-1", Instance: "p5.48xlarge", Way: cost.InstancePlan, Years: 3, Rate: at(31.5)},
		{Region: "eu-west-1", Instance: "g5.xlarge", Way: cost.ComputePlan, Years: 1, Rate: at(0.9)},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if _, err := open(t, &planner{deny: true}).SavingsPlans(t.Context(), "eu-west-1", []string{"g5.xlarge"}, now); err == nil || !strings.Contains(err.Error(), "ask AWS for Savings Plans in eu-west-1") {
		t.Errorf("denied: %v", err)
	}
}

// A bourse answers DescribeSpotPriceHistory in pages of two, in EC2's query
// protocol: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeSpotPriceHistory.html
type bourse struct {
	prices []string // the items, as XML
	deny   bool
}

func (m *bourse) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/xml;charset=UTF-8")
	fail := func(status int, code, why string) {
		w.WriteHeader(status)
		fmt.Fprintf(w, `<Response><Errors><Error><Code>%s</Code><Message>%s</Message></Error></Errors><RequestID>r</RequestID></Response>`, code, why)
	}
	if err := r.ParseForm(); err != nil || r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/x-www-form-urlencoded" {
		fail(400, "InvalidRequest", r.Method)
		return
	}
	if !strings.Contains(r.Header.Get("Authorization"), "/eu-west-1/ec2/aws4_request") || m.deny {
		fail(403, "UnauthorizedOperation", "You are not authorized to perform this operation.")
		return
	}
	token := r.PostForm.Get("NextToken")
	r.PostForm.Del("NextToken")
	want := url.Values{"Action": {"DescribeSpotPriceHistory"}, "Version": {"2016-11-15"}, "StartTime": {"2026-11-19T12:00:00Z"}, "EndTime": {"2026-11-26T12:00:00Z"},
		"InstanceType.1": {"g5.xlarge"}, "InstanceType.2": {"p5.48xlarge"}, "ProductDescription.1": {"Linux/UNIX"}}
	if diff := cmp.Diff(want, r.PostForm); diff != "" {
		fail(400, "InvalidParameterValue", strings.ReplaceAll(diff, "<", "("))
		return
	}
	from := 0
	if token != "" {
		fmt.Sscanf(token, "from-%d", &from)
	}
	to, next := min(from+2, len(m.prices)), ""
	if to < len(m.prices) {
		next = fmt.Sprintf("from-%d", to)
	}
	fmt.Fprintf(w, `<DescribeSpotPriceHistoryResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>r</requestId><spotPriceHistorySet>%s</spotPriceHistorySet><nextToken>%s</nextToken></DescribeSpotPriceHistoryResponse>`,
		strings.Join(m.prices[from:to], ""), next)
}

func spotAt(machine, zone, usd string, ago time.Duration) string {
	return fmt.Sprintf(`<item><instanceType>%s</instanceType><productDescription>Linux/UNIX</productDescription><spotPrice>%s</spotPrice><timestamp>%s</timestamp><availabilityZone>%s</availabilityZone></item>`,
		machine, usd, now.Add(-ago).Format("2006-01-02T15:04:05.000Z"), zone)
}

// A spot price counts for as long as it held: the first, of before the week,
// from its beginning.
func TestSpotPrices(t *testing.T) {
	const day = 24 * time.Hour
	l := open(t, &bourse{prices: []string{
		spotAt("p5.48xlarge", "eu-west-1a", "30.000000", 1*day), spotAt("p5.48xlarge", "eu-west-1a", "20.000000", 4*day), spotAt("p5.48xlarge", "eu-west-1a", "10.000000", 20*day),
		spotAt("g5.xlarge", "eu-west-1b", "0.400000", 9*day), spotAt("g5.xlarge", "eu-west-1a", "none", 9*day)}})
	got, err := l.SpotPrices(t.Context(), "eu-west-1", []string{"g5.xlarge", "p5.48xlarge"}, now)
	if err == nil || !strings.Contains(err.Error(), `read the spot prices of g5.xlarge in eu-west-1a: "none" is no price`) {
		t.Errorf("error %v", err)
	}
	want := []cost.Offer{
		{Region: "eu-west-1", Instance: "g5.xlarge", Way: cost.Spot, Zone: "eu-west-1b", Rate: rate(0.4, spotSource, now)},
		{Region: "eu-west-1", Instance: "p5.48xlarge", Way: cost.Spot, Zone: "eu-west-1a", Rate: rate((3*10.+3*20+1*30)/7, spotSource, now)},
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateApprox(0, 1e-9)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if _, err := open(t, &bourse{deny: true}).SpotPrices(t.Context(), "eu-west-1", []string{"g5.xlarge"}, now); err == nil || !strings.Contains(err.Error(), "UnauthorizedOperation") {
		t.Errorf("denied: %v", err)
	}
}
