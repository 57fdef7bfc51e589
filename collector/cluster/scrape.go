package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/discovery"
	"github.com/prometheus/prometheus/discovery/targetgroup"
	"github.com/prometheus/prometheus/scrape"
	"github.com/prometheus/prometheus/storage"
	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/rest"

	"vedette.dev/collector"
)

// reconsider is how soon a change of monitors, or of which nodes have an
// agent, is followed.
const reconsider = 30 * time.Second

// A Scraper reads the metrics pages of a cluster as a Prometheus there would,
// by Prometheus' own scrape manager and discovery: pods and services that carry
// the annotation prometheus.io/scrape, programs that are known by their image,
// and what the monitors of the Prometheus operator name.
type Scraper struct {
	API        *rest.Config // as [Config] returns it; nil is no cluster, and Files alone
	Kubeconfig string       // the file that API is from; "" is the pod's service account
	Store      storage.Appendable
	Files      []string // more jobs: Prometheus configuration files; their scrape_configs are taken

	// Covered reports whether an agent of ours reads a node, so that an exporter
	// there would tell the same again. It may be nil.
	Covered func(node string) bool

	Troubles   *collector.Troubles
	Logger     *slog.Logger
	Registerer prometheus.Registerer // of the scrape manager's own metrics
}

// Run scrapes until ctx ends.
func (s *Scraper) Run(ctx context.Context) error {
	base, err := s.base()
	if err != nil {
		return err
	}
	sd, err := discovery.CreateAndRegisterSDMetrics(s.Registerer)
	if err != nil {
		return fmt.Errorf("scrape: %w", err)
	}
	reader, err := scrape.NewManager(&scrape.Options{DiscoveryReloadInterval: 0}, s.Logger, nil, s.Store, nil, s.Registerer)
	if err != nil {
		return fmt.Errorf("scrape: %w", err)
	}
	var monitors *monitors
	if s.API != nil {
		if monitors, err = newMonitors(s.API, s.Logger); err != nil {
			return err
		}
	}

	g, ctx := errgroup.WithContext(ctx)
	finder := discovery.NewManager(ctx, s.Logger, s.Registerer, sd)
	if finder == nil {
		return errors.New("scrape: the discovery manager does not start")
	}
	targets := make(chan map[string][]*targetgroup.Group)
	g.Go(func() error {
		err := finder.Run()
		if ctx.Err() != nil {
			return nil
		}
		return err
	})
	g.Go(func() error { return reader.Run(targets) })
	g.Go(func() error { <-ctx.Done(); reader.Stop(); return nil })
	g.Go(func() error { s.sift(ctx, finder.SyncCh(), targets); return nil })
	g.Go(func() error {
		apply := func(jobs []*config.ScrapeConfig) error {
			cfg := *base
			cfg.ScrapeConfigs = append(cfg.ScrapeConfigs[:len(cfg.ScrapeConfigs):len(cfg.ScrapeConfigs)], jobs...)
			if err := reader.ApplyConfig(&cfg); err != nil {
				return fmt.Errorf("scrape: %w", err)
			}
			return finder.ApplyConfig(reach(cfg.ScrapeConfigs, s.Kubeconfig))
		}
		if err := apply(nil); err != nil {
			return err
		}
		tick := time.NewTicker(reconsider)
		defer tick.Stop()
		for monitors != nil {
			jobs, changed, err := monitors.jobs(ctx)
			if err == nil && changed {
				err = apply(jobs)
			}
			s.note(ctx, "reading the monitors of the Prometheus operator", err)
			select {
			case <-ctx.Done():
				return nil
			case <-tick.C:
			}
		}
		return nil
	})
	return g.Wait()
}

// base is what is scraped whatever the monitors say.
func (s *Scraper) base() (*config.Config, error) {
	cfg, err := annotated(s.Logger)
	if err != nil {
		return nil, err
	}
	if s.API == nil {
		cfg.ScrapeConfigs = nil
	}
	have := map[string]bool{}
	for _, j := range cfg.ScrapeConfigs {
		have[j.JobName] = true
	}
	for _, path := range s.Files {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("scrape: %w", err)
		}
		more, err := config.Load(string(text), s.Logger)
		if err != nil {
			return nil, fmt.Errorf("scrape: %s: %w", path, err)
		}
		jobs, err := more.GetScrapeConfigs()
		if err != nil {
			return nil, fmt.Errorf("scrape: %s: %w", path, err)
		}
		for _, j := range jobs {
			if have[j.JobName] {
				return nil, fmt.Errorf("scrape: %s: there is a job %s already", path, j.JobName)
			}
			have[j.JobName] = true
		}
		cfg.ScrapeConfigs = append(cfg.ScrapeConfigs, jobs...)
	}
	return cfg, nil
}

func (s *Scraper) note(ctx context.Context, what string, err error) {
	if s.Troubles != nil {
		s.Troubles.Note(ctx, what, err)
	}
}
