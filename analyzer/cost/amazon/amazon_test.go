package amazon

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"vedette.dev/analyzer/cost"
)

// A counter answers GetProducts in pages of one, over AWS JSON 1.1, and takes
// nothing but what the API takes: https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_pricing_GetProducts.html
type counter struct {
	docs []string
	deny bool
}

func (c *counter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	fail := func(status int, code, why string) {
		w.WriteHeader(status)
		json.NewEncoder(w).Encode(map[string]string{"__type": code, "message": why})
	}
	auth := r.Header.Get("Authorization")
	switch {
	case r.Method != http.MethodPost || r.URL.Path != "/":
		fail(404, "UnknownOperationException", r.Method+" "+r.URL.Path)
		return
	case r.Header.Get("X-Amz-Target") != "AWSPriceListService.GetProducts", r.Header.Get("Content-Type") != "application/x-amz-json-1.1":
		fail(400, "UnknownOperationException", fmt.Sprint(r.Header))
		return
	case !strings.HasPrefix(auth, "AWS4-HMAC-SHA256 Credential=") || !strings.Contains(auth, "/us-east-1/pricing/aws4_request"), c.deny:
		fail(400, "AccessDeniedException", "not authorized to perform: pricing:GetProducts")
		return
	}
	var in struct {
		ServiceCode, FormatVersion, NextToken string
		MaxResults                            int
		Filters                               []struct{ Type, Field, Value string }
	}
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil && err != io.EOF {
		fail(400, "SerializationException", err.Error())
		return
	}
	said := map[string]string{}
	for _, f := range in.Filters {
		if f.Type != "TERM_MATCH" {
			fail(400, "InvalidParameterException", f.Type)
			return
		}
		said[f.Field] = f.Value
	}
	want := map[string]string{"regionCode": "eu-west-1", "instanceFamily": "GPU instance", "operatingSystem": "Linux", "preInstalledSw": "NA", "tenancy": "Shared", "capacitystatus": "Used"}
	if diff := cmp.Diff(want, said); diff != "" || in.ServiceCode != "AmazonEC2" {
		fail(400, "InvalidParameterException", diff)
		return
	}
	page := 0
	if in.NextToken != "" {
		fmt.Sscanf(in.NextToken, "page-%d", &page)
	}
	out := map[string]any{"FormatVersion": "aws_v1", "PriceList": c.docs[page : page+1]}
	if page+1 < len(c.docs) {
		out["NextToken"] = fmt.Sprintf("page-%d", page+1)
	}
	json.NewEncoder(w).Encode(out)
}

func list(name, gpu, vcpu, memory, unit, usd string) string {
	return fmt.Sprintf(`{"product":{"productFamily":"Compute Instance","attributes":{"instanceType":%q,"gpu":%q,"vcpu":%q,"memory":%q,"regionCode":"eu-west-1"},"sku":"S"},
		"serviceCode":"AmazonEC2","terms":{"OnDemand":{"S.T":{"priceDimensions":{"S.T.R":{"unit":%q,"pricePerUnit":{"USD":%q}}},"effectiveDate":"2026-11-01T00:00:00Z"}}},"version":"1"}`, name, gpu, vcpu, memory, unit, usd)
}

// leased adds the reserved terms of a product, of which two are without a payment upfront and standard.
func leased(doc string) string {
	term := func(length, class, payment, unit, usd string) string {
		return fmt.Sprintf(`"S.%s%s%s%s":{"priceDimensions":{"R":{"unit":%q,"pricePerUnit":{"USD":%q}}},"termAttributes":{"LeaseContractLength":%q,"OfferingClass":%q,"PurchaseOption":%q}}`,
			length, class, payment, unit, unit, usd, length, class, payment)
	}
	return strings.Replace(doc, `"terms":{`, `"terms":{"Reserved":{`+strings.Join([]string{term("3yr", "standard", "No Upfront", "Hrs", "28.25"), term("1yr", "standard", "No Upfront", "Hrs", "41.5"),
		term("1yr", "convertible", "No Upfront", "Hrs", "47"), term("1yr", "standard", "All Upfront", "Quantity", "300000"), term("1yr", "standard", "All Upfront", "Hrs", "0")}, ",")+`},`, 1)
}

func open(t *testing.T, c http.Handler) *Lists {
	t.Helper()
	srv := httptest.NewServer(c)
	t.Cleanup(srv.Close)
	for k, v := range map[string]string{"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_CONFIG_FILE": "/nonexistent", "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent"} {
		t.Setenv(k, v)
	}
	l, err := Open(t.Context(), srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

var now = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

// Prices come page by page; one that cannot be read keeps none of the others away.
func TestGPUMachines(t *testing.T) {
	l := open(t, &counter{docs: []string{leased(list("p5.48xlarge", "8", "192", "2,048 GiB", "Hrs", "63.296")), list("g9.huge", "2", "8", "64 GiB", "Quantity", "1"), list("g5.xlarge", "1", "4", "16 GiB", "Hrs", "1.123")}})
	got, reserved, err := l.GPUMachines(t.Context(), "eu-west-1", now)
	if err == nil || !strings.Contains(err.Error(), `"g9.huge" has no price on demand`) {
		t.Errorf("error %v", err)
	}
	rate := func(usd float64) cost.Rate {
		return cost.Rate{USD: usd, Unit: "hour", AsOf: now.Truncate(24 * time.Hour), Source: source}
	}
	want := []cost.Instance{
		{Region: "eu-west-1", Name: "p5.48xlarge", GPUs: 8, VCPUs: 192, MemoryMiB: 2048 * 1024, Rate: rate(63.296)},
		{Region: "eu-west-1", Name: "g5.xlarge", GPUs: 1, VCPUs: 4, MemoryMiB: 16 * 1024, Rate: rate(1.123)},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}

	wantReserved := []cost.Offer{
		{Region: "eu-west-1", Instance: "p5.48xlarge", Way: cost.Reserved, Years: 1, Rate: rate(41.5)},
		{Region: "eu-west-1", Instance: "p5.48xlarge", Way: cost.Reserved, Years: 3, Rate: rate(28.25)},
	}
	if diff := cmp.Diff(wantReserved, reserved); diff != "" {
		t.Errorf("reserved: -want +got:\n%s", diff)
	}

	book := cost.Listed().Refreshed(got)
	p := book.GPUHour(cost.Node{Instance: "p5.48xlarge", Region: "eu-west-1"}, "NVIDIA H100 80GB HBM3")
	if want := 63.296 * 0.95 / 8; !p.Known || p.USD != want || p.AsOf.Format(time.DateOnly) != "2026-11-26" {
		t.Errorf("price %+v, want %v of 2026-11-26", p, want)
	}
	if i, _ := book.Instance("eu-west-1", "g5.xlarge"); i.GPU != "A10G" || i.GPUMiB == 0 {
		t.Errorf("what is known of g5.xlarge elsewhere was lost: %+v", i)
	}
	if _, ok := cost.Listed().Instance("eu-west-1", "g5.xlarge"); ok {
		t.Error("the book that comes with the program has changed")
	}
}

func TestDenied(t *testing.T) {
	_, _, err := open(t, &counter{deny: true}).GPUMachines(t.Context(), "eu-west-1", now)
	if err == nil || !strings.Contains(err.Error(), "ask AWS for the prices in eu-west-1") || !strings.Contains(err.Error(), "AccessDeniedException") {
		t.Errorf("error %v", err)
	}
}
