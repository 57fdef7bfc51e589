package main

import (
	"fmt"

	"vedette.dev/analyzer/cost"
)

// prices returns the price book that the configuration asks for.
func (s *service) prices() (func() *cost.Book, error) {
	book := cost.Listed()
	if file := s.cfg.Prices.File; file != "" {
		own, err := cost.ReadOwn(file)
		if err != nil {
			return nil, err
		}
		if book, err = book.Owning(own); err != nil {
			return nil, fmt.Errorf("prices: %s: %w", file, err)
		}
	}
	return func() *cost.Book { return book }, nil
}
