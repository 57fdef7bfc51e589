package forecast

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"vedette.dev/analyzer/series"
)

// file is the JSON of a forecast. Do not rename its keys.
type file struct {
	Step      float64              `json:"step"` // seconds
	Start     time.Time            `json:"start"`
	Mean      []float64            `json:"mean"`
	Quantiles map[string][]float64 `json:"quantiles"`
	Usable    bool                 `json:"usable"`
	Method    string               `json:"method"`
	Caveats   []string             `json:"caveats"`
}

// MarshalJSON writes the forecast as `vedette forecast` prints it.
func (f Forecast) MarshalJSON() ([]byte, error) {
	out := file{Step: f.Step.Seconds(), Start: f.Start.UTC(), Mean: f.Mean, Quantiles: map[string][]float64{},
		Usable: f.Usable, Method: f.Method, Caveats: append([]string{}, f.Caveats...)}
	for i, level := range Levels {
		out.Quantiles[strconv.FormatFloat(level, 'g', -1, 64)] = f.Quantiles[i]
	}
	return json.Marshal(out)
}

// CSV forecasts the series that r holds (columns timestamp or time, and value)
// for horizon steps and writes one line of JSON to w. season is "auto", "" for
// the same, "none", or how long a cycle is, as in 24h or 7d. Rows whose
// time or value cannot be read are missing.
func CSV(r io.Reader, horizon int, season string, w io.Writer) error {
	o, err := ParseSeason(season)
	if err != nil {
		return err
	}
	in, err := series.NewCSV(r)
	if err != nil {
		return err
	}
	var samples []series.Sample
	for {
		row, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if !row.At.IsZero() && !math.IsNaN(row.Value) {
			samples = append(samples, series.Sample{At: row.At, Value: row.Value})
		}
	}
	s, err := series.Regular(samples)
	if err != nil {
		return err
	}
	f, err := Make(s, horizon, o)
	if err != nil {
		return err
	}
	if err := json.NewEncoder(w).Encode(f); err != nil {
		return fmt.Errorf("write forecast: %w", err)
	}
	return nil
}

// ParseSeason reads how long one cycle is: auto, none, or a duration such as 24h or 7d.
func ParseSeason(s string) (Options, error) {
	switch s {
	case "", "auto":
		return Options{}, nil
	case "none":
		return Options{None: true}, nil
	}
	if days, ok := strings.CutSuffix(s, "d"); ok {
		if n, err := strconv.Atoi(days); err == nil && n > 0 && n <= 366 {
			return Options{Season: time.Duration(n) * 24 * time.Hour}, nil
		}
	}
	d, err := time.ParseDuration(s)
	if err != nil || d <= 0 {
		return Options{}, fmt.Errorf("season %q is not auto, none or a duration such as 24h or 7d", s)
	}
	return Options{Season: d}, nil
}
