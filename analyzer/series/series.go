// Package series holds time series in the form that arithmetic wants: evenly
// spaced, with NaN for a sample that is missing.
package series

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Series is one evenly sampled time series.
type Series struct {
	Labels map[string]string // with __name__ where the expression keeps it
	Start  time.Time
	Step   time.Duration
	Values []float64 // NaN where there is no sample
}

// At returns the time of the i'th value.
func (s Series) At(i int) time.Time { return s.Start.Add(time.Duration(i) * s.Step) }

// Last returns the newest value that is not missing, and its time. It reports
// false where every value is missing.
func (s Series) Last() (time.Time, float64, bool) {
	for i := len(s.Values) - 1; i >= 0; i-- {
		if !math.IsNaN(s.Values[i]) {
			return s.At(i), s.Values[i], true
		}
	}
	return time.Time{}, math.NaN(), false
}

// Present counts the values that are not missing.
func (s Series) Present() int {
	n := 0
	for _, v := range s.Values {
		if !math.IsNaN(v) {
			n++
		}
	}
	return n
}

// String returns the labels as PromQL writes a selector.
func (s Series) String() string { return Selector(s.Labels) }

// Selector writes labels as PromQL does: name{a="b",c="d"}, in label order.
func Selector(labels map[string]string) string {
	var b strings.Builder
	b.WriteString(labels["__name__"])
	sep := "{"
	for _, k := range slices.Sorted(maps.Keys(labels)) {
		if k == "__name__" {
			continue
		}
		fmt.Fprintf(&b, "%s%s=%s", sep, k, strconv.Quote(labels[k]))
		sep = ","
	}
	if sep == "," {
		b.WriteByte('}')
	}
	if b.Len() == 0 {
		return "{}"
	}
	return b.String()
}

// A Range is a stretch of time and the spacing of samples in it. Both ends are
// included. A zero Step asks for the one sample at To.
type Range struct {
	From, To time.Time
	Step     time.Duration
}

// Instant returns the range that holds only t.
func Instant(t time.Time) Range { return Range{From: t, To: t} }

// Len returns how many samples the range holds.
func (r Range) Len() int {
	if r.Step <= 0 {
		return 1
	}
	return int(r.To.Sub(r.From)/r.Step) + 1
}

func (r Range) String() string {
	return fmt.Sprintf("%s to %s by %s", r.From.UTC().Format(time.RFC3339), r.To.UTC().Format(time.RFC3339), r.Step)
}

// A Querier evaluates PromQL. An embedded store and a remote Prometheus are
// both queriers. Series come in the order of their labels, each with Len
// values. Warnings of the engine that do not void the result are not errors.
type Querier interface {
	Query(ctx context.Context, expr string, r Range) ([]Series, error)
}
