//go:build bench

package forecast

import (
	"fmt"
	"math"
	"runtime"
	"sync"
	"testing"
	"time"

	"vedette.dev/analyzer/series"
)

// TestDayAhead is TestRollingOrigin for the hours ahead: a day, from every other hour.
func TestDayAhead(t *testing.T) {
	for _, horizon := range []int{perDay} {
		var wg sync.WaitGroup
		var mu sync.Mutex
		slots := make(chan struct{}, runtime.NumCPU())
		var mase, wql, within, n float64
		began, origins := time.Now(), 0
		all := development(t)
		for _, s := range all {
			first := len(s.Values) - judged
			slots <- struct{}{}
			wg.Go(func() {
				defer func() { <-slots }()
				r := tally{scale: seasonScale(s.Values[:first], perDay)}
				k := 0
				for at := first; at+horizon <= len(s.Values); at += 24 {
					past := s
					past.Values = s.Values[:at]
					f, err := Make(past, horizon, Options{})
					if err != nil {
						t.Error(err)
						return
					}
					late := int(past.At(at).Sub(f.Start) / s.Step)
					f.Mean = f.Mean[late:]
					for i := range f.Quantiles {
						f.Quantiles[i] = f.Quantiles[i][late:]
					}
					r.add(s.Values[at:at+horizon-late], f)
					k++
				}
				mu.Lock()
				defer mu.Unlock()
				mase += math.Log(r.mase()) / float64(len(all))
				wql += math.Log(r.wql()) / float64(len(all))
				within, n, origins = within+r.within, n+float64(r.n), origins+k
			})
		}
		wg.Wait()
		fmt.Printf("%d steps ahead, %d series: MASE %.3f, WQL %.4f (geometric means), cover90 %.3f; %.1f ms a forecast\n", horizon, len(all), math.Exp(mase), math.Exp(wql), within/n,
			float64(runtime.NumCPU())*float64(time.Since(began).Milliseconds())/float64(origins))
	}
}

// m4 forecasts the hourly series of M4, two days ahead.
func m4(train, test [][]float64) {
	var mase, smape, wql, within, n, unusable float64
	for i := range train {
		r := tally{scale: seasonScale(train[i], 24)}
		f, err := Make(series.Series{Start: time.Unix(0, 0), Step: time.Hour, Values: train[i]}, len(test[i]), Options{})
		if err != nil {
			panic(err)
		}
		r.add(test[i], f)
		mase += r.mase() / float64(len(train))
		smape += r.smape / float64(r.n) / float64(len(train))
		wql += math.Log(max(r.wql(), 1e-9)) / float64(len(train))
		within, n = within+r.within, n+float64(r.n)
		if !f.Usable {
			unusable++
		}
	}
	fmt.Printf("M4 Hourly, forecast 48 hours: sMAPE %.3f, MASE %.3f, WQL %.4f, cover90 %.3f, %g unusable\n", smape, mase, math.Exp(wql), within/n, unusable)
}
