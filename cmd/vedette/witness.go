package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"vedette.dev/analyzer"
	"vedette.dev/analyzer/problem"
	"vedette.dev/analyzer/snapshot"
	"vedette.dev/nlq/investigate"
)

// This file is where a language model tells of a diagnosis, or looks into one.

// reporter returns the desk at which the model of the configuration works.
func (m *Model) reporter() *investigate.Desk {
	return &investigate.Desk{Steps: m.Search.Steps, Tokens: m.Search.Tokens, Timeout: time.Duration(m.Search.Timeout), Redact: m.Redact}
}

// A told report is the engine's, and what a model said of it.
type told struct {
	analyzer.Report
	Model *investigate.Account `json:"model,omitempty"`
}

// A witness is a model that diagnose asks besides.
type witness struct {
	explain, look      bool
	config, transcript string
}

func (w *witness) flags(c *cobra.Command) {
	c.Flags().BoolVar(&w.explain, "explain", false, "have the model of --config tell the report; it is sent what the report holds")
	c.Flags().BoolVar(&w.look, "investigate", false, "have it look into the snapshot first, for what the report lacks")
	c.Flags().StringVar(&w.config, "config", "", "the service's configuration, whose block model says which model")
	c.Flags().StringVar(&w.transcript, "transcript", "", "file to write all to that is sent to the model and said by it")
}

// hear has the model tell of r, where that was asked for.
func (w *witness) hear(ctx context.Context, r analyzer.Report, s *snapshot.Snapshot) (_ told, err error) {
	if !w.explain && !w.look {
		if w.config+w.transcript != "" {
			return told{}, usage(errors.New("--config and --transcript go with --explain or --investigate"))
		}
		return told{Report: r}, nil
	}
	if w.config == "" {
		return told{}, usage(errors.New("--config names the configuration whose block model says which model"))
	}
	cfg, err := readConfig(w.config)
	if err != nil {
		return told{}, err
	}
	if cfg.Model.Provider == "" {
		return told{}, fmt.Errorf("%s: no model is configured", w.config)
	}
	var log io.Writer
	if file := cmp.Or(w.transcript, cfg.Model.Transcript); file != "" {
		f, err := os.OpenFile(file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600) // it holds what the cluster wrote
		if err != nil {
			return told{}, err
		}
		defer func() { err = errors.Join(err, f.Close()) }()
		log = f
	}
	d := cfg.Model.reporter()
	if d.Line, err = cfg.Model.line(ctx, log); err != nil {
		return told{}, err
	}
	c := investigate.Case{Report: r, Snapshot: s, Now: time.Now()}
	var a investigate.Account
	if w.look {
		r, a = d.Investigate(ctx, c)
	} else {
		a = d.Explain(ctx, c)
	}
	return told{r, &a}, nil
}

// teller returns what has the model of the service tell of a diagnosis, as far
// as the configuration lets it; nil where it does not.
func (s *service) teller() func(context.Context, analyzer.Report, *snapshot.Snapshot, time.Time) (analyzer.Report, *investigate.Account) {
	if s.reporter == nil {
		return nil
	}
	return func(ctx context.Context, r analyzer.Report, snap *snapshot.Snapshot, now time.Time) (analyzer.Report, *investigate.Account) {
		if r.Verdict == analyzer.Healthy {
			return r, nil // nothing to tell
		}
		c := investigate.Case{Report: r, Snapshot: snap, Past: s.camera, Book: s.book, Now: now}
		var a investigate.Account
		if s.cfg.Model.Reports == "investigate" {
			r, a = s.reporter.Investigate(ctx, c)
		} else {
			a = s.reporter.Explain(ctx, c)
		}
		s.testified(a)
		return r, &a
	}
}

// narrator returns what has the model tell of an incident as Markdown, below the
// report, and look into its time first where that is asked for; nil where none may.
func (s *service) narrator() func(context.Context, analyzer.Incident, bool) (string, error) {
	if s.reporter == nil {
		return nil
	}
	return func(ctx context.Context, in analyzer.Incident, look bool) (string, error) {
		if look && s.cfg.Model.Reports != "investigate" {
			return "", problem.New(http.StatusBadRequest, "the model may not look here", "model.reports in the configuration of the service is not investigate")
		}
		r := analyzer.Report{CapturedAt: in.Updated, Verdict: analyzer.Inconclusive, Rejected: in.Rejected, Unseen: in.Unseen}
		if in.Diagnosis != nil {
			r.Verdict, r.Diagnoses = analyzer.Diagnosed, []analyzer.Diagnosis{*in.Diagnosis}
		}
		c := investigate.Case{Report: r, Now: time.Now()}
		var a investigate.Account
		if look {
			c, err := s.reopened(ctx, c, in)
			if err != nil {
				return "", err
			}
			_, a = s.reporter.Investigate(ctx, c)
		} else {
			a = s.reporter.Explain(ctx, c)
		}
		s.testified(a)
		var b strings.Builder
		investigate.WriteMarkdown(&b, a)
		return b.String(), nil
	}
}

// before is how much of what led to an incident is looked at with it: what a
// snapshot of now has.
const before = 30 * time.Minute

// reopened returns the case of an incident with what is remembered of its time:
// until it was closed, or until now. Objects are as they are now, beside what
// became of them then.
func (s *service) reopened(ctx context.Context, c investigate.Case, in analyzer.Incident) (investigate.Case, error) {
	if !in.Open() {
		c.Now = in.Closed
	}
	snap, err := s.camera.Since(ctx, c.Now, c.Now.Sub(in.Opened)+before)
	if snap == nil {
		return c, fmt.Errorf("look back at incident %s: %w", in.ID, err)
	}
	c.Snapshot, c.Past, c.Book = snap, s.camera, s.book // what could not be read of it is in Unseen
	return c, nil
}

// testified notes in the log what a model was asked and what became of it.
func (s *service) testified(a investigate.Account) {
	s.log.Info("a model told of a report", "model", a.Model, "calls", a.Calls, "tokens", a.Tokens, "told", len(a.Told), "dropped", len(a.Dropped),
		"looked", a.Looked, "added", len(a.Added), "guesses", len(a.Guesses), "caveats", a.Caveats)
}
