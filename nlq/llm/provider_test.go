package llm_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"vedette.dev/nlq"
	"vedette.dev/nlq/llm"
)

// A wire is the protocol of a provider: it is strict about what it is asked,
// and its say puts the text of a model into an answer, with tokens.
type wire struct {
	kind string
	take func(r *http.Request, body []byte) error
	say  func(text, stop string, tokens int) string
	fail func(w http.ResponseWriter, status int) // as this provider fails
	call func() string                           // an answer that calls a tool
}

// strictly reads body into v, and takes no key that v does not have.
func strictly(body []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	return d.Decode(v)
}

func asJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

type object = map[string]any

const model, token = "some.model-v1:0", "sk-0123456789abcdef"

var wires = []wire{
	{
		kind: llm.OpenAI,
		take: func(r *http.Request, body []byte) error {
			var in struct {
				Model    string `json:"model"`
				Messages []struct {
					Role    string `json:"role"`
					Content any    `json:"content"`
				} `json:"messages"`
				Temperature    *float64 `json:"temperature"`
				MaxTokens      int      `json:"max_completion_tokens"`
				ResponseFormat struct {
					Type   string `json:"type"`
					Schema *struct {
						Name   string `json:"name"`
						Strict bool   `json:"strict"`
						Schema object `json:"schema"`
					} `json:"json_schema"`
				} `json:"response_format"`
			}
			if err := strictly(body, &in); err != nil {
				return err
			}
			switch {
			case r.URL.Path != "/v1/chat/completions":
				return fmt.Errorf("path is %s", r.URL.Path)
			case in.Model != model || in.MaxTokens == 0 || in.Temperature == nil || *in.Temperature != 0:
				return fmt.Errorf("model %q, max_completion_tokens %d, temperature %v", in.Model, in.MaxTokens, in.Temperature)
			case len(in.Messages) < 2 || in.Messages[0].Role != "system" || in.Messages[1].Role != "user":
				return fmt.Errorf("messages are %v", in.Messages)
			case in.ResponseFormat.Type != "json_schema" || !in.ResponseFormat.Schema.Strict:
				return fmt.Errorf("response_format is %v", in.ResponseFormat)
			}
			return closed("schema", in.ResponseFormat.Schema.Schema)
		},
		say: func(text, stop string, tokens int) string {
			if stop == "" {
				stop = "stop"
			}
			return asJSON(object{"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": model,
				"choices": []object{{"index": 0, "message": object{"role": "assistant", "content": text}, "finish_reason": stop}},
				"usage":   object{"prompt_tokens": tokens - 10, "completion_tokens": 10, "total_tokens": tokens}})
		},
		fail: func(w http.ResponseWriter, status int) {
			w.WriteHeader(status)
			fmt.Fprintf(w, `{"error":{"message":"status %d of `+token+`","type":"some_error","code":"some"}}`, status)
		},
		call: func() string {
			return asJSON(object{"id": "chatcmpl-1", "object": "chat.completion", "choices": []object{{"index": 0, "finish_reason": "tool_calls",
				"message": object{"role": "assistant", "content": "", "tool_calls": []object{{"id": "1", "type": "function", "function": object{"name": "sh", "arguments": "{}"}}}}}}})
		},
	},
	{
		kind: llm.Ollama,
		take: func(r *http.Request, body []byte) error {
			var in struct {
				Model    string `json:"model"`
				Messages []struct {
					Role    string `json:"role"`
					Content string `json:"content"`
				} `json:"messages"`
				Stream  bool   `json:"stream"`
				Format  string `json:"format"`
				Options struct {
					NumCtx      int      `json:"num_ctx"`
					NumPredict  int      `json:"num_predict"`
					Temperature *float64 `json:"temperature"`
				} `json:"options"`
			}
			if err := strictly(body, &in); err != nil {
				return err
			}
			switch {
			case r.URL.Path != "/api/chat":
				return fmt.Errorf("path is %s", r.URL.Path)
			case in.Model != model || in.Format != "json" || in.Options.NumCtx < 8192 || in.Options.NumPredict == 0:
				return fmt.Errorf("model %q, format %q, options %+v", in.Model, in.Format, in.Options)
			case len(in.Messages) < 2 || in.Messages[0].Role != "system" || in.Messages[1].Role != "user":
				return fmt.Errorf("messages are %v", in.Messages)
			}
			return nil
		},
		say: func(text, _ string, tokens int) string {
			half := len(text) / 2
			chunk := func(s string) string {
				return asJSON(object{"model": model, "created_at": "2026-11-26T12:00:00Z", "message": object{"role": "assistant", "content": s}, "done": false}) + "\n"
			}
			return chunk(text[:half]) + chunk(text[half:]) + asJSON(object{"model": model, "created_at": "2026-11-26T12:00:00Z", "message": object{"role": "assistant", "content": ""},
				"done": true, "done_reason": "stop", "prompt_eval_count": tokens - 10, "eval_count": 10}) + "\n"
		},
		fail: func(w http.ResponseWriter, status int) {
			w.WriteHeader(status)
			fmt.Fprintf(w, `{"error":"status %d of `+token+`"}`, status)
		},
	},
	{
		kind: llm.Bedrock,
		take: func(r *http.Request, body []byte) error {
			type text []struct {
				Text string `json:"text"`
			}
			var in struct {
				System   text `json:"system"`
				Messages []struct {
					Role    string `json:"role"`
					Content text   `json:"content"`
				} `json:"messages"`
				InferenceConfig struct {
					MaxTokens   int      `json:"maxTokens"`
					Temperature *float64 `json:"temperature"`
				} `json:"inferenceConfig"`
			}
			if err := strictly(body, &in); err != nil {
				return err
			}
			switch {
			case r.URL.EscapedPath() != "/model/some.model-v1%3A0/converse":
				return fmt.Errorf("path is %s", r.URL.EscapedPath())
			case len(in.System) != 1 || len(in.Messages) == 0 || in.Messages[0].Role != "user" || in.InferenceConfig.MaxTokens == 0:
				return fmt.Errorf("the request is %+v", in)
			}
			return signed(r, body)
		},
		say: func(text, stop string, tokens int) string {
			reasons := map[string]string{"": "end_turn", "length": "max_tokens"}
			return asJSON(object{"output": object{"message": object{"role": "assistant", "content": []object{{"text": text}}}}, "stopReason": reasons[stop],
				"usage": object{"inputTokens": tokens - 10, "outputTokens": 10, "totalTokens": tokens}, "metrics": object{"latencyMs": 1}})
		},
		fail: func(w http.ResponseWriter, status int) {
			kind := map[int]string{401: "UnrecognizedClientException", 403: "AccessDeniedException", 429: "ThrottlingException", 500: "InternalServerException", 503: "ServiceUnavailableException"}[status]
			w.Header().Set("X-Amzn-Errortype", kind)
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			fmt.Fprintf(w, `{"message":"status %d"}`, status)
		},
		call: func() string {
			return asJSON(object{"output": object{"message": object{"role": "assistant", "content": []object{{"toolUse": object{"toolUseId": "1", "name": "sh", "input": object{}}}}}},
				"stopReason": "tool_use", "usage": object{"inputTokens": 1, "outputTokens": 1, "totalTokens": 2}, "metrics": object{"latencyMs": 1}})
		},
	},
}

// closed reports a part of a schema that strict structured output does not
// take: every key must be required and no other allowed.
func closed(at string, s object) error {
	if properties, ok := s["properties"].(object); ok {
		required, _ := s["required"].([]any)
		if s["additionalProperties"] != false || len(required) != len(properties) {
			return fmt.Errorf("%s is open: %d of %d keys are required", at, len(required), len(properties))
		}
		for key, p := range properties {
			if !slices.Contains(required, any(key)) {
				return fmt.Errorf("%s.%s is not required", at, key)
			}
			if err := closed(at+"."+key, p.(object)); err != nil {
				return err
			}
		}
	}
	if items, ok := s["items"].(object); ok {
		return closed(at+"[]", items)
	}
	return nil
}

// signed signs the request anew with what the account is known to have: SigV4.
func signed(r *http.Request, body []byte) error {
	got := r.Header.Get("Authorization")
	at, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
	if err != nil || !strings.Contains(got, "/eu-west-1/bedrock/aws4_request") {
		return fmt.Errorf("authorization is %q", got)
	}
	_, list, _ := strings.Cut(got, "SignedHeaders=")
	list, _, _ = strings.Cut(list, ",")
	again, err := http.NewRequest(r.Method, "http://"+r.Host+r.URL.RequestURI(), bytes.NewReader(body))
	if err != nil {
		return err
	}
	for name := range strings.SplitSeq(list, ";") {
		if name != "host" && name != "content-length" {
			again.Header.Set(name, r.Header.Get(name))
		}
	}
	hash := sha256.Sum256(body)
	err = v4.NewSigner().SignHTTP(r.Context(), aws.Credentials{AccessKeyID: "AKID", SecretAccessKey: "SECRET"}, again, hex.EncodeToString(hash[:]), "bedrock", "eu-west-1", at)
	if err == nil && again.Header.Get("Authorization") != got {
		err = errors.New("the signature does not match")
	}
	return err
}

// engine serves answer over w and returns an engine that speaks to it.
func (w wire) engine(t *testing.T, key string, answer http.HandlerFunc) *llm.Engine {
	t.Helper()
	t.Setenv("AWS_ACCESS_KEY_ID", "AKID")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "SECRET")
	t.Setenv("AWS_SESSION_TOKEN", "")
	t.Setenv("AWS_BEARER_TOKEN_BEDROCK", "")
	t.Setenv("OPENAI_API_KEY", "from-the-environment")
	t.Setenv("OPENAI_ORGANIZATION", "from-the-environment")
	if key != token && w.kind == llm.Bedrock {
		t.Setenv("AWS_SECRET_ACCESS_KEY", key)
	}
	srv := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		right := w.kind == llm.Bedrock && signed(r, body) == nil || w.kind != llm.Bedrock && r.Header.Get("Authorization") == "Bearer "+token
		if !right {
			w.fail(rw, http.StatusUnauthorized)
			return
		}
		if r.Header.Get("OpenAI-Organization") != "" {
			t.Error("something of the environment is sent")
		}
		if err := w.take(r, body); r.Method != http.MethodPost || err != nil {
			t.Errorf("%s %s: %v", r.Method, r.URL, err)
		}
		answer(rw, r)
	}))
	t.Cleanup(srv.Close)
	address := srv.URL
	if w.kind == llm.OpenAI {
		address += "/v1/"
	}
	m, err := llm.Open(t.Context(), llm.Provider{Kind: w.kind, Address: address, Name: model, Region: "eu-west-1", Token: key})
	if err != nil {
		t.Fatal(err)
	}
	return &llm.Engine{Model: m, Name: w.kind}
}

func TestWire(t *testing.T) {
	for _, w := range wires {
		t.Run(w.kind, func(t *testing.T) {
			texts := []string{`{"asks":"lookup","measure":{"metric":"nonsense"}}`, hot}
			e := w.engine(t, token, func(rw http.ResponseWriter, r *http.Request) {
				fmt.Fprint(rw, w.say(texts[0], "", 700))
				texts = texts[1:]
			})
			p, err := e.Parse(t.Context(), ask("which ones cook"))
			if err != nil {
				t.Fatal(err)
			}
			if got := compiled(p.Intent); got != "DCGM_FI_DEV_GPU_TEMP > 80\n" {
				t.Errorf("it comes to %s", got)
			}
			if got, want := e.Usage(), (llm.Usage{Calls: 2, Tokens: 1400, Refused: 1}); got != want {
				t.Errorf("usage is %+v, want %+v", got, want)
			}
		})
	}
}

// Whatever a provider does, a question comes to its end and says why.
func TestFailures(t *testing.T) {
	for _, w := range wires {
		status := func(n int) http.HandlerFunc { return func(rw http.ResponseWriter, _ *http.Request) { w.fail(rw, n) } }
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
			"throttled":     {token, status(429), "status 429"},
			"broken server": {token, status(500), "status 500"},
			"no JSON":       {token, text("<html>bad gateway</html>"), "was not heard"},
			"cut off":       {token, text(w.say(hot, "", 700)[:60]), ""},
			"empty":         {token, text(""), ""},
			"endless":       {token, text(w.say(strings.Repeat("x", 300<<10), "", 700)), "the answer is longer than 256 KiB"},
			"prose":         {token, text(w.say("Sure! Here you go.", "", 700)), lost},
			"half a form":   {token, text(w.say(hot[:30], "", 700)), lost},
			"elsewhere": {token, func(rw http.ResponseWriter, r *http.Request) {
				http.Redirect(rw, r, "http://127.0.0.1:1/else", http.StatusTemporaryRedirect)
			}, ""},
			"hanging up": {token, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "was not heard"},
		} {
			t.Run(w.kind+"/"+name, func(t *testing.T) {
				e := w.engine(t, tt.key, tt.answer)
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
		if w.call != nil {
			t.Run(w.kind+"/calls a tool", func(t *testing.T) {
				e := w.engine(t, token, text(w.call()))
				_, err := e.Parse(t.Context(), ask("which ones cook"))
				if u := e.Usage(); err == nil || u.Refused != u.Calls {
					t.Errorf("err is %v, usage %+v", err, u)
				}
			})
			t.Run(w.kind+"/too long", func(t *testing.T) {
				e := w.engine(t, token, text(w.say(hot, "length", 700)))
				if p, err := e.Parse(t.Context(), ask("which ones cook")); err == nil {
					t.Errorf("a reply that was cut short comes to %v", p)
				}
			})
		}
	}
}

// A model that does not answer is waited for as long as is configured.
func TestSlow(t *testing.T) {
	for _, w := range wires {
		t.Run(w.kind, func(t *testing.T) {
			over := make(chan struct{})
			t.Cleanup(func() { close(over) })
			e := w.engine(t, token, func(_ http.ResponseWriter, r *http.Request) {
				select {
				case <-r.Context().Done():
				case <-over:
				}
			})
			e.Timeout = 100 * time.Millisecond
			if _, err := e.Parse(t.Context(), ask("which ones cook")); err == nil || !strings.Contains(err.Error(), "no answer within 100 milliseconds") {
				t.Errorf("err is %v", err)
			}
			if u := e.Usage(); u.Failures != 1 || u.Tokens == 0 {
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

// A server without schemas is asked for JSON, and one without a key for nothing more.
func TestPlain(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.Header.Get("Authorization") != "" || !bytes.Contains(body, []byte(`"response_format":{"type":"json_object"}`)) {
			t.Errorf("authorization %q, body %.300s", r.Header.Get("Authorization"), body)
		}
		fmt.Fprint(rw, wires[0].say(hot, "", 700))
	}))
	t.Cleanup(srv.Close)
	m, err := llm.Open(t.Context(), llm.Provider{Kind: llm.OpenAI, Address: srv.URL + "/v1", Name: model, Plain: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (&llm.Engine{Model: m}).Parse(t.Context(), ask("which ones cook")); err != nil {
		t.Error(err)
	}
}

func TestOpen(t *testing.T) {
	t.Setenv("AWS_REGION", "")
	t.Setenv("AWS_DEFAULT_REGION", "")
	t.Setenv("AWS_CONFIG_FILE", t.TempDir()+"/none")
	for _, p := range []llm.Provider{{Kind: "abacus"}, {}, {Kind: llm.Ollama, Address: "nowhere"}, {Kind: llm.OpenAI, Address: "%zz"}, {Kind: llm.Bedrock, Name: "m"}} {
		if _, err := llm.Open(t.Context(), p); err == nil {
			t.Errorf("%+v is opened", p)
		}
	}
}
