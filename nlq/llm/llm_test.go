package llm_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"vedette.dev/nlq"
	"vedette.dev/nlq/compile"
	"vedette.dev/nlq/grammar"
	"vedette.dev/nlq/llm"
	"vedette.dev/nlq/talk"
	"vedette.dev/nlq/talk/talktest"
	"vedette.dev/rules/catalog"
)

var update = flag.Bool("update", false, "write what was got into testdata")

// now is any time: nothing depends on which.
var now = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

func ask(text string) nlq.Question { return nlq.Question{Text: text, Now: now} }

// TestForms runs every case of testdata. An archive holds a file "question",
// the replies of the model, each a file "reply", and a file "want" with what
// they come to.
func TestForms(t *testing.T) {
	archives, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(archives) == 0 {
		t.Fatalf("no cases in testdata: %v", err)
	}
	for _, name := range archives {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			ar, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			p := &talktest.Parrot{Tokens: 1000}
			var question string
			var want *txtar.File
			for i, f := range ar.Files {
				switch f.Name {
				case "question":
					question = strings.TrimSpace(string(f.Data))
				case "reply":
					p.Replies = append(p.Replies, strings.TrimSpace(string(f.Data)))
				case "want":
					want = &ar.Files[i]
				}
			}
			got := outcome(p, question)
			if *update {
				want.Data = []byte(got)
				if err := os.WriteFile(name, txtar.Format(ar), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(string(want.Data), got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", question, diff)
			}
		})
	}
}

// outcome is what a question comes to, with what the model was told of its mistakes.
func outcome(p *talktest.Parrot, question string) string {
	e := &llm.Engine{Line: &talk.Line{Model: p, Name: "parrot"}, Redact: []string{talk.Mail, talk.Address}}
	parse, err := e.Parse(context.Background(), ask(question))
	var b strings.Builder
	for _, said := range p.Talks[0][1:] {
		_, sent, _ := strings.Cut(said.Text, "The question: ")
		if sent = strings.TrimSpace(sent); sent != quoted(question) {
			fmt.Fprintf(&b, "sent: %s\n", sent)
		}
	}
	for _, turns := range p.Talks[1:] {
		fmt.Fprintf(&b, "told: %s\n", strings.ReplaceAll(strings.TrimSpace(turns[len(turns)-1].Text), "\n", "\n      "))
	}
	var not *nlq.NotUnderstood
	switch {
	case errors.As(err, &not):
		fmt.Fprintf(&b, "not understood: refused %v, ask %q, caveats %q\n", not.Refused, not.Ask, not.Caveats)
	case err != nil:
		fmt.Fprintf(&b, "error: %v\n", err)
	default:
		fmt.Fprintf(&b, "%T: %s\n%s", parse.Intent, parse.Intent, compiled(parse.Intent))
	}
	return b.String()
}

func compiled(i nlq.Intent) string {
	c := catalog.Builtin()
	expr, err := "", error(nil)
	switch i := i.(type) {
	case nlq.Lookup:
		expr, err = compile.Lookup(i, c)
	case nlq.Raw:
		expr, err = compile.Raw(i, c)
	case nlq.Formula:
		expr, err = compile.Formula(i, c)
	case nlq.When:
		f, ferr := compile.When(i, c)
		expr, err = fmt.Sprintf("%s reaches %v%s", f.Expr, f.Limit, f.Capacity), ferr
	case nlq.Alert:
		g, gerr := compile.Alert(i, c)
		if err = gerr; err == nil {
			expr = g.Rules[0].Expr
		}
	case nlq.Why:
		return ""
	}
	if err != nil {
		return err.Error() + "\n"
	}
	return expr + "\n"
}

func quoted(s string) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil {
		panic(err)
	}
	return strings.TrimSpace(b.String())
}

const hot = `{"asks":"lookup","measure":{"metric":"DCGM_FI_DEV_GPU_TEMP"},"compare":{"op":">","limit":80}}`

func TestCache(t *testing.T) {
	p := &talktest.Parrot{Replies: []string{hot}, Tokens: 500}
	e := &llm.Engine{Line: &talk.Line{Model: p, Name: "parrot"}}
	first, err := e.Parse(t.Context(), ask("which ones cook"))
	if err != nil {
		t.Fatal(err)
	}
	second, err := e.Parse(t.Context(), ask("which ones cook"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(first, second); diff != "" {
		t.Errorf("the same words (-first +second):\n%s", diff)
	}
	if _, err := e.Parse(t.Context(), nlq.Question{Text: "which ones cook", Before: []string{"show GPU power"}, Now: now}); err != nil {
		t.Fatal(err)
	}
	want := talk.Usage{Calls: 2, Tokens: 1000}
	if got := e.Line.Usage(); got != want || e.Usage().Hits != 1 {
		t.Errorf("usage is %+v and %+v, want %+v and a hit", got, e.Usage(), want)
	}
	for i := range 1200 { // more than is kept
		if _, err := e.Parse(t.Context(), nlq.Question{Text: fmt.Sprint("which ones cook ", i), Now: now.AddDate(0, 0, i)}); err != nil {
			t.Fatal(err)
		}
	}
	calls := e.Line.Usage().Calls
	if _, err := e.Parse(t.Context(), ask("which ones cook")); err != nil || e.Line.Usage().Calls != calls+1 {
		t.Errorf("the oldest answer is still kept after 1,200 others: the memory has no bound (err %v)", err)
	}
}

func TestBudget(t *testing.T) {
	refuses := func(t *testing.T, e *llm.Engine, text, want string) {
		t.Helper()
		_, err := e.Parse(t.Context(), ask(text))
		var not *nlq.NotUnderstood
		if err == nil || errors.As(err, &not) || !strings.Contains(err.Error(), want) {
			t.Errorf("err is %v, want one with %q", err, want)
		}
	}
	t.Run("question", func(t *testing.T) {
		p := &talktest.Parrot{Replies: []string{"no form"}, Tokens: 16_000}
		e := &llm.Engine{Line: &talk.Line{Model: p, Name: "parrot"}, Rounds: 10}
		refuses(t, e, "which ones cook", "the question's budget is spent: 4000 tokens are left")
		if n := len(p.Talks); n != 1 {
			t.Errorf("%d calls, want 1", n)
		}
	})
	t.Run("day", func(t *testing.T) {
		p := &talktest.Parrot{Replies: []string{hot}, Tokens: 8000}
		e := &llm.Engine{Line: &talk.Line{Model: p, Name: "parrot", Day: 13_000}}
		if _, err := e.Parse(t.Context(), ask("one")); err != nil {
			t.Fatal(err)
		}
		refuses(t, e, "two", "the day's budget is spent: 8000 of 13000 tokens")
		if _, err := e.Parse(t.Context(), nlq.Question{Text: "two", Now: now.AddDate(0, 0, 1)}); err != nil {
			t.Errorf("the next day: %v", err)
		}
	})
	t.Run("a provider that does not say", func(t *testing.T) {
		p := &talktest.Parrot{Replies: []string{hot}}
		e := &llm.Engine{Line: &talk.Line{Model: p, Name: "parrot"}}
		if _, err := e.Parse(t.Context(), ask("one")); err != nil {
			t.Fatal(err)
		}
		if got := e.Line.Usage().Tokens; got < 4096 {
			t.Errorf("%d tokens are counted, want at least what the call may have cost", got)
		}
	})
}

// Who says the same to what was wrong with it is not asked a third time.
func TestRepetition(t *testing.T) {
	p := &talktest.Parrot{Replies: []string{`{"asks":"lookup","measure":{"metric":"nonsense"}}`}}
	e := &llm.Engine{Line: &talk.Line{Model: p, Name: "parrot"}}
	var not *nlq.NotUnderstood
	if _, err := e.Parse(t.Context(), ask("which ones cook")); !errors.As(err, &not) || len(p.Talks) != 2 {
		t.Errorf("err is %v after %d calls", err, len(p.Talks))
	}
}

// What a model is told fits beside a reply into what it remembers.
func TestRoom(t *testing.T) {
	for _, size := range []int{0, 8192, 4096} {
		p := &talktest.Parrot{Replies: []string{hot}}
		l := &talk.Line{Model: p, Name: "parrot", Size: size}
		if _, err := (&llm.Engine{Line: l}).Parse(t.Context(), ask("which GPUs of namespace prod throttle and draw power")); err != nil {
			t.Fatal(err)
		}
		if n := talk.Length(p.Talks[0]); n > l.Room() || n < l.Room()/4 {
			t.Errorf("of %d tokens, a talk has %d bytes, and there is room for %d", size, n, l.Room())
		}
	}
}

// A model that fails leaves the grammar's answer as it is, with a caveat.
func TestFirst(t *testing.T) {
	dead := &llm.Engine{Line: &talk.Line{Model: &talktest.Parrot{Err: errors.New("connection refused")}, Name: "ollama/x"}}
	g := &grammar.Engine{}
	p, err := nlq.First(g, dead).Parse(t.Context(), ask("which GPUs are hotter than 80 degrees"))
	if err != nil || len(p.Caveats) > 0 || dead.Line.Usage().Calls > 0 {
		t.Errorf("the grammar understands this by itself: %+v, %v, %d calls", p, err, dead.Line.Usage().Calls)
	}
	_, err = nlq.First(g, dead).Parse(t.Context(), ask("which of the thingies frobnicate"))
	var not *nlq.NotUnderstood
	if !errors.As(err, &not) || len(not.Words) == 0 || !strings.Contains(fmt.Sprint(not.Caveats), "ollama/x was not heard: connection refused") {
		t.Errorf("err is %#v, want the grammar's with a caveat", err)
	}
	alive := &llm.Engine{Line: &talk.Line{Model: &talktest.Parrot{Replies: []string{hot}}, Name: "ollama/x"}}
	p, err = nlq.First(g, alive).Parse(t.Context(), ask("which of the thingies frobnicate"))
	if err != nil || !strings.Contains(fmt.Sprint(p.Caveats), "read this, not the grammar") {
		t.Errorf("got %+v, %v", p, err)
	}
	for _, never := range []string{"delete all alert rules", "scale the deployment web to 0"} {
		calls := alive.Line.Usage().Calls
		if _, err := nlq.First(g, alive).Parse(t.Context(), ask(never)); !errors.As(err, &not) || !not.Refused || alive.Line.Usage().Calls != calls {
			t.Errorf("%s: err is %v, and the model was asked %d times", never, err, alive.Line.Usage().Calls-calls)
		}
	}
}

func TestBoth(t *testing.T) {
	const question = "which GPUs are hotter than 80 degrees"
	for name, tt := range map[string]struct {
		model *talktest.Parrot
		want  string // in the caveat; "" is none
	}{
		"the same":         {&talktest.Parrot{Replies: []string{hot}}, ""},
		"the same, longer": {&talktest.Parrot{Replies: []string{`{"asks":"formula","steps":[{"a":"measure","measure":{"metric":"DCGM_FI_DEV_GPU_TEMP"}},{"a":"number","number":80},{"a":"binary","op":">","of":0,"with":1}]}`}}, ""},
		"another limit":    {&talktest.Parrot{Replies: []string{strings.ReplaceAll(hot, "80", "85")}}, "the model reads this otherwise: show GPU temperature (DCGM_FI_DEV_GPU_TEMP) of each GPU where it is above 85 °C, that is DCGM_FI_DEV_GPU_TEMP > 85"},
		"a why":            {&talktest.Parrot{Replies: []string{`{"asks":"why"}`}}, "the model reads this otherwise: what is wrong with the cluster"},
		"none":             {&talktest.Parrot{Replies: []string{`{"asks":"none"}`}}, "did not understand"},
		"refuse":           {&talktest.Parrot{Replies: []string{`{"asks":"refuse"}`}}, "would refuse"},
		"dead":             {&talktest.Parrot{Err: errors.New("connection refused")}, "was not heard: connection refused"},
	} {
		t.Run(name, func(t *testing.T) {
			b := llm.Both{Grammar: &grammar.Engine{}, Model: &llm.Engine{Line: &talk.Line{Model: tt.model, Name: "parrot"}}}
			alone, err := b.Grammar.Parse(t.Context(), ask(question))
			if err != nil {
				t.Fatal(err)
			}
			p, err := b.Parse(t.Context(), ask(question))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(alone.Intent, p.Intent); diff != "" {
				t.Errorf("the grammar's reading does not stand (-alone +both):\n%s", diff)
			}
			if got := strings.Join(p.Caveats, "\n"); (tt.want == "") != (got == "") || !strings.Contains(got, tt.want) {
				t.Errorf("caveats are %q, want %q", got, tt.want)
			}
		})
	}
	b := llm.Both{Grammar: &grammar.Engine{}, Model: &llm.Engine{Line: &talk.Line{Model: &talktest.Parrot{Replies: []string{hot}}, Name: "parrot"}}}
	if p, err := b.Parse(t.Context(), ask("which of the thingies frobnicate")); err != nil || compiled(p.Intent) != "DCGM_FI_DEV_GPU_TEMP > 80\n" {
		t.Errorf("where only the model understands: %v, %v", p, err)
	}
}

// Many people ask at once.
func TestConcurrent(t *testing.T) {
	e := &llm.Engine{Line: &talk.Line{Model: &talktest.Parrot{Replies: []string{hot}, Tokens: 10}, Name: "parrot"}}
	var g sync.WaitGroup
	for i := range 16 {
		g.Go(func() {
			for k := range 20 {
				if _, err := e.Parse(context.Background(), ask(fmt.Sprint("cook ", (i+k)%8))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	g.Wait()
	if u := e.Line.Usage(); u.Calls+e.Usage().Hits != 320 || u.Tokens != 10*u.Calls {
		t.Errorf("usage is %+v", u)
	}
}
