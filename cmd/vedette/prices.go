package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"vedette.dev/analyzer/cost"
	"vedette.dev/analyzer/cost/amazon"
)

// refreshPrices is how often list prices are asked for: they change a few times
// a year, and a day late is soon enough.
const refreshPrices = 24 * time.Hour

// prices is the price book that the configuration asks for, as it is now.
type prices struct{ book atomic.Pointer[cost.Book] }

func openPrices(cfg *Config) (*prices, error) {
	p, book := new(prices), cost.Listed()
	if file := cfg.Prices.File; file != "" {
		own, err := cost.ReadOwn(file)
		if err != nil {
			return nil, err
		}
		if book, err = book.Owning(own); err != nil {
			return nil, fmt.Errorf("prices: %s: %w", file, err)
		}
	}
	p.book.Store(book)
	return p, nil
}

// refresh asks for the list prices of the configured regions. What cannot be
// had stays as it was, and reports tell how old it is.
func (s *service) refresh(ctx context.Context, now time.Time) {
	lists, err := amazon.Open(ctx, s.cfg.Prices.Endpoint)
	if err != nil {
		s.log.Warn("prices are not refreshed", "err", err)
		return
	}
	for _, region := range s.cfg.Prices.Regions {
		machines, offers, err := lists.GPUMachines(ctx, region, now)
		if err != nil && ctx.Err() == nil {
			s.log.Warn("prices are not refreshed", "region", region, "err", err)
		}
		if len(machines) > 0 {
			s.prices.book.Store(s.prices.book.Load().Refreshed(machines))
			s.log.Info("prices refreshed", "region", region, "machines", len(machines))
		}
		// Each of these is another right: what one lacks keeps the others from nothing.
		names := s.prices.book.Load().Machines(region)
		plans, noPlans := lists.SavingsPlans(ctx, region, names, now)
		spot, noSpot := lists.SpotPrices(ctx, region, names, now)
		if err := errors.Join(noPlans, noSpot); err != nil && ctx.Err() == nil {
			s.log.Warn("prices of other ways to buy are not refreshed", "region", region, "err", err)
		}
		if offers = slices.Concat(offers, plans, spot); len(offers) > 0 {
			s.prices.book.Store(s.prices.book.Load().Offered(offers))
			s.log.Info("offers refreshed", "region", region, "offers", len(offers))
		}
	}
}
