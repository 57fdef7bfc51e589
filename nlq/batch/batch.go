// Package batch answers a file of questions without a service: one line of
// JSON in, one line out, in the same order, each as soon as it is found. What
// the lines hold is a contract with whoever scores or scripts it; see [Reply].
//
// Unlike a desk it carries nothing out and asks nobody back: it gives the best
// reading there is, with how sure that is.
package batch

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime/debug"
	"strings"

	"github.com/prometheus/common/model"

	"vedette.dev/nlq"
	"vedette.dev/nlq/compile"
	"vedette.dev/rules"
	"vedette.dev/rules/catalog"
	"vedette.dev/rules/publish"
)

// A Reply is the answer to one question. All keys are always written.
type Reply struct {
	ID         json.RawMessage `json:"id"`
	Kind       string          `json:"kind"`   // alert, query, clarify, refuse or other
	Intent     string          `json:"intent"` // alert, lookup, formula, raw, slo, changes, actions, explain, silence, why, when, unclear, refused
	Expr       string          `json:"expr"`
	For        string          `json:"for"` // "" where it was not said
	Severity   string          `json:"severity"`
	Rule       string          `json:"rule"` // the rule group as YAML
	Readback   string          `json:"readback"`
	Question   string          `json:"question"` // what is asked back, with choices
	Confidence float64         `json:"confidence"`
	Raw        string          `json:"raw"` // expr and rule: never an echo of the request
}

// longest is a question's greatest length in bytes: four pages of text. What
// is longer is no question, and would only cost time.
const longest = 16 << 10

// Answer answers the questions of r and writes to w. A line that is no
// question is answered with what is wrong with it; an error is only for what
// kept r from being read or w from being written.
func Answer(ctx context.Context, e nlq.Engine, c *catalog.Catalog, r io.Reader, w io.Writer) error {
	in := bufio.NewReader(r)
	out := json.NewEncoder(w)
	out.SetEscapeHTML(false) // "a > b" is read by people too
	for n := 1; ; n++ {
		line, err := in.ReadBytes('\n')
		if err != nil && err != io.EOF {
			return fmt.Errorf("read question %d: %w", n, err)
		}
		last := err == io.EOF
		if last && len(line) == 0 {
			return nil
		}
		if err := out.Encode(one(ctx, e, c, n, line)); err != nil {
			return fmt.Errorf("write answer %d: %w", n, err)
		}
		if last {
			return nil
		}
	}
}

func one(ctx context.Context, e nlq.Engine, c *catalog.Catalog, n int, line []byte) any {
	var q struct {
		ID       json.RawMessage `json:"id"`
		NL       string          `json:"nl"`
		Question string          `json:"question"`
	}
	err := json.Unmarshal(line, &q)
	text := strings.TrimSpace(q.NL + q.Question)
	switch {
	case len(bytes.TrimSpace(line)) == 0:
		err = errors.New("the line is empty")
	case err == nil && text == "":
		err = errors.New(`there is no question: "nl" is missing or empty`)
	}
	switch {
	case err != nil && len(q.ID) > 0:
		return map[string]any{"id": q.ID, "error": err.Error()}
	case err != nil:
		return map[string]any{"line": n, "error": err.Error()}
	}
	out := carefully(ctx, e, c, text)
	if out.ID = q.ID; len(q.ID) == 0 {
		out.ID = json.RawMessage("null")
	}
	return out
}

// carefully is reply, with a panic turned into a question that is not
// understood: one of a million questions may not take the answers of the others.
func carefully(ctx context.Context, e nlq.Engine, c *catalog.Catalog, text string) (r Reply) {
	defer func() {
		if p := recover(); p != nil {
			slog.ErrorContext(ctx, "a question could not be read: this is a bug in vedette", "question", text, "panic", p, "stack", string(debug.Stack()))
			r = Reply{Kind: "clarify", Intent: "unclear", Question: "This could not be read. Can it be said in other words?"}
		}
	}()
	return reply(ctx, e, c, text)
}

// reply answers one question.
func reply(ctx context.Context, e nlq.Engine, c *catalog.Catalog, text string) Reply {
	if len(text) > longest {
		return Reply{Kind: "clarify", Intent: "unclear", Question: fmt.Sprintf("This is longer than %d bytes. What is the question in one or two sentences?", longest)}
	}
	p, err := e.Parse(ctx, nlq.Question{Text: text})
	if err != nil {
		return unclear(err)
	}
	out := Reply{Kind: "other", Readback: nlq.Read(p.Intent, c), Confidence: p.Confidence}
	switch i := p.Intent.(type) {
	case nlq.Lookup:
		out.Kind, out.Intent = "query", "lookup"
		out.Expr, err = compile.Lookup(i, c)
	case nlq.Alert:
		g, cerr := compile.Alert(i, c)
		out.Kind, out.Intent = "alert", "alert"
		err = out.rule(g, cerr, i.ForSaid)
	case nlq.Formula:
		out.Kind, out.Intent = "query", "formula"
		if !i.Alert {
			out.Expr, err = compile.Formula(i, c)
			break
		}
		g, cerr := compile.FormulaRule(i, c)
		out.Kind = "alert"
		err = out.rule(g, cerr, i.ForSaid)
	case nlq.SLO:
		g, cerr := compile.SLO(i, c)
		out.Kind, out.Intent = "alert", "slo"
		err = out.rule(g, cerr, false)
	case nlq.Explain:
		out.Intent = "explain"
	case nlq.Changes:
		out.Intent = "changes"
	case nlq.Actions:
		out.Intent = "actions"
	case nlq.Anomalies:
		out.Intent = "anomalies"
	case nlq.Cost:
		out.Intent = "cost"
	case nlq.Raw:
		out.Kind, out.Intent = "query", "raw"
		if !i.Alert {
			out.Expr, err = compile.Raw(i, c)
			break
		}
		g, cerr := compile.RawRule(i, c)
		out.Kind = "alert"
		err = out.rule(g, cerr, i.ForSaid)
	case nlq.Why:
		out.Intent = "why"
	case nlq.Silence: // no ledger is here in which to propose it
		return Reply{Kind: "refuse", Intent: "silence", Readback: out.Readback, Question: "Nobody is silenced for words alone: a running service proposes it, and a person approves.", Confidence: p.Confidence}
	case nlq.When:
		out.Intent = "when"
		_, err = compile.When(i, c)
	}
	if err != nil { // understood, and not what can be asked of these metrics
		return Reply{Kind: "clarify", Intent: "unclear", Question: err.Error()}
	}
	out.Raw = strings.TrimSpace(out.Expr + "\n" + out.Rule)
	return out
}

// rule puts the rule of g into r, unless err.
func (r *Reply) rule(g rules.Group, err error, forSaid bool) error {
	if err != nil {
		return err
	}
	doc, err := publish.YAML(g)
	if err != nil {
		return err
	}
	one := g.Rules[0]
	r.Expr, r.Severity, r.Rule = one.Expr, one.Labels["severity"], string(doc)
	if forSaid {
		r.For = model.Duration(one.For).String()
	}
	return nil
}

func unclear(err error) Reply {
	var not *nlq.NotUnderstood
	if !errors.As(err, &not) {
		return Reply{Kind: "clarify", Intent: "unclear", Question: err.Error()}
	}
	out := Reply{Kind: "clarify", Intent: "unclear", Question: not.Ask}
	if not.Refused {
		out.Kind, out.Intent = "refuse", "refused"
	}
	if out.Question == "" {
		out.Question = "What should be measured?"
		if len(not.Words) > 0 {
			out.Question = fmt.Sprintf("What is meant by %s?", strings.Join(not.Words, ", "))
		}
	}
	if len(not.Nearest) > 0 && !strings.Contains(out.Question, " or ") {
		out.Question += " For example: " + strings.Join(not.Nearest, "; ")
	}
	return out
}
