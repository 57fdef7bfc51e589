//go:build bench

package forecast

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"math"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"vedette.dev/analyzer/series"
	"vedette.dev/fixtures/recorded"
)

// TestM4Hourly holds the errors to what is published of the seasonal naive
// forecast on the hourly series of M4.
func TestM4Hourly(t *testing.T) {
	dir := filepath.Join(recorded.Dir(t, "forecast"), "forecast")
	rows := func(name string) [][]float64 {
		b, err := recorded.Unpacked(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		r := csv.NewReader(bytes.NewReader(b))
		r.FieldsPerRecord = -1
		all, err := r.ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		var out [][]float64
		for _, rec := range all[1:] {
			var vs []float64
			for _, text := range rec[1:] {
				if text == "" || text == "NA" {
					break
				}
				v, err := strconv.ParseFloat(text, 64)
				if err != nil {
					t.Fatal(err)
				}
				vs = append(vs, v)
			}
			out = append(out, vs)
		}
		return out
	}
	train, test := rows("Hourly-train.csv.gz"), rows("Hourly-test.csv.gz")
	smape, mase := 0.0, 0.0
	for i := range train {
		s := tally{scale: seasonScale(train[i], 24)}
		f := Forecast{Mean: make([]float64, len(test[i]))}
		newCycle(train[i], 24).before(len(train[i]), f.Mean)
		s.add(test[i], f)
		smape += s.smape / float64(s.n) / float64(len(train))
		mase += s.mase() / float64(len(train))
	}
	fmt.Printf("M4 Hourly, %d series, seasonal naive: sMAPE %.3f, MASE %.3f\n", len(train), smape, mase)
	if math.Abs(smape-13.912) > 5e-4 || math.Abs(mase-1.193) > 5e-4 {
		t.Errorf("published are 13.912 and 1.193")
	}

	var ours tally
	mase, smape = 0, 0
	for i := range train {
		f, err := Make(series.Series{Start: time.Unix(0, 0), Step: time.Hour, Values: train[i]}, len(test[i]), Options{})
		if err != nil {
			t.Fatal(err)
		}
		s := tally{scale: seasonScale(train[i], 24)}
		s.add(test[i], f)
		smape += s.smape / float64(s.n) / float64(len(train))
		mase += s.mase() / float64(len(train))
		ours.within, ours.n = ours.within+s.within, ours.n+s.n
	}
	fmt.Printf("M4 Hourly, %d series, forecast: sMAPE %.3f, MASE %.3f, cover90 %.3f\n", len(train), smape, mase, ours.within/float64(ours.n))
}

const (
	fine   = 5 * time.Minute
	perDay = int(24 * time.Hour / fine)
	judged = 3 * perDay // the last three days
)

// development returns the series of request rates, as five-minute means.
func development(t *testing.T) map[string]series.Series {
	out := recorded.Demand(t)
	for name, s := range out {
		out[name] = means(s, int(fine/s.Step))
	}
	return out
}

// means returns the means of n values each, of those that are there.
func means(s series.Series, n int) series.Series {
	out := series.Series{Start: s.Start, Step: time.Duration(n) * s.Step}
	for i := 0; i+n <= len(s.Values); i += n {
		sum, k := 0.0, 0.0
		for _, v := range s.Values[i : i+n] {
			if !math.IsNaN(v) {
				sum, k = sum+v, k+1
			}
		}
		out.Values = append(out.Values, sum/k)
	}
	return out
}

// From 5 to 60 minutes ahead, from every quarter of an hour.
func TestRollingOrigin(t *testing.T) { rolling(t, 12, 3, true) }

// A day ahead, from every other hour.
func TestDayAhead(t *testing.T) { rolling(t, perDay, 24, false) }

// rolling forecasts so many steps ahead from every so many steps of the last
// days, and prints how good that was, of each series where each.
func rolling(t *testing.T, ahead, between int, each bool) {
	all := development(t)
	type result struct {
		tally
		unusable int
		origins  int
	}
	results := map[string]*result{}
	var wg sync.WaitGroup
	slots := make(chan struct{}, runtime.NumCPU())
	began := time.Now()
	for name, s := range all {
		first := len(s.Values) - judged
		r := &result{tally: tally{scale: seasonScale(s.Values[:first], perDay)}}
		results[name] = r
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			for at := first; at+ahead <= len(s.Values); at += between {
				past := s
				past.Values = s.Values[:at]
				f, err := Make(past, ahead, Options{})
				if err != nil {
					t.Error(name, err)
					return
				}
				// Where the last values are missing the forecast starts earlier.
				late := int(past.At(at).Sub(f.Start) / s.Step)
				f.Mean = f.Mean[late:]
				for i := range f.Quantiles {
					f.Quantiles[i] = f.Quantiles[i][late:]
				}
				r.add(s.Values[at:at+ahead-late], f)
				r.origins++
				if !f.Usable {
					r.unusable++
				}
			}
		})
	}
	wg.Wait()
	var mase, wql float64
	var within, inner, n, origins float64
	for _, name := range []string{"twitter", "ingress-01", "ingress-02", "ingress-03", "ingress-04", "ingress-05", "mongo-01", "mongo-02", "mongo-03", "mongo-04", "machine-01"} {
		r := results[name]
		if r == nil {
			t.Fatalf("%s is not here", name)
		}
		mase += math.Log(r.mase()) / float64(len(results))
		wql += math.Log(r.wql()) / float64(len(results))
		within, inner, n, origins = within+r.within, inner+r.inner, n+float64(r.n), origins+float64(r.origins)
		if !each {
			continue
		}
		fmt.Printf("%-11s MASE %.3f  sMAPE %6.2f  WQL %.4f  pinball .95 %.4g  cover90 %.3f  cover80 %.3f  %d of %d origins unusable\n", name, r.mase(), r.smape/float64(r.n), r.wql(),
			r.pinball[len(Levels)-1]/float64(r.n), r.within/float64(r.n), r.inner/float64(r.n), r.unusable, r.origins)
	}
	fmt.Printf("%s ahead, %d series: MASE %.3f, WQL %.4f (geometric means), cover90 %.3f, cover80 %.3f; %.1f ms a forecast\n", short(time.Duration(ahead)*fine), len(results), math.Exp(mase), math.Exp(wql), within/n, inner/n,
		float64(runtime.NumCPU())*float64(time.Since(began).Milliseconds())/origins)
}
