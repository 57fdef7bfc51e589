package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"vedette.dev/nlq"
	"vedette.dev/nlq/investigate"
	"vedette.dev/nlq/llm"
	"vedette.dev/nlq/talk"
	"vedette.dev/rules/catalog"
	"vedette.dev/rules/strictyaml"
)

// A Model is the configuration of a language model. Without a provider nothing
// is sent anywhere.
type Model struct {
	Provider  string              `yaml:"provider"`  // openai (and what speaks its chat completions), ollama, bedrock; "" is none
	Address   string              `yaml:"address"`   // base URL: http://vllm:8000/v1; "" is the provider's own
	Name      string              `yaml:"name"`      // of the model
	Region    string              `yaml:"region"`    // of bedrock; "" is the environment's
	TokenFile string              `yaml:"tokenFile"` // bearer token
	Format    string              `yaml:"format"`    // of openai: schema, json where the server knows no schemas, text where it knows neither; what it refuses is not asked for again; schema
	Context   int                 `yaml:"context"`   // tokens that the model remembers, prompt and reply together; it is found out where it is less; 16384
	Mode      string              `yaml:"mode"`      // first: it is asked where the grammar does not understand; both: always, and differences are shown; first
	Timeout   strictyaml.Duration `yaml:"timeout"`   // for one question; 20s
	Rounds    int                 `yaml:"rounds"`    // how often it may try; 3
	Budget    struct {
		Question int `yaml:"question"` // tokens for one question; 20000
		Day      int `yaml:"day"`      // tokens for a day; 1000000
	} `yaml:"budget"`
	Redact  []string `yaml:"redact"`  // what does not leave besides secrets: mail, address
	Reports string   `yaml:"reports"` // of diagnoses, which hold names and lines of the cluster: none; explain: it may tell them; investigate: it may look into the cluster's data too; none
	Search  struct { // what one report may cost
		Steps   int                 `yaml:"steps"`   // how often it may look or suppose; 8
		Tokens  int                 `yaml:"tokens"`  // 100000
		Timeout strictyaml.Duration `yaml:"timeout"` // 2m
	} `yaml:"search"`
	Transcript string `yaml:"transcript"` // file to which all that is sent and said is added; "" is none
}

func (m *Model) fill() {
	if m.Format == "" {
		m.Format = "schema"
	}
	if m.Context == 0 {
		m.Context = 16_384
	}
	if m.Mode == "" {
		m.Mode = "first"
	}
	if m.Timeout == 0 {
		m.Timeout = strictyaml.Duration(20 * time.Second)
	}
	if m.Rounds == 0 {
		m.Rounds = 3
	}
	if m.Budget.Question == 0 {
		m.Budget.Question = 20_000
	}
	if m.Budget.Day == 0 {
		m.Budget.Day = 1_000_000
	}
	if m.Reports == "" {
		m.Reports = "none"
	}
	if m.Search.Steps == 0 {
		m.Search.Steps = 8
	}
	if m.Search.Tokens == 0 {
		m.Search.Tokens = 100_000
	}
	if m.Search.Timeout == 0 {
		m.Search.Timeout = strictyaml.Duration(2 * time.Minute)
	}
}

func (m *Model) check() error {
	var errs []error
	oneOf := func(what, got string, of ...string) {
		if !slices.Contains(of, got) {
			errs = append(errs, fmt.Errorf("model.%s: %q is none of %q", what, got, of))
		}
	}
	oneOf("provider", m.Provider, "", talk.OpenAI, talk.Ollama, talk.Bedrock)
	oneOf("format", m.Format, talk.Formats...)
	oneOf("mode", m.Mode, "first", "both")
	oneOf("reports", m.Reports, "none", "explain", "investigate")
	for _, what := range m.Redact {
		oneOf("redact", what, talk.Mail, talk.Address)
	}
	if m.Provider != "" && m.Name == "" {
		errs = append(errs, errors.New("model.name: the provider is set, and no model of it"))
	}
	if m.Provider == talk.Bedrock && m.TokenFile != "" {
		errs = append(errs, errors.New("model.tokenFile: bedrock takes the credentials that every AWS program finds"))
	}
	if u, err := url.Parse(m.Address); m.Address != "" && (err != nil || u.Host == "") {
		errs = append(errs, fmt.Errorf("model.address: %q is not a URL", m.Address))
	}
	if m.Context < 0 || m.Timeout < 0 || m.Rounds < 0 || m.Budget.Question < 0 || m.Budget.Day < 0 || m.Search.Steps < 0 || m.Search.Tokens < 0 || m.Search.Timeout < 0 {
		errs = append(errs, errors.New("model: context, timeout, rounds, budget and search are not below 0"))
	}
	return errors.Join(errs...)
}

// line opens a line to the model. What goes over it is written to log, where
// that is not nil.
func (m *Model) line(ctx context.Context, log io.Writer) (*talk.Line, error) {
	at := talk.Provider{Kind: m.Provider, Address: m.Address, Name: m.Name, Region: m.Region, Format: m.Format, Size: m.Context}
	var err error
	if m.TokenFile != "" {
		if at.Token, err = readToken(m.TokenFile); err != nil {
			return nil, fmt.Errorf("model: %w", err)
		}
	}
	l := &talk.Line{Name: m.Provider + "/" + m.Name, Day: m.Budget.Day, Size: m.Context, Log: log}
	l.Model, err = talk.Open(ctx, at)
	return l, err
}

// openModel opens the line to the model where one is configured, and shows what
// goes over it as metrics.
func (s *service) openModel(ctx context.Context) error {
	m := s.cfg.Model
	if m.Provider == "" {
		return nil
	}
	log, err := s.transcript(m.Transcript)
	if err != nil {
		return err
	}
	if s.line, err = m.line(ctx, log); err != nil {
		return err
	}
	if m.Reports != "none" {
		s.reporter = m.reporter()
		s.reporter.Line = s.line
		s.registry.MustRegister(reporterMetrics(s.reporter)...)
		s.log.Info("reports go to a model too", "model", s.line.Name, "address", m.Address, "reports", m.Reports)
	}
	return nil
}

// transcript opens the file to which all that is said is added.
func (s *service) transcript(path string) (io.Writer, error) {
	if path == "" {
		return nil, nil
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600) // it holds what the cluster wrote
	if err != nil {
		return nil, fmt.Errorf("model.transcript: %w", err)
	}
	s.closers = append(s.closers, f.Close)
	return f, nil
}

// withModel returns the grammar with the model beside it, where one is
// configured.
func (s *service) withModel(grammar nlq.Engine, words *catalog.Catalog) nlq.Engine {
	m, line := s.cfg.Model, s.line
	if line == nil {
		return grammar
	}
	e := &llm.Engine{Line: line, Catalog: words, Timeout: time.Duration(m.Timeout), Rounds: m.Rounds, Tokens: m.Budget.Question, Redact: m.Redact}
	s.registry.MustRegister(modelMetrics(e)...)
	s.log.Info("questions go to a model too", "model", line.Name, "address", m.Address, "mode", m.Mode)
	if m.Mode == "both" {
		return llm.Both{Grammar: grammar, Model: e, Catalog: words}
	}
	return nlq.First(grammar, e)
}

func counter(name, help string, v func() int64) prometheus.Collector {
	return prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, func() float64 { return float64(v()) })
}

func reporterMetrics(d *investigate.Desk) []prometheus.Collector {
	return []prometheus.Collector{
		counter("vedette_model_told_total", "Sentences of the language model about reports that were shown.", func() int64 { return d.Usage().Told }),
		counter("vedette_model_dropped_total", "Sentences of the language model about reports that their evidence does not bear out.", func() int64 { return d.Usage().Dropped }),
	}
}

func modelMetrics(e *llm.Engine) []prometheus.Collector {
	return []prometheus.Collector{
		counter("vedette_model_calls_total", "Calls of the language model.", func() int64 { return e.Line.Usage().Calls }),
		counter("vedette_model_tokens_total", "Tokens of prompts and replies of the language model.", func() int64 { return e.Line.Usage().Tokens }),
		counter("vedette_model_failures_total", "Calls of the language model that failed or took too long.", func() int64 { return e.Line.Usage().Failures }),
		counter("vedette_model_refused_total", "Replies of the language model that were no form, or one that cannot be.", func() int64 { return e.Usage().Refused }),
		counter("vedette_model_cache_hits_total", "Questions answered from what the language model said before.", func() int64 { return e.Usage().Hits }),
	}
}
