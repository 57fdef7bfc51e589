//go:build bench

package llm_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"testing"
	"time"

	"vedette.dev/nlq"
	"vedette.dev/nlq/batch"
	"vedette.dev/nlq/llm"
	"vedette.dev/nlq/talk"
	"vedette.dev/rules/catalog"
)

// What make bench-model asks, and whom.
var (
	address  = flag.String("address", "", "base URL of a server of OpenAI's chat completions")
	name     = flag.String("model", "some-model", "name of its model")
	size     = flag.Int("context", 0, "tokens that it remembers; 0 is the default")
	requests = flag.String("requests", "", "file of requests, a line of JSON each")
	rounds   = flag.Int("rounds", 0, "how often it may fill in a form; 0 is the default")
	answers  = flag.String("answers", "", "file to write the answers to")
	said     = flag.String("transcript", "", "file to write all to that is said")
	patience = flag.Duration("patience", 10*time.Minute, "how long to wait for the answer to one question: a bench waits for what a person would not")
)

// TestModel has a model alone read requests and says how it did it.
func TestModel(t *testing.T) {
	in, err := os.ReadFile(*requests)
	if err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(*said)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	m, err := talk.Open(t.Context(), talk.Provider{Kind: talk.OpenAI, Address: *address, Name: *name, Token: os.Getenv("MODEL_TOKEN")})
	if err != nil {
		t.Fatal(err)
	}
	heard := &listener{Model: m}
	words := catalog.Builtin().Without("Vedette")
	e := &llm.Engine{Line: &talk.Line{Model: heard, Name: *name, Size: *size, Day: 1 << 40, Log: log}, Catalog: words, Timeout: *patience, Tokens: 1 << 40, Rounds: *rounds}
	c := &counted{engine: e}
	var out bytes.Buffer
	start := time.Now()
	if err := batch.Answer(t.Context(), c, words, bytes.NewReader(in), &out); err != nil {
		t.Fatal(err)
	}
	spent := time.Since(start)
	if err := os.WriteFile(*answers, out.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	n, u := c.read+c.lost+c.unheard, e.Line.Usage()
	if n == 0 || c.unheard == n {
		t.Fatalf("of %d questions, %d were not heard: %v", n, c.unheard, c.why)
	}
	t.Logf("questions              %4d", n)
	t.Logf("forms filled in        %4d", u.Calls-u.Failures)
	t.Logf("  of them well formed  %4d", heard.formed)
	t.Logf("  refused              %4d", e.Usage().Refused)
	t.Logf("readings that pass     %4d", c.read)
	t.Logf("not understood         %4d", c.lost)
	t.Logf("not heard              %4d   %s", c.unheard, talk.Short(c.why))
	t.Logf("seconds a question     %6.1f", spent.Seconds()/float64(n))
	t.Logf("tokens a question      %4d", u.Tokens/int64(n))
}

// counted counts what an engine makes of questions.
type counted struct {
	engine              nlq.Engine
	read, lost, unheard int
	why                 string // of the last that was not heard
}

func (c *counted) Parse(ctx context.Context, q nlq.Question) (nlq.Parse, error) {
	p, err := c.engine.Parse(ctx, q)
	var not *nlq.NotUnderstood
	switch {
	case err == nil:
		c.read++
	case errors.As(err, &not):
		c.lost++
	default:
		c.unheard++
		c.why = err.Error()
		err = &nlq.NotUnderstood{Caveats: []string{c.why}}
	}
	return p, err
}

// A listener counts what a model says that is JSON of any kind.
type listener struct {
	talk.Model
	formed int
}

func (l *listener) Reply(ctx context.Context, f talk.Form, turns []talk.Turn, most int) (talk.Reply, error) {
	r, err := l.Model.Reply(ctx, f, turns, most)
	if json.Valid([]byte(r.Text)) {
		l.formed++
	}
	return r, err
}
