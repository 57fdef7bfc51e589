// Package api serves over HTTP what is stored and concluded: the Prometheus
// HTTP API under /api/v1/, for Grafana and every tool that speaks it, and our
// own routes under /vedette/v1/: status, fleet, incidents, anomalies, actions, rules.
// Questions are nlq/chat's.
package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"vedette.dev/analyzer"
	"vedette.dev/analyzer/action"
	"vedette.dev/analyzer/alerting"
	"vedette.dev/analyzer/anomaly"
	"vedette.dev/analyzer/incident"
	"vedette.dev/analyzer/problem"
	"vedette.dev/analyzer/series"
	"vedette.dev/rules"
	"vedette.dev/rules/catalog"
	"vedette.dev/rules/explain"
	"vedette.dev/rules/publish"
)

// listed is how many incidents, anomalies and actions a list shows.
const listed = 200

// Routes is what our own routes are served from.
type Routes struct {
	Querier   series.Querier
	Book      *incident.Book
	Anomalies *anomaly.Journal
	Ledger    *action.Ledger
	Rules     *publish.Everywhere
	Alerting  *alerting.Manager
	Explain   analyzer.Explainer
	Markdown  func(in analyzer.Incident, account []analyzer.Sentence) string
	Narrate   func(ctx context.Context, in analyzer.Incident, look bool) (string, error) // what a model says of an incident, as Markdown, and what it found where it may look; nil where none is asked
	Status    func(ctx context.Context) (Status, error)
	Now       func() time.Time
}

// Handler serves /vedette/v1/.
func (a *Routes) Handler() http.Handler {
	mux := http.NewServeMux()
	handle := func(pattern string, do func(w http.ResponseWriter, r *http.Request) (any, error)) {
		mux.HandleFunc(pattern, problem.Handle(do))
	}
	handle("GET /vedette/v1/status", func(_ http.ResponseWriter, r *http.Request) (any, error) { return a.Status(r.Context()) })
	handle("GET /vedette/v1/fleet", a.fleet)
	handle("GET /vedette/v1/incidents", a.incidents)
	handle("GET /vedette/v1/incidents/{id}", a.incident)
	handle("GET /vedette/v1/incidents/{id}/account", a.account)
	mux.HandleFunc("GET /vedette/v1/incidents/{id}/report.md", a.report)
	handle("GET /vedette/v1/anomalies", a.anomalies)
	handle("POST /vedette/v1/anomalies/{id}/dismiss", a.dismiss)
	handle("POST /vedette/v1/anomalies/{id}/restore", a.restore)
	handle("GET /vedette/v1/actions", a.actions)
	handle("GET /vedette/v1/actions/{id}", a.action)
	handle("POST /vedette/v1/actions/{id}/approve", a.decide(true))
	handle("POST /vedette/v1/actions/{id}/deny", a.decide(false))
	handle("GET /vedette/v1/rules", a.groups)
	handle("POST /vedette/v1/rules/apply", a.apply)
	handle("POST /vedette/v1/rules/{id}/undo", a.undo)
	return mux
}

func (a *Routes) incidents(_ http.ResponseWriter, r *http.Request) (any, error) {
	ins, err := a.Book.List(r.Context(), listed)
	if err != nil {
		return nil, err
	}
	return map[string]any{"incidents": notNil(ins)}, nil
}

// one returns the incident that the path names.
func (a *Routes) one(r *http.Request) (analyzer.Incident, error) {
	in, err := a.Book.Incident(r.Context(), r.PathValue("id"))
	if errors.Is(err, incident.ErrNoSuchIncident) {
		return in, problem.New(http.StatusNotFound, err.Error(), "vedette incidents list, or GET /vedette/v1/incidents, shows them")
	}
	return in, err
}

func (a *Routes) incident(_ http.ResponseWriter, r *http.Request) (any, error) { return a.one(r) }

func (a *Routes) account(_ http.ResponseWriter, r *http.Request) (any, error) {
	in, err := a.one(r)
	if err != nil {
		return nil, err
	}
	ss, err := a.Explain.Explain(r.Context(), in)
	if err != nil {
		return nil, fmt.Errorf("explain incident %s: %w", in.ID, err)
	}
	return map[string]any{"account": notNil(ss)}, nil
}

func (a *Routes) report(w http.ResponseWriter, r *http.Request) {
	in, err := a.one(r)
	if err != nil {
		problem.Write(w, err)
		return
	}
	ss, err := a.Explain.Explain(r.Context(), in)
	if err != nil {
		problem.Write(w, fmt.Errorf("explain incident %s: %w", in.ID, err))
		return
	}
	more := ""
	look := r.FormValue("investigate") == "model"
	if look || r.FormValue("explain") == "model" {
		if a.Narrate == nil {
			problem.Write(w, problem.New(http.StatusBadRequest, "no model tells of reports here", "set model.provider and model.reports in the configuration of the service"))
			return
		}
		if more, err = a.Narrate(r.Context(), in, look); err != nil {
			problem.Write(w, fmt.Errorf("have a model tell of incident %s: %w", in.ID, err))
			return
		}
	}
	w.Header().Set("Content-Type", "text/markdown; charset=utf-8")
	fmt.Fprint(w, a.Markdown(in, ss)+more)
}

func (a *Routes) actions(_ http.ResponseWriter, r *http.Request) (any, error) {
	es, err := a.Ledger.Entries(r.Context(), listed)
	if err != nil {
		return nil, err
	}
	return map[string]any{"actions": notNil(es)}, nil
}

func actionID(r *http.Request) (int64, error) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil {
		return 0, problem.New(http.StatusNotFound, fmt.Sprintf("action %q: its id is a number", r.PathValue("id")), "vedette actions list, or GET /vedette/v1/actions, shows them")
	}
	return id, nil
}

func (a *Routes) action(_ http.ResponseWriter, r *http.Request) (any, error) {
	id, err := actionID(r)
	if err != nil {
		return nil, err
	}
	e, err := a.Ledger.Entry(r.Context(), id)
	return e, asProblem(err)
}

// decide records a decision and carries out at once what it approves.
func (a *Routes) decide(approve bool) func(http.ResponseWriter, *http.Request) (any, error) {
	return func(w http.ResponseWriter, r *http.Request) (any, error) {
		id, err := actionID(r)
		if err != nil {
			return nil, err
		}
		var said struct {
			By  string `json:"by"`
			Why string `json:"why"`
		}
		if err := problem.Read(w, r, &said); err != nil {
			return nil, err
		}
		if said.By == "" || (!approve && said.Why == "") {
			return nil, problem.New(http.StatusBadRequest, "a decision needs a name, and a refusal a reason", `send {"by":"…","why":"…"}`)
		}
		now := a.Now()
		if _, err := a.Ledger.Decide(r.Context(), id, action.Decision{By: said.By, At: now, Approved: approve, Why: said.Why}); err != nil {
			return nil, asProblem(err)
		}
		if approve {
			if _, err := a.Ledger.Run(r.Context(), now); err != nil {
				return nil, err
			}
		}
		return a.Ledger.Entry(r.Context(), id)
	}
}

func asProblem(err error) error {
	switch {
	case errors.Is(err, action.ErrNoSuchAction):
		return problem.New(http.StatusNotFound, err.Error(), "vedette actions list, or GET /vedette/v1/actions, shows them")
	case errors.Is(err, action.ErrNotWaiting):
		return problem.New(http.StatusConflict, err.Error(), "")
	}
	return err
}

// RuleGroup is a published group with the state of its rules.
type RuleGroup struct {
	ID       rules.ID    `json:"id"`
	Owner    string      `json:"owner"`
	Revision int         `json:"revision"`
	Asked    string      `json:"asked,omitempty"`
	YAML     string      `json:"yaml"`
	Rules    []RuleState `json:"rules"`
}

// RuleState is a rule and how it is.
type RuleState struct {
	Name      string `json:"name"`
	Expr      string `json:"expr"`
	For       string `json:"for"`
	Words     string `json:"words"` // the rule read back
	State     string `json:"state"` // inactive, pending, firing, or unknown before the first evaluation
	LastError string `json:"lastError,omitempty"`
}

func (a *Routes) groups(_ http.ResponseWriter, _ *http.Request) (any, error) {
	gs, err := a.Rules.Dir.Groups()
	if err != nil {
		return nil, err
	}
	states := a.Alerting.States()
	out := []RuleGroup{}
	for _, g := range gs {
		doc, err := publish.YAML(g)
		if err != nil {
			return nil, err
		}
		rg := RuleGroup{ID: g.ID, Owner: g.Owner, Revision: g.Revision, Asked: g.Asked, YAML: string(doc), Rules: []RuleState{}}
		for _, r := range g.Rules {
			said, err := explain.Rule(r, catalog.Builtin())
			if err != nil {
				return nil, err
			}
			s := states[alerting.RuleKey{Group: string(g.ID), Rule: r.Name}]
			rg.Rules = append(rg.Rules, RuleState{Name: r.Name, Expr: r.Expr, For: r.For.String(), Words: said, State: s.State, LastError: s.LastError})
		}
		out = append(out, rg)
	}
	return map[string]any{"groups": out}, nil
}

func (a *Routes) undo(w http.ResponseWriter, r *http.Request) (any, error) {
	var said struct {
		By string `json:"by"`
	}
	if err := problem.Read(w, r, &said); err != nil {
		return nil, err
	}
	if said.By == "" {
		return nil, problem.New(http.StatusBadRequest, "an undo needs a name", `send {"by":"…"}`)
	}
	act := action.Action{Kind: action.UndoRule, Target: r.PathValue("id"), Reason: "asked for by " + said.By, Effect: "the revision before stands again"}
	return a.Ledger.Do(r.Context(), act, said.By, a.Now())
}

// notNil makes an empty list [] and not null.
func notNil[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}
