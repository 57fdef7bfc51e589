package llm_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"vedette.dev/nlq"
	"vedette.dev/nlq/llm"
	"vedette.dev/nlq/talk"
	"vedette.dev/nlq/talk/talktest"
)

// engine has an engine speak over w to what serves answer.
func engine(t *testing.T, w talktest.Wire, key string, answer http.HandlerFunc) *llm.Engine {
	t.Helper()
	return &llm.Engine{Line: &talk.Line{Model: w.Open(t, key, answer), Name: w.Kind}}
}

func TestWire(t *testing.T) {
	for _, w := range talktest.Wires {
		t.Run(w.Kind, func(t *testing.T) {
			texts := []string{`{"asks":"lookup","measure":{"metric":"nonsense"}}`, hot}
			e := engine(t, w, talktest.Token, func(rw http.ResponseWriter, r *http.Request) {
				fmt.Fprint(rw, w.Say(texts[0], "", 700))
				texts = texts[1:]
			})
			p, err := e.Parse(t.Context(), ask("which ones cook"))
			if err != nil {
				t.Fatal(err)
			}
			if got := compiled(p.Intent); got != "DCGM_FI_DEV_GPU_TEMP > 80\n" {
				t.Errorf("it comes to %s", got)
			}
			if got, want := e.Line.Usage(), (talk.Usage{Calls: 2, Tokens: 1400}); got != want || e.Usage().Refused != 1 {
				t.Errorf("usage is %+v, want %+v; %d replies are refused", got, want, e.Usage().Refused)
			}
		})
	}
}

// Whatever a provider does, a question comes to its end and says why.
func TestFailures(t *testing.T) {
	for _, w := range talktest.Wires {
		status := func(n int) http.HandlerFunc { return func(rw http.ResponseWriter, _ *http.Request) { w.Fail(rw, n) } }
		text := func(s string) http.HandlerFunc {
			return func(rw http.ResponseWriter, _ *http.Request) { fmt.Fprint(rw, s) }
		}
		lost := "filled in no form that can be"
		for name, tt := range map[string]struct {
			key    string
			answer http.HandlerFunc
			want   string
		}{
			"wrong key":     {"sk-wrong-key-123456", text(""), "status 401"},
			"throttled":     {talktest.Token, status(429), "status 429"},
			"broken server": {talktest.Token, status(500), "status 500"},
			"no JSON":       {talktest.Token, text("<html>bad gateway</html>"), "was not heard"},
			"cut off":       {talktest.Token, text(w.Say(hot, "", 700)[:60]), ""},
			"empty":         {talktest.Token, text(""), ""},
			"endless":       {talktest.Token, text(w.Say(strings.Repeat("x", 300<<10), "", 700)), "the answer is longer than 256 KiB"},
			"prose":         {talktest.Token, text(w.Say("Sure! Here you go.", "", 700)), lost},
			"half a form":   {talktest.Token, text(w.Say(hot[:30], "", 700)), lost},
			"elsewhere": {talktest.Token, func(rw http.ResponseWriter, r *http.Request) {
				http.Redirect(rw, r, "http://127.0.0.1:1/else", http.StatusTemporaryRedirect)
			}, ""},
			"hanging up": {talktest.Token, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "was not heard"},
		} {
			t.Run(w.Kind+"/"+name, func(t *testing.T) {
				e := engine(t, w, tt.key, tt.answer)
				p, err := e.Parse(t.Context(), ask("which ones cook"))
				if err == nil {
					t.Fatalf("it comes to %v", p)
				}
				said := err.Error()
				var not *nlq.NotUnderstood
				if errors.As(err, &not) {
					said = strings.Join(not.Caveats, " ")
				}
				if said == "" || !strings.Contains(said, tt.want) || len(said) > 400 || strings.Contains(said, tt.key) || strings.Contains(said, "Bearer") {
					t.Errorf("err says %q, want %q", said, tt.want)
				}
			})
		}
		if w.Call != nil {
			t.Run(w.Kind+"/calls a tool", func(t *testing.T) {
				e := engine(t, w, talktest.Token, text(w.Call()))
				_, err := e.Parse(t.Context(), ask("which ones cook"))
				if u := e.Usage(); err == nil || u.Refused != e.Line.Usage().Calls {
					t.Errorf("err is %v, usage %+v", err, u)
				}
			})
			t.Run(w.Kind+"/too long", func(t *testing.T) {
				e := engine(t, w, talktest.Token, text(w.Say(hot, "length", 700)))
				if p, err := e.Parse(t.Context(), ask("which ones cook")); err == nil {
					t.Errorf("a reply that was cut short comes to %v", p)
				}
			})
		}
	}
}

// A model that does not answer is waited for as long as is configured.
func TestSlow(t *testing.T) {
	for _, w := range talktest.Wires {
		t.Run(w.Kind, func(t *testing.T) {
			over := make(chan struct{})
			t.Cleanup(func() { close(over) })
			e := engine(t, w, talktest.Token, func(_ http.ResponseWriter, r *http.Request) {
				select {
				case <-r.Context().Done():
				case <-over:
				}
			})
			e.Timeout = 100 * time.Millisecond
			if _, err := e.Parse(t.Context(), ask("which ones cook")); err == nil || !strings.Contains(err.Error(), "no answer within 100 milliseconds") {
				t.Errorf("err is %v", err)
			}
			if u := e.Line.Usage(); u.Failures != 1 || u.Tokens == 0 {
				t.Errorf("usage is %+v: what was asked may still be paid for", u)
			}
			gone, cancel := context.WithCancel(t.Context())
			cancel()
			if _, err := nlq.First(e, e).Parse(gone, ask("which")); err == nil {
				t.Error("an asker who is gone has an answer")
			}
		})
	}
}

// A model that remembers less than is thought is told less, and from then on.
func TestShortMemory(t *testing.T) {
	for _, w := range talktest.Wires {
		if w.Long == "" {
			continue
		}
		t.Run(w.Kind, func(t *testing.T) {
			var sizes []int
			e := engine(t, w, talktest.Token, func(rw http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				if sizes = append(sizes, len(body)); len(sizes) <= 2 {
					rw.Header().Set("Content-Type", "application/json")
					rw.WriteHeader(http.StatusBadRequest)
					fmt.Fprint(rw, w.Long)
					return
				}
				fmt.Fprint(rw, w.Say(hot, "", 700))
			})
			for _, question := range []string{"which GPUs of namespace prod throttle and draw power", "which GPUs of namespace dev throttle and draw power"} {
				if _, err := e.Parse(t.Context(), ask(question)); err != nil {
					t.Fatal(err)
				}
			}
			if len(sizes) != 4 || sizes[2] > sizes[0]*3/4 || sizes[3] > sizes[2]+100 {
				t.Errorf("requests have %d bytes, want two that are refused and two that are shorter", sizes)
			}
			if got, want := e.Line.Usage(), (talk.Usage{Calls: 4, Tokens: 1400, Failures: 2}); got != want {
				t.Errorf("usage is %+v, want %+v", got, want)
			}
		})
		t.Run(w.Kind+"/none", func(t *testing.T) {
			calls := 0
			e := engine(t, w, talktest.Token, func(rw http.ResponseWriter, r *http.Request) {
				calls++
				rw.Header().Set("Content-Type", "application/json")
				rw.WriteHeader(http.StatusBadRequest)
				fmt.Fprint(rw, w.Long)
			})
			if _, err := e.Parse(t.Context(), ask("which ones cook")); err == nil || !strings.Contains(err.Error(), "remembers 2048 tokens") || calls != 3 {
				t.Errorf("err is %v after %d calls", err, calls)
			}
		})
	}
}

// A server is asked for what it knows: schemas, JSON, or nothing of the kind; and
// what it refused is not asked for again. Without a key it is sent none.
func TestFormat(t *testing.T) {
	for name, tt := range map[string]struct {
		configured string
		knows      string // the last format that is asked for, which it takes
		calls      int
	}{
		"schema":      {"", "json_schema", 2},
		"JSON":        {"", "json_object", 3},
		"words":       {"", "", 4},
		"set to JSON": {"json", "json_object", 2},
		"set to text": {"text", "", 2},
	} {
		t.Run(name, func(t *testing.T) {
			calls := 0
			srv := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				calls++
				var in struct {
					Format struct {
						Type string `json:"type"`
					} `json:"response_format"`
				}
				if err := json.NewDecoder(r.Body).Decode(&in); err != nil || r.Header.Get("Authorization") != "" {
					t.Errorf("authorization %q, %v", r.Header.Get("Authorization"), err)
				}
				if in.Format.Type != tt.knows {
					rw.WriteHeader(http.StatusBadRequest)
					fmt.Fprint(rw, `{"error":{"message":"This response_format type is unavailable now"}}`)
					return
				}
				fmt.Fprint(rw, talktest.Wires[0].Say("Here it is:\n```json\n"+hot+"\n```\nI hope this helps!", "", 700))
			}))
			t.Cleanup(srv.Close)
			m, err := talk.Open(t.Context(), talk.Provider{Kind: talk.OpenAI, Address: srv.URL + "/v1", Name: "some-model", Format: tt.configured})
			if err != nil {
				t.Fatal(err)
			}
			e := &llm.Engine{Line: &talk.Line{Model: m}}
			for _, question := range []string{"which ones cook", "which ones boil"} {
				if _, err := e.Parse(t.Context(), ask(question)); err != nil {
					t.Error(err)
				}
			}
			if calls != tt.calls {
				t.Errorf("it was called %d times for two questions, want %d", calls, tt.calls)
			}
		})
	}
}

func TestOpen(t *testing.T) {
	t.Setenv("AWS_REGION", "")
	t.Setenv("AWS_DEFAULT_REGION", "")
	t.Setenv("AWS_CONFIG_FILE", t.TempDir()+"/none")
	for _, p := range []talk.Provider{{Kind: "abacus"}, {}, {Kind: talk.Ollama, Address: "nowhere"}, {Kind: talk.OpenAI, Address: "%zz"}, {Kind: talk.Bedrock, Name: "m"}} {
		if _, err := talk.Open(t.Context(), p); err == nil {
			t.Errorf("%+v is opened", p)
		}
	}
}
