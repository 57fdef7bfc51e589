package api

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/grafana/regexp"
	"github.com/prometheus/client_golang/exp/api/remote"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"github.com/prometheus/common/route"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/scrape"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/util/features"
	v1 "github.com/prometheus/prometheus/web/api/v1"

	"vedette.dev/analyzer/alerting"
	"vedette.dev/analyzer/store"
	"vedette.dev/rules/catalog"
)

// Prometheus is what the Prometheus HTTP API is served from.
type Prometheus struct {
	Store      *store.Local
	Alerting   *alerting.Manager
	Catalog    *catalog.Catalog
	Version    string // of Vedette
	Started    time.Time
	Logger     *slog.Logger
	Gatherer   prometheus.Gatherer
	Registerer prometheus.Registerer
}

// compatible is the Prometheus version that this API behaves as. Grafana
// decides by it what it may ask for.
const compatible = "3.15.0"

// Handler serves /api/v1/ as Prometheus does, from its own code. The
// administrative routes are off.
func (p *Prometheus) Handler() http.Handler {
	db, engine := p.Store.DB(), p.Store.Engine()
	retrieve := retriever{p}
	api := v1.NewAPI(
		engine, p.Store, p.Store, p.Store, db,
		func(context.Context) v1.ScrapePoolsRetriever { return retrieve },
		func(context.Context) v1.TargetRetriever { return retrieve },
		func(context.Context) v1.AlertmanagerRetriever { return p.Alerting.Notifier },
		func() config.Config { return config.DefaultConfig },
		map[string]string{"vedette.version": p.Version},
		v1.GlobalURLOptions{},
		func(f http.HandlerFunc) http.HandlerFunc { return f },
		admin{db}, db.Dir(),
		false,    // admin API
		false, 0, // search
		p.Logger,
		func(context.Context) v1.RulesRetriever { return p.Alerting.Rules },
		50_000_000, 10, 1<<20, // remote read: samples, concurrency, bytes in a frame: Prometheus' defaults
		false, // not an agent
		regexp.MustCompile(`^$`),
		p.runtime,
		&v1.PrometheusVersion{Version: compatible, Revision: "vedette " + p.Version, Branch: "vedette", GoVersion: "go"},
		nil, nil, // notifications
		p.Gatherer, p.Registerer, nil,
		true, remote.MessageTypes{remote.WriteV1MessageType, remote.WriteV2MessageType},
		false, false, false, // OTLP is ingest's
		false, 5*time.Minute, false, false, nil,
		features.NewRegistry(), v1.OpenAPIOptions{}, parser.NewParser(parser.Options{}),
	)
	r := route.New()
	api.Register(r)
	return http.StripPrefix("/api/v1", r)
}

func (p *Prometheus) runtime() (v1.RuntimeInfo, error) {
	return v1.RuntimeInfo{StartTime: p.Started, ServerTime: time.Now(), ReloadConfigSuccess: true}, nil
}

// admin answers what the status routes ask of the database.
type admin struct{ *tsdb.DB }

func (a admin) Stats(label string, limit int) (*tsdb.Stats, error) {
	return a.Head().Stats(label, limit), nil
}
func (a admin) WALReplayStatus() (tsdb.WALReplayStatus, error) { return tsdb.WALReplayStatus{}, nil }
func (a admin) BlockMetas() ([]tsdb.BlockMeta, error)          { return a.DB.BlockMetas(), nil }

// retriever stands in for a scraper: nothing is scraped here. Its one target
// carries the catalog, since Prometheus serves metadata from its targets.
type retriever struct{ p *Prometheus }

func (r retriever) ScrapePools() []string                       { return nil }
func (r retriever) TargetsDropped() map[string][]*scrape.Target { return nil }
func (r retriever) TargetsDroppedCounts() map[string]int        { return nil }
func (r retriever) ScrapePoolConfig(string) (*config.ScrapeConfig, error) {
	return nil, fmt.Errorf("nothing is scraped here")
}

func (r retriever) TargetsActive() map[string][]*scrape.Target {
	conf := config.DefaultScrapeConfig
	t := scrape.NewTarget(labels.FromStrings(model.JobLabel, "vedette-catalog", model.AddressLabel, "vedette", model.SchemeLabel, "http", model.MetricsPathLabel, "/metrics"),
		&conf, model.LabelSet{}, model.LabelSet{})
	t.SetMetadataStore(metadata(r.p.Catalog))
	return map[string][]*scrape.Target{"vedette-catalog": {t}}
}

// known is a catalog as Prometheus' metadata.
type known map[string]scrape.MetricMetadata

var _ scrape.MetricMetadataStore = known(nil)

func metadata(c *catalog.Catalog) known {
	k := known{}
	for _, m := range c.All() {
		k[string(m.ID)] = scrape.MetricMetadata{MetricFamily: string(m.ID), Type: model.MetricType(m.Type), Help: m.Help, Unit: ""}
	}
	return k
}

func (k known) ListMetadata() []scrape.MetricMetadata {
	all := make([]scrape.MetricMetadata, 0, len(k))
	for _, m := range k {
		all = append(all, m)
	}
	return all
}

func (k known) GetMetadata(name string) (scrape.MetricMetadata, bool) { m, ok := k[name]; return m, ok }
func (k known) SizeMetadata() int                                     { return 0 }
func (k known) LengthMetadata() int                                   { return len(k) }
