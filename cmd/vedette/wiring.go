package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"google.golang.org/grpc"

	"vedette.dev/analyzer"
	"vedette.dev/analyzer/action"
	"vedette.dev/analyzer/alerting"
	"vedette.dev/analyzer/api"
	"vedette.dev/analyzer/detect"
	"vedette.dev/analyzer/remedy"
	"vedette.dev/analyzer/series"
	"vedette.dev/analyzer/store"
	"vedette.dev/rules"
	"vedette.dev/rules/fault"
	"vedette.dev/rules/publish"
)

// grace is how long open requests may take to end when the service stops.
const grace = 5 * time.Second

// listen opens a TCP port. Its error names the setting and what to do.
func listen(setting, addr string) (net.Listener, error) {
	l, err := net.Listen("tcp", addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("%s: %s is in use by another process: stop it, or choose another port: %w", setting, addr, syscall.EADDRINUSE)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", setting, err)
	}
	return l, nil
}

// closeListener closes l, which its server may have closed already.
func closeListener(l net.Listener) func() error {
	return func() error {
		if err := l.Close(); !errors.Is(err, net.ErrClosed) {
			return err
		}
		return nil
	}
}

func serveHTTP(ctx context.Context, srv *http.Server, l net.Listener) error {
	closed := make(chan error, 1)
	unhook := context.AfterFunc(ctx, func() {
		g, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
		defer cancel()
		err := srv.Shutdown(g)
		if errors.Is(err, context.DeadlineExceeded) {
			err = srv.Close() // a reader that does not leave
		}
		closed <- err
	})
	defer unhook()
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve HTTP on %s: %w", l.Addr(), err)
	}
	return <-closed
}

func serveGRPC(ctx context.Context, srv *grpc.Server, l net.Listener) error {
	unhook := context.AfterFunc(ctx, func() {
		t := time.AfterFunc(grace, srv.Stop)
		defer t.Stop()
		srv.GracefulStop()
	})
	defer unhook()
	if err := srv.Serve(l); err != nil {
		return fmt.Errorf("serve gRPC on %s: %w", l.Addr(), err)
	}
	return nil
}

// every calls do in each period until ctx ends.
func every(ctx context.Context, period time.Duration, do func(context.Context, time.Time)) error {
	t := time.NewTicker(period)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-t.C:
			do(ctx, now)
		}
	}
}

// secured adds the headers that keep the page to itself.
func secured(next http.Handler) http.Handler {
	const policy = "default-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-cache")
		next.ServeHTTP(w, r)
	})
}

// known refuses requests for foreign hosts where the service listens on
// loopback: a page elsewhere whose name is made to lead here must not read it.
func known(addr string, next http.Handler) http.Handler {
	host, _, err := net.SplitHostPort(addr)
	if err != nil || !loopback(host) {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked, _, err := net.SplitHostPort(r.Host)
		if err != nil {
			asked = r.Host
		}
		if !loopback(asked) {
			http.Error(w, fmt.Sprintf("this service is local; it does not answer for %q", asked), http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// publishing makes the publication of rules an action like any other.
func publishing(d *publish.Everywhere) action.Executor {
	return action.ExecutorFunc(func(ctx context.Context, a action.Action) (string, error) {
		g, err := publish.Decode([]byte(a.Params["group"]))
		if err != nil {
			return "", fmt.Errorf("publish %s: %w", a.Target, err)
		}
		if err := d.Publish(ctx, g); err != nil {
			return "", err
		}
		if len(d.Targets) > 0 {
			return fmt.Sprintf("rule group %s is published and evaluated, and stands at %s", g.ID, strings.Join(slices.Sorted(maps.Keys(d.Targets)), ", ")), nil
		}
		return fmt.Sprintf("rule group %s is published and evaluated", g.ID), nil
	})
}

// undoing is [publish.Everywhere.Undo] as an action.
func undoing(d *publish.Everywhere) action.Executor {
	return action.ExecutorFunc(func(ctx context.Context, a action.Action) (string, error) {
		g, err := d.Undo(ctx, rules.ID(a.Target))
		if err != nil {
			return "", err
		}
		if len(g.Rules) == 0 {
			return fmt.Sprintf("rule group %s is withdrawn (revision %d)", g.ID, g.Revision), nil
		}
		return fmt.Sprintf("rule group %s stands as before (revision %d)", g.ID, g.Revision), nil
	})
}

// silencing has nobody told of what a selector selects, as an action.
func silencing(s *alerting.Silencer) action.Executor {
	return action.ExecutorFunc(func(ctx context.Context, a action.Action) (string, error) {
		d, err := model.ParseDuration(a.Params["for"])
		if err != nil {
			return "", fmt.Errorf("silence %s: %w", a.Target, err)
		}
		now := time.Now()
		return s.Silence(ctx, a.Target, now, now.Add(time.Duration(d)), a.Reason)
	})
}

// lifting is [alerting.Silencer.Lift] as an action.
func lifting(s *alerting.Silencer) action.Executor {
	return action.ExecutorFunc(func(ctx context.Context, a action.Action) (string, error) { return s.Lift(ctx, a.Target) })
}

// planner leaves out the actions that nothing here can carry out: a server
// without a cluster's API proposes no cordon.
type planner struct {
	causes map[fault.CauseID]fault.Cause
	can    map[action.Kind]action.Executor
	plan   analyzer.Planner
}

func (p *planner) Plan(in analyzer.Incident) []action.Action {
	var out []action.Action
	for _, a := range p.plan.Plan(in) {
		if _, ok := p.can[a.Kind]; ok {
			out = append(out, a)
		}
	}
	return out
}

var _ analyzer.Planner = remedy.Planner{}

// tap sends every stored sample past the detectors.
func tap(b *detect.Bank) store.Tap {
	return func(ref uint64, lset labels.Labels, ms int64, v float64) {
		b.Observe(ref, func() map[string]string { return lset.Map() }, ms, v)
	}
}

// ruled is the store as rules have it: they read what detectors see and more,
// and what they write is no reading that detectors should see.
type ruled struct {
	storage.Queryable
	storage.Appendable
}

// writeScores keeps what the detectors think as ordinary series: how unusual each
// series is, and between what some were expected.
func writeScores(ctx context.Context, db *store.Local, b *detect.Bank, banded []string, now time.Time) error {
	app := db.DB().Appender(ctx)
	for _, s := range b.Scores(now) {
		if _, err := app.Append(0, scoreLabels(s), now.UnixMilli(), s.Score); err != nil {
			return errors.Join(fmt.Errorf("write anomaly scores: %w", err), app.Rollback())
		}
	}
	for _, x := range b.Bands(now, banded) {
		for name, v := range map[string]float64{"vedette_anomaly_expected_low": x.Low, "vedette_anomaly_expected_high": x.High} {
			if _, err := app.Append(0, aboutSeries(x.Labels, name).Labels(), now.UnixMilli(), v); err != nil {
				return errors.Join(fmt.Errorf("write what is expected: %w", err), app.Rollback())
			}
		}
	}
	if err := app.Commit(); err != nil {
		return fmt.Errorf("write anomaly scores: %w", err)
	}
	return nil
}

// scoreLabels are the labels of the scored series, its name among them, and the channel.
func scoreLabels(s detect.SeriesScore) labels.Labels {
	return aboutSeries(s.Labels, "vedette_anomaly_score").Set("channel", s.Channel).Labels()
}

// aboutSeries are the labels of a series called name that is about the one with these.
func aboutSeries(ls map[string]string, name string) *labels.Builder {
	return labels.NewBuilder(labels.FromMap(ls)).Set("metric", ls[labels.MetricName]).Set(labels.MetricName, name)
}

// status is what the page shows of the service itself.
func (s *service) status(ctx context.Context) (api.Status, error) {
	now := time.Now()
	st := api.Status{Version: version, Cluster: s.cfg.Cluster.Name, Now: now.UTC(), Started: s.started.UTC(),
		Mode: string(s.cfg.Mode), Simulated: s.extras.simulated, Agents: []api.Agent{}}
	if s.extras.backfill != nil {
		st.Backfill = s.extras.backfill()
	}
	for _, h := range s.receiver.Agents() {
		stale := max(3*h.Period, time.Minute)
		st.Agents = append(st.Agents, api.Agent{Node: h.Node, LastSeen: h.Last.UTC(), Stale: now.Sub(h.Last) > stale})
	}
	ins, err := s.book.List(ctx, 1000)
	if err != nil {
		return st, err
	}
	for _, in := range ins {
		if in.Open() {
			st.OpenCount++
		}
	}
	es, err := s.ledger.Entries(ctx, 1000)
	if err != nil {
		return st, err
	}
	for _, e := range es {
		if e.State == action.Proposed {
			st.Waiting++
		}
	}
	return st, nil
}

func instant(t time.Time) series.Range { return series.Instant(t) }

// quieter passes on what Prometheus' libraries say only from a warning up:
// what they do is theirs, what goes wrong is ours.
func quieter(log *slog.Logger) *slog.Logger { return slog.New(levelled{log.Handler(), slog.LevelWarn}) }

type levelled struct {
	slog.Handler
	from slog.Level
}

func (l levelled) Enabled(ctx context.Context, at slog.Level) bool {
	return at >= l.from && l.Handler.Enabled(ctx, at)
}

func (l levelled) WithAttrs(as []slog.Attr) slog.Handler {
	return levelled{l.Handler.WithAttrs(as), l.from}
}
func (l levelled) WithGroup(name string) slog.Handler {
	return levelled{l.Handler.WithGroup(name), l.from}
}

// version is set by the linker: -X main.version=v1.2.3.
var version = "dev"

func buildInfo() prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "vedette_build_info", Help: "Always 1; the label says which version runs.",
		ConstLabels: prometheus.Labels{"version": version}}, func() float64 { return 1 })
}

// logger logs to stderr from level up, in UTC.
func logger(stderr io.Writer, level slog.Level) *slog.Logger {
	return slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: level, ReplaceAttr: inUTC}))
}

func inUTC(_ []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey && a.Value.Kind() == slog.KindTime {
		a.Value = slog.TimeValue(a.Value.Time().UTC())
	}
	return a
}
