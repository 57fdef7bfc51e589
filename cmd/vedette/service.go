package main

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"

	"vedette.dev/analyzer"
	"vedette.dev/analyzer/account"
	"vedette.dev/analyzer/action"
	"vedette.dev/analyzer/alerting"
	"vedette.dev/analyzer/anomaly"
	"vedette.dev/analyzer/api"
	"vedette.dev/analyzer/cost"
	"vedette.dev/analyzer/detect"
	"vedette.dev/analyzer/diagnose/facts"
	"vedette.dev/analyzer/history"
	"vedette.dev/analyzer/incident"
	"vedette.dev/analyzer/ingest"
	"vedette.dev/analyzer/live"
	"vedette.dev/analyzer/remedy"
	"vedette.dev/analyzer/scale"
	"vedette.dev/analyzer/snapshot"
	"vedette.dev/analyzer/store"
	"vedette.dev/nlq/answer"
	"vedette.dev/nlq/chat"
	"vedette.dev/nlq/grammar"
	"vedette.dev/nlq/investigate"
	"vedette.dev/nlq/talk"
	"vedette.dev/rules"
	"vedette.dev/rules/catalog"
	"vedette.dev/rules/fault"
	"vedette.dev/rules/publish"
)

//go:embed ui
var ui embed.FS

// extras is what the demo adds to a service; a server has none.
type extras struct {
	simulated bool
	executors map[action.Kind]action.Executor // what can be done to nodes
	backfill  func() *api.Backfill
}

// A service is the central service, opened and ready to run.
type service struct {
	cfg     *Config
	log     *slog.Logger
	started time.Time

	db        *store.Local
	past      *history.Log
	book      *incident.Book
	ledger    *action.Ledger
	published *publish.Everywhere
	alerts    *alerting.Manager
	receiver  *ingest.Receiver
	bank      *detect.Bank
	anomalies *anomaly.Journal
	remembers time.Duration // how often what the detectors know is saved
	loop      *analyzer.Loop
	camera    *live.Camera
	reporter  *investigate.Desk // of a model that may tell of reports; nil is none
	line      *talk.Line        // to a language model; nil where none is configured
	desk      *answer.Desk
	costs     *cost.Desk
	prices    *prices
	scaling   *scale.Desk
	eyes      clusterView
	there     *elsewhere // nil where nothing is read besides

	page     net.Listener
	otlp     net.Listener
	keda     net.Listener // nil where KEDA is not served
	scaler   *grpc.Server // what is served there
	hpa      net.Listener // nil where external metrics are not served
	external *http.Server // what is served there
	http     *http.Server
	grpc     *grpc.Server
	closers  []func() error // in the order of opening
	extras   extras
	registry *prometheus.Registry
}

// open makes every part of the service and hands each what it needs. What was
// opened before an error is closed again.
func open(cfg *Config, log *slog.Logger, x extras) (_ *service, err error) {
	s := &service{cfg: cfg, log: log, started: time.Now(), extras: x, registry: prometheus.NewRegistry(), remembers: remembers}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	words := catalog.Builtin()
	s.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), buildInfo())

	// What is kept: series, what happened, what is unusual.
	watches, err := cfg.watches()
	if err != nil {
		return nil, err
	}
	s.bank = detect.NewBank(watches, cfg.Anomalies.Rate)
	if s.there, err = s.elsewhere(); err != nil {
		return nil, err
	}
	kept := store.Options{Retention: time.Duration(cfg.Retention), Logger: quieter(log), Registerer: s.registry, Tap: tap(s.bank)}
	if s.there != nil {
		kept.Beside = s.there.remote
	}
	s.db, err = store.Open(filepath.Join(cfg.Data, "series"), kept)
	if err != nil {
		return nil, err
	}
	s.closers = append(s.closers, s.db.Close)
	if s.past, err = history.Open(cfg.Data); err != nil {
		return nil, err
	}
	s.closers = append(s.closers, s.past.Close)
	if err := s.bank.Restore(cfg.Data); err != nil {
		log.Warn("the detectors start afresh", "why", err)
	}
	s.closers = append(s.closers, func() error { return s.bank.Save(cfg.Data) })
	if s.anomalies, err = anomaly.Open(cfg.Data, s.bank); err != nil {
		return nil, err
	}
	s.closers = append(s.closers, s.anomalies.Close)
	s.registry.MustRegister(observed(s.bank, s.anomalies)...)

	// What is told: rules and who hears of them.
	here := &publish.Dir{Path: filepath.Join(cfg.Data, "rules")}
	for _, g := range publish.Builtin() { // they are about what is stored here, and stay here
		if err := adopt(here, g); err != nil {
			return nil, err
		}
	}
	external, err := url.Parse(cfg.ExternalURL)
	if err != nil {
		return nil, err
	}
	s.alerts, err = alerting.New(alerting.Options{Storage: ruled{s.db, s.db.DB()}, Engine: s.db.Engine(), Files: here.Files,
		Every: time.Duration(cfg.Evaluate), Alertmanagers: cfg.Alertmanagers, ExternalURL: external,
		Logger: quieter(log), Registerer: s.registry})
	if err != nil {
		return nil, err
	}
	here.Reload = s.alerts.Reload
	s.published = &publish.Everywhere{Dir: here}
	if s.published.Targets, err = s.targets(context.Background()); err != nil {
		return nil, err
	}

	// What is done: the one door to the world.
	does := map[action.Kind]action.Executor{
		action.PublishRule: publishing(s.published),
		action.UndoRule:    undoing(s.published),
	}
	if len(cfg.Alertmanagers) > 0 {
		quiet, err := alerting.NewSilencer(cfg.Alertmanagers)
		if err != nil {
			return nil, err
		}
		does[action.SilenceAlerts], does[action.EndSilence] = silencing(quiet), lifting(quiet)
	}
	placing, err := s.placing(context.Background())
	if err != nil {
		return nil, err
	}
	maps.Copy(does, placing)
	maps.Copy(does, x.executors)
	if s.ledger, err = action.Open(cfg.Data, cfg.Mode, does); err != nil {
		return nil, err
	}
	s.closers = append(s.closers, s.ledger.Close)

	// What is concluded.
	if s.book, err = incident.Open(cfg.Data); err != nil {
		return nil, err
	}
	s.closers = append(s.closers, s.book.Close)
	s.camera = &live.Camera{Querier: s.db, History: s.past, Metrics: facts.Metrics(),
		Cluster: snapshot.Cluster{Name: cfg.Cluster.Name, Provider: cfg.Cluster.Provider, Version: cfg.Cluster.Version}}
	s.loop = &analyzer.Loop{
		Watchers:  []analyzer.Watcher{s.alerts, s.anomalies},
		Diagnoser: live.Diagnoser{Camera: s.camera, Book: s.book},
		Book:      s.book,
		Planner:   &planner{causes: fault.Causes(), can: does, plan: remedy.Planner{}},
		Ledger:    s.ledger,
	}

	prices, err := openPrices(cfg)
	if err != nil {
		return nil, err
	}
	s.prices = prices
	s.costs = &cost.Desk{Querier: s.db, Book: prices.book.Load}
	s.scaling = s.scaleDesk(prices.book.Load())
	s.scaling.Ledger = s.ledger
	s.registry.MustRegister(advised{s.scaling})

	// What is asked.
	// Texts in prose are read in a batch only: here there is somebody to ask.
	if err := s.openModel(context.Background()); err != nil {
		return nil, err
	}
	engine := s.withModel(&grammar.Engine{Catalog: words, Known: (&names{db: s.db}).known}, words)
	s.desk = &answer.Desk{Engine: engine, Catalog: words, Querier: s.db, Costs: s.costs, Camera: s.camera, Past: s.past, Book: s.book, Anomalies: s.anomalies, Ledger: s.ledger, Alerts: s.alerts, Published: s.published.Dir,
		Page: strings.TrimSuffix(cfg.ExternalURL, "/"), Runbooks: cfg.Publish.Runbooks, Tell: s.teller()}

	// What comes in and goes out.
	s.receiver = &ingest.Receiver{Store: s.db, History: s.past, Now: time.Now}
	if s.eyes, err = s.view(); err != nil {
		return nil, err
	}
	return s, s.listen()
}

// listen opens the doors and mounts what is behind them.
func (s *service) listen() error {
	ingestTokens, err := tokens(s.cfg.Tokens.Ingest)
	if err != nil {
		return err
	}
	apiTokens, err := tokens(s.cfg.Tokens.API)
	if err != nil {
		return err
	}
	if s.page, err = listen("listen.http", s.cfg.Listen.HTTP); err != nil {
		return err
	}
	s.closers = append(s.closers, closeListener(s.page))
	if s.otlp, err = listen("listen.otlp", s.cfg.Listen.OTLP); err != nil {
		return err
	}
	s.closers = append(s.closers, closeListener(s.otlp))

	s.grpc = grpc.NewServer(grpc.UnaryInterceptor(ingestTokens.Unary), grpc.MaxRecvMsgSize(ingest.MaxMessage))
	s.receiver.Register(s.grpc)
	if err := s.openScaling(); err != nil {
		return err
	}

	prom := &api.Prometheus{Store: s.db, Alerting: s.alerts, Catalog: catalog.Builtin(), Version: version, Started: s.started,
		Logger: quieter(s.log), Gatherer: s.registry, Registerer: s.registry}
	own := &api.Routes{Querier: s.db, Book: s.book, Anomalies: s.anomalies, Ledger: s.ledger, Rules: s.published, Alerting: s.alerts,
		Explain: account.Plain{}, Markdown: account.Markdown, Narrate: s.narrator(), Status: s.status, Now: time.Now}
	files, err := fs.Sub(ui, "ui")
	if err != nil {
		return err
	}

	mux := http.NewServeMux()
	mux.Handle("/api/v1/", apiTokens.Require(prom.Handler()))
	mux.Handle("/vedette/v1/", apiTokens.Require(own.Handler()))
	mux.Handle("GET /vedette/v1/history/{id}", apiTokens.Require(s.camera.Record()))
	mux.Handle("GET /vedette/v1/snapshot", apiTokens.Require(s.camera.Handler(time.Now)))
	mux.Handle("GET /vedette/v1/cost", apiTokens.Require(s.costs.Handler(time.Now)))
	mux.Handle("GET /vedette/v1/scale", apiTokens.Require(s.scaling.Handler()))
	mux.Handle("GET /vedette/v1/scale/", apiTokens.Require(s.scaling.Handler()))
	for _, path := range []string{"GET /allocation", "GET /allocation/compute"} { // OpenCost's, under both of its names
		mux.Handle(path, apiTokens.Require(s.costs.Allocations(s.cfg.Cluster.Name, time.Now)))
	}
	mux.Handle("/vedette/v1/ask", apiTokens.Require(chat.Handler(s.desk, time.Now)))
	mux.Handle("/v1/", ingestTokens.Require(s.receiver.Handler()))
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", s.ready)
	mux.Handle("/", secured(http.FileServerFS(files))) // without a method: "GET /" and "/api/v1/" would contradict each other
	s.http = &http.Server{
		Handler:           http.NewCrossOriginProtection().Handler(known(s.cfg.Listen.HTTP, mux)),
		ReadHeaderTimeout: 10 * time.Second, // a client that never ends its headers holds no connection
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	return nil
}

// run serves until ctx ends, and returns when everything has stopped.
func (s *service) run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { s.alerts.Run(ctx); return nil })
	g.Go(func() error { return s.see(ctx) })
	g.Go(func() error { return serveGRPC(ctx, s.grpc, s.otlp) })
	g.Go(func() error { return serveHTTP(ctx, s.http, s.page) })
	g.Go(func() error { return every(ctx, time.Duration(s.cfg.Evaluate), s.tick) })
	g.Go(func() error { return every(ctx, time.Hour, s.prune) })
	g.Go(func() error { return every(ctx, s.remembers, s.remember) })
	if len(s.cfg.Prices.Regions) > 0 {
		g.Go(func() error {
			s.refresh(ctx, time.Now())
			return every(ctx, refreshPrices, s.refresh)
		})
	}
	if len(s.scaling.Pools) > 0 {
		g.Go(func() error {
			s.foresee(ctx, time.Now())
			return every(ctx, scale.Every, s.foresee)
		})
	}
	if s.scaler != nil {
		g.Go(func() error { return serveGRPC(ctx, s.scaler, s.keda) })
	}
	if s.external != nil {
		g.Go(func() error { return serveHTTP(ctx, s.external, s.hpa) })
	}
	if s.there != nil {
		g.Go(func() error { return every(ctx, time.Duration(s.cfg.Prometheus.Every), s.there.follow) })
	}
	return g.Wait()
}

// tick is one turn of the loop: conclude, act, write back.
func (s *service) tick(ctx context.Context, now time.Time) {
	if err := s.loop.Tick(ctx, now); err != nil && ctx.Err() == nil {
		s.log.Error("tick", "err", err)
	}
	done, err := s.ledger.Run(ctx, now)
	for _, e := range done {
		s.log.Info("action", "id", e.ID, "kind", e.Kind, "target", e.Target, "state", e.State, "result", e.Result)
	}
	if err == nil {
		err = writeScores(ctx, s.db, s.bank, s.cfg.Anomalies.Bands, now)
	}
	if err != nil && ctx.Err() == nil {
		s.log.Error("tick", "err", err)
	}
}

func (s *service) prune(ctx context.Context, now time.Time) {
	before := now.Add(-time.Duration(s.cfg.Retention))
	if err := errors.Join(s.past.Prune(ctx, before), s.anomalies.Prune(ctx, before)); err != nil && ctx.Err() == nil {
		s.log.Error("prune", "err", err)
	}
}

// remembers is how often what the detectors know is saved, since a process that is
// killed saves nothing: of what takes days to learn ten minutes are nothing, and the
// file of a million series, some 900 MB, is then 1.5 MB/s.
const remembers = 10 * time.Minute

// remember saves what the detectors know.
func (s *service) remember(ctx context.Context, _ time.Time) {
	if err := s.bank.Save(s.cfg.Data); err != nil && ctx.Err() == nil {
		s.log.Error("what the detectors know is not saved", "err", err)
	}
}

// close closes what was opened, the last first.
func (s *service) close() error {
	var errs []error
	for i := len(s.closers) - 1; i >= 0; i-- {
		errs = append(errs, s.closers[i]())
	}
	s.closers = nil
	return errors.Join(errs...)
}

// ready says whether rules are being evaluated on a store that answers.
func (s *service) ready(w http.ResponseWriter, r *http.Request) {
	if err := r.Context().Err(); err != nil {
		return
	}
	if _, err := s.db.Query(r.Context(), "vector(1)", instant(time.Now())); err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ok")
}

// adopt publishes a group that comes with the program, unless somebody has
// published a group of that name.
func adopt(d *publish.Dir, g rules.Group) error {
	standing, err := d.Groups()
	if err != nil {
		return err
	}
	for _, s := range standing {
		if s.ID == g.ID && s.Owner != g.Owner {
			return nil
		}
	}
	return d.Publish(context.Background(), g)
}
