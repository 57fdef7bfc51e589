package store

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/api"
	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/prompb"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/storage/remote"
	"github.com/prometheus/prometheus/util/annotations"
)

// page is how much time is asked for at once: a day of a fleet of 500 GPUs at
// 15 seconds is some 3 million samples of a metric, well under the 50 million
// that Prometheus gives.
const page = 24 * time.Hour

// A Remote is an engine elsewhere that speaks Prometheus' HTTP API, as a
// [storage.Queryable]: Prometheus, VictoriaMetrics, Mimir, Thanos. It is read
// and never written. What is read are raw samples, by range selectors, which
// each of them has; Prometheus' remote read, which not all have, is not used.
//
// Marks of a series' end do not travel so: in an instant query it lives on for
// the engine's five minutes.
type Remote struct {
	api   v1.API
	heard func(error)
}

var _ storage.Queryable = (*Remote)(nil)

// Dial returns the engine at url, reached by rt, or by the default transport
// where that is nil. heard is told how each request went; it may be nil.
func Dial(url string, rt http.RoundTripper, heard func(error)) (*Remote, error) {
	c, err := api.NewClient(api.Config{Address: url, RoundTripper: rt})
	if err != nil {
		return nil, fmt.Errorf("read from %s: %w", url, err)
	}
	if heard == nil {
		heard = func(error) {}
	}
	return &Remote{v1.NewAPI(c), heard}, nil
}

// Querier implements [storage.Queryable].
func (r *Remote) Querier(mint, maxt int64) (storage.Querier, error) {
	return &remoteQuerier{r, mint, maxt}, nil
}

// Since tells tap of the samples of metrics after from and until to, the oldest
// of a series first. ref is made of the labels; no other store's is like it.
func (r *Remote) Since(ctx context.Context, metrics []string, from, to time.Time, tap Tap) error {
	if len(metrics) == 0 || !to.After(from) {
		return nil
	}
	names := make([]string, len(metrics))
	for i, m := range metrics {
		names[i] = regexp.QuoteMeta(m)
	}
	byName := labels.MustNewMatcher(labels.MatchRegexp, labels.MetricName, strings.Join(names, "|"))
	found, err := r.samples(ctx, selector([]*labels.Matcher{byName}), from.Add(time.Millisecond), to)
	if err != nil {
		return err
	}
	b := labels.NewScratchBuilder(16)
	for _, s := range found.Timeseries {
		lset := s.ToLabels(&b, nil)
		for _, p := range s.Samples {
			tap(lset.Hash(), lset, p.Timestamp, p.Value)
		}
	}
	return nil
}

type remoteQuerier struct {
	r          *Remote
	mint, maxt int64
}

// Select implements [storage.Querier].
func (q *remoteQuerier) Select(ctx context.Context, _ bool, hints *storage.SelectHints, ms ...*labels.Matcher) storage.SeriesSet {
	from, to := q.mint, q.maxt
	if hints != nil {
		from, to = max(from, hints.Start), min(to, hints.End)
	}
	found, err := q.r.samples(ctx, selector(ms), time.UnixMilli(from), time.UnixMilli(to))
	if err != nil {
		return missing{storage.EmptySeriesSet(), err}
	}
	return remote.FromQueryResult(true, found)
}

// missing is the answer of an engine that gave none: no series and a warning,
// so that what is read beside it is still an answer. Prometheus' own way to say
// so, a secondary querier, may be asked only once.
type missing struct {
	storage.SeriesSet
	why error
}

// Warnings implements [storage.SeriesSet].
func (m missing) Warnings() annotations.Annotations { return annotations.New().Add(m.why) }

// selector writes matchers as PromQL.
func selector(ms []*labels.Matcher) string {
	parts := make([]string, len(ms))
	for i, m := range ms {
		parts[i] = m.String()
	}
	return "{" + strings.Join(parts, ",") + "}"
}

// samples returns the raw samples of a selector from from to to, both included.
func (r *Remote) samples(ctx context.Context, selector string, from, to time.Time) (*prompb.QueryResult, error) {
	all := &prompb.QueryResult{}
	at := map[model.Fingerprint]*prompb.TimeSeries{}
	for start := from; !start.After(to); start = start.Add(page) {
		end := start.Add(page - time.Millisecond)
		if end.After(to) {
			end = to
		}
		// A range leaves its first instant out.
		m, err := r.query(ctx, fmt.Sprintf("%s[%dms]", selector, end.Sub(start).Milliseconds()+1), end)
		if err != nil {
			return nil, err
		}
		for _, found := range m {
			key := found.Metric.Fingerprint()
			s := at[key]
			if s == nil {
				s = &prompb.TimeSeries{Labels: labelsOf(found.Metric)}
				at[key] = s
				all.Timeseries = append(all.Timeseries, s)
			}
			for _, p := range found.Values {
				s.Samples = append(s.Samples, prompb.Sample{Timestamp: int64(p.Timestamp), Value: float64(p.Value)})
			}
		}
	}
	return all, nil
}

// labelsOf returns the labels of m in the order that Prometheus wants.
func labelsOf(m model.Metric) []prompb.Label {
	ls := make([]prompb.Label, 0, len(m))
	for k, v := range m {
		ls = append(ls, prompb.Label{Name: string(k), Value: string(v)})
	}
	slices.SortFunc(ls, func(a, b prompb.Label) int { return strings.Compare(a.Name, b.Name) })
	return ls
}

func (r *Remote) query(ctx context.Context, expr string, at time.Time) (model.Matrix, error) {
	v, _, _, err := r.api.Query(ctx, expr, at)
	r.tell(ctx, err)
	if err != nil {
		return nil, fmt.Errorf("query %s elsewhere: %w", expr, err)
	}
	m, ok := v.(model.Matrix)
	if !ok {
		return nil, fmt.Errorf("query %s elsewhere: the answer is a %s, not raw samples", expr, v.Type())
	}
	return m, nil
}

// tell passes on how a request went, unless nobody waited for it any more.
func (r *Remote) tell(ctx context.Context, err error) {
	if !errors.Is(ctx.Err(), context.Canceled) {
		r.heard(err)
	}
}

// LabelValues implements [storage.LabelQuerier].
func (q *remoteQuerier) LabelValues(ctx context.Context, name string, _ *storage.LabelHints, ms ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	vs, _, _, err := q.r.api.LabelValues(ctx, name, matches(ms), time.UnixMilli(q.mint), time.UnixMilli(q.maxt))
	q.r.tell(ctx, err)
	out := make([]string, len(vs))
	for i, v := range vs {
		out[i] = string(v)
	}
	return out, warning(err), nil
}

// LabelNames implements [storage.LabelQuerier].
func (q *remoteQuerier) LabelNames(ctx context.Context, _ *storage.LabelHints, ms ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	found, _, _, err := q.r.api.LabelNames(ctx, matches(ms), time.UnixMilli(q.mint), time.UnixMilli(q.maxt))
	q.r.tell(ctx, err)
	names := make([]string, len(found))
	for i, n := range found {
		names[i] = string(n)
	}
	return names, warning(err), nil
}

func warning(err error) annotations.Annotations {
	if err == nil {
		return nil
	}
	return annotations.New().Add(err)
}

func matches(ms []*labels.Matcher) []string {
	if len(ms) == 0 {
		return nil
	}
	return []string{selector(ms)}
}

// Close implements [storage.LabelQuerier].
func (q *remoteQuerier) Close() error { return nil }
