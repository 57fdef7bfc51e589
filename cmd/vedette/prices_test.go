package main

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"vedette.dev/analyzer/cost"
)

// Prices that AWS gives take the place of those that came with the program; a
// region that it refuses leaves them as they were.
func TestRefresh(t *testing.T) {
	refuse := false
	aws := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		if refuse {
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, `{"__type":"AccessDeniedException","message":"no"}`)
			return
		}
		fmt.Fprint(w, `{"PriceList":["{\"product\":{\"attributes\":{\"instanceType\":\"p5.48xlarge\",\"gpu\":\"8\"}},\"terms\":{\"OnDemand\":{\"a\":{\"priceDimensions\":{\"b\":{\"unit\":\"Hrs\",\"pricePerUnit\":{\"USD\":\"80\"}}}}}}}"]}`)
	}))
	defer aws.Close()
	for k, v := range map[string]string{"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_CONFIG_FILE": "/nonexistent", "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent"} {
		t.Setenv(k, v)
	}
	cfg := &Config{}
	cfg.Prices.Regions, cfg.Prices.Endpoint = []string{"us-east-1"}, aws.URL
	p, err := openPrices(cfg)
	if err != nil {
		t.Fatal(err)
	}
	s := &service{cfg: cfg, log: slog.New(slog.DiscardHandler), prices: p}
	hour := func() float64 {
		return p.book.Load().GPUHour(cost.Node{Instance: "p5.48xlarge", Region: "us-east-1"}, "H100").USD
	}
	before := hour()
	refuse = true
	s.refresh(t.Context(), time.Now())
	if got := hour(); got != before {
		t.Errorf("refused, the price is %v, want %v", got, before)
	}
	refuse = false
	s.refresh(t.Context(), time.Now())
	if got := hour(); got != 9.5 {
		t.Errorf("refreshed, an hour is %v, want 80 * 0.95 / 8", got)
	}
}
