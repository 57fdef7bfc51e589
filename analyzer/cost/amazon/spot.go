package amazon

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"vedette.dev/analyzer/cost"
)

const (
	spotSource = "https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeSpotPriceHistory.html"

	// spotPast is over how long a spot price is averaged: a report's usual window.
	spotPast = 7 * 24 * time.Hour

	// mostXML bounds a page, of a thousand prices at most: 300 kB as a rule.
	mostXML = 16 << 20
)

// A market asks EC2 for spot prices. It signs and sends the one call itself:
// the client of all of EC2 would make the program larger by 39 MB.
type market struct {
	cfg      aws.Config
	endpoint string // "" is the region's own
}

// A spotPrice is a price in a zone from a time on.
type spotPrice struct {
	Machine string    `xml:"instanceType"`
	Zone    string    `xml:"availabilityZone"`
	USD     string    `xml:"spotPrice"`
	From    time.Time `xml:"timestamp"`
}

// SpotPrices returns what machines cost as spot in each zone of a region: the
// mean of the last week, each price for as long as it held.
func (l *Lists) SpotPrices(ctx context.Context, region string, machines []string, now time.Time) ([]cost.Offer, error) {
	if len(machines) == 0 {
		return nil, nil
	}
	from := now.Add(-spotPast)
	ask := url.Values{"Action": {"DescribeSpotPriceHistory"}, "Version": {"2016-11-15"}, "ProductDescription.1": {linux},
		"StartTime": {from.UTC().Format(time.RFC3339)}, "EndTime": {now.UTC().Format(time.RFC3339)}}
	for i, m := range machines {
		ask.Set("InstanceType."+strconv.Itoa(i+1), m)
	}
	type lot struct{ machine, zone string }
	seen := map[lot][]spotPrice{}
	for {
		page, next, err := l.EC2.page(ctx, region, ask, now)
		if err != nil {
			return nil, fmt.Errorf("ask AWS for spot prices in %s: %w", region, err) // half a week's prices make no mean
		}
		for _, p := range page {
			k := lot{p.Machine, p.Zone}
			seen[k] = append(seen[k], p)
		}
		if next == "" {
			break
		}
		ask.Set("NextToken", next)
	}
	var out []cost.Offer
	var errs []error
	for _, k := range slices.SortedFunc(maps.Keys(seen), func(a, b lot) int {
		return cmp.Or(strings.Compare(a.machine, b.machine), strings.Compare(a.zone, b.zone))
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

// page asks once, in EC2's query protocol, and returns the token of what follows.
func (m market) page(ctx context.Context, region string, ask url.Values, now time.Time) (prices []spotPrice, next string, err error) {
	at := m.endpoint
	if at == "" {
		at = "https://ec2." + region + ".amazonaws.com"
		if strings.HasPrefix(region, "cn-") {
			at += ".cn"
		}
	}
	body := ask.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(at, "/")+"/", strings.NewReader(body))
	if err != nil {
		return nil, "", err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	who, err := m.cfg.Credentials.Retrieve(ctx)
	if err != nil {
		return nil, "", err
	}
	sum := sha256.Sum256([]byte(body))
	if err := v4.NewSigner().SignHTTP(ctx, who, req, hex.EncodeToString(sum[:]), "ec2", region, now); err != nil {
		return nil, "", err
	}
	resp, err := m.cfg.HTTPClient.Do(req)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, mostXML))
	if err != nil {
		return nil, "", err
	}
	if resp.StatusCode != http.StatusOK {
		var refused struct {
			Code    string `xml:"Errors>Error>Code"`
			Message string `xml:"Errors>Error>Message"`
		}
		if xml.Unmarshal(data, &refused) != nil || refused.Code == "" {
			return nil, "", errors.New(resp.Status)
		}
		return nil, "", fmt.Errorf("%s: %s", refused.Code, refused.Message)
	}
	var got struct {
		XMLName xml.Name    `xml:"DescribeSpotPriceHistoryResponse"`
		Prices  []spotPrice `xml:"spotPriceHistorySet>item"`
		Next    string      `xml:"nextToken"`
	}
	if err := xml.Unmarshal(data, &got); err != nil {
		return nil, "", fmt.Errorf("read its answer: %w", err)
	}
	return got.Prices, got.Next, nil
}

// mean returns the mean price from from to now. The first price is usually of
// before: it is what held when the time began.
func mean(prices []spotPrice, from, now time.Time) (float64, error) {
	slices.SortFunc(prices, func(a, b spotPrice) int { return a.From.Compare(b.From) })
	sum, whole := 0.0, 0.0
	for i, p := range prices {
		usd, err := strconv.ParseFloat(p.USD, 64)
		if err != nil || !(usd > 0) {
			return 0, fmt.Errorf("%q is no price", p.USD)
		}
		begins, ends := p.From, now
		if begins.Before(from) {
			begins = from
		}
		if i+1 < len(prices) {
			ends = prices[i+1].From
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
