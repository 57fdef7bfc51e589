package scale

import (
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"vedette.dev/analyzer/series"
)

// ReadCSV reads demand kept as CSV (columns timestamp or time, and value) as
// its highest value in each minute. Minutes without one are missing.
func ReadCSV(r io.Reader) (series.Series, error) {
	in, err := series.NewCSV(r)
	if err != nil {
		return series.Series{}, err
	}
	tops := map[time.Time]float64{}
	var first, last time.Time
	for {
		row, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return series.Series{}, err
		}
		if row.At.IsZero() || math.IsNaN(row.Value) {
			continue
		}
		at := row.At.Truncate(time.Minute)
		if top, known := tops[at]; !known || row.Value > top {
			tops[at] = row.Value
		}
		if first.IsZero() || at.Before(first) {
			first = at
		}
		if at.After(last) {
			last = at
		}
	}
	if len(tops) == 0 {
		return series.Series{}, errors.New("read demand: no row has a time and a value")
	}
	n := int(last.Sub(first)/time.Minute) + 1
	if n > len(tops)*10 {
		return series.Series{}, fmt.Errorf("read demand: %d minutes are there of %d from %s to %s: a value a minute is wanted", len(tops), n, first.Format(time.RFC3339), last.Format(time.RFC3339))
	}
	s := series.Series{Start: first, Step: time.Minute, Values: unknown(n)}
	for i := range s.Values {
		if top, known := tops[s.At(i)]; known {
			s.Values[i] = top
		}
	}
	return s, nil
}
