package series_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"vedette.dev/analyzer/series"
)

func TestSelector(t *testing.T) {
	for want, labels := range map[string]map[string]string{
		"{}":                 {},
		"up":                 {"__name__": "up"},
		`up{a="1",b="x\"y"}`: {"__name__": "up", "b": `x"y`, "a": "1"},
		`{le="0.5"}`:         {"le": "0.5"},
	} {
		if got := series.Selector(labels); got != want {
			t.Errorf("selector is %s, want %s", got, want)
		}
	}
}

func TestLast(t *testing.T) {
	start := time.Unix(100, 0)
	s := series.Series{Start: start, Step: time.Second, Values: []float64{1, 2, math.NaN()}}
	if at, v, ok := s.Last(); !ok || v != 2 || !at.Equal(start.Add(time.Second)) || s.Present() != 2 {
		t.Errorf("the last is %v at %v, %v, of %d; want 2 at the second, of 2", v, at, ok, s.Present())
	}
	if _, _, ok := (series.Series{Values: []float64{math.NaN()}}).Last(); ok {
		t.Error("nothing but gaps has a last value")
	}
}

func TestRange(t *testing.T) {
	at := time.Unix(1000, 0)
	for _, tt := range []struct {
		r    series.Range
		want int
	}{
		{series.Instant(at), 1},
		{series.Range{From: at, To: at.Add(time.Minute), Step: 15 * time.Second}, 5},
		{series.Range{From: at, To: at.Add(59 * time.Second), Step: 15 * time.Second}, 4},
	} {
		if got := tt.r.Len(); got != tt.want {
			t.Errorf("%v holds %d, want %d", tt.r, got, tt.want)
		}
	}
}

func TestTimes(t *testing.T) {
	want := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for _, text := range []string{"2026-11-22T12:00:00Z", "2026-11-22T13:00:00+01:00", "2026-11-22 12:00:00", "1795348800"} {
		if got, err := series.ParseTime(text); err != nil || !got.Equal(want) {
			t.Errorf("%s is %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "noon", "2026-13-01T00:00:00Z", "NaN"} {
		if got, err := series.ParseTime(text); err == nil {
			t.Errorf("%q is %v, want an error", text, got)
		}
	}
}

// A series is made regular by its median step, in whatever order it comes;
// what is missing is a gap.
func TestRegular(t *testing.T) {
	var samples []series.Sample
	for _, minute := range []int{3, 0, 1, 2, 6, 7} {
		samples = append(samples, series.Sample{At: time.Unix(int64(60*minute), 0), Value: float64(minute)})
	}
	s, err := series.Regular(samples)
	if err != nil || s.Step != time.Minute || len(s.Values) != 8 || s.Present() != 6 || s.Values[7] != 7 || !math.IsNaN(s.Values[4]) {
		t.Errorf("got %+v, %v", s, err)
	}
}

func FuzzCSV(f *testing.F) {
	f.Add("timestamp,value\n1,2\n")
	f.Add("Time,VALUE\n2026-11-22 12:00:00,\n")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := series.NewCSV(strings.NewReader(text))
		if err != nil {
			return
		}
		for range strings.Count(text, "\n") + 2 {
			if _, err := c.Next(); err != nil {
				return
			}
		}
		t.Errorf("%q has more rows than lines", text)
	})
}
