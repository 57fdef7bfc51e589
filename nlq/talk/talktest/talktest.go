// Package talktest holds stand-ins of the providers of models: each speaks its
// protocol as the provider does, and is strict about what it is asked.
package talktest

import (
	"bytes"
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

	"vedette.dev/nlq/talk"
)

// A Wire is the protocol of a provider.
type Wire struct {
	Kind string
	Say  func(text, stop string, tokens int) string // puts the text of a model into an answer; stop "length" is one that was cut off
	Fail func(w http.ResponseWriter, status int)    // as this provider fails
	Call func() string                              // an answer that calls a tool; nil where there is none
	Long string                                     // what it answers with 400 to a talk that is too long; "" where it cuts it instead

	take func(r *http.Request, body []byte) error
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

// Token is what a provider wants to be shown, and model what it is asked for.
const (
	Token = "sk-0123456789abcdef"
	model = "some.model-v1:0"
)

// Wires are the providers that are spoken to.
var Wires = []Wire{
	{
		Kind: talk.OpenAI,
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
		Say: func(text, stop string, tokens int) string {
			if stop == "" {
				stop = "stop"
			}
			return asJSON(object{"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": model,
				"choices": []object{{"index": 0, "message": object{"role": "assistant", "content": text}, "finish_reason": stop}},
				"usage":   object{"prompt_tokens": tokens - 10, "completion_tokens": 10, "total_tokens": tokens}})
		},
		Fail: func(w http.ResponseWriter, status int) {
			w.WriteHeader(status)
			fmt.Fprintf(w, `{"error":{"message":"status %d of `+Token+`","type":"some_error","code":"some"}}`, status)
		},
		Long: `{"error":{"message":"This model's maximum context length is 8192 tokens. However, you requested more.","type":"BadRequestError","code":400}}`,
		Call: func() string {
			return asJSON(object{"id": "chatcmpl-1", "object": "chat.completion", "choices": []object{{"index": 0, "finish_reason": "tool_calls",
				"message": object{"role": "assistant", "content": "", "tool_calls": []object{{"id": "1", "type": "function", "function": object{"name": "sh", "arguments": "{}"}}}}}}})
		},
	},
	{
		Kind: talk.Ollama,
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
		Say: func(text, _ string, tokens int) string {
			half := len(text) / 2
			chunk := func(s string) string {
				return asJSON(object{"model": model, "created_at": "2026-11-26T12:00:00Z", "message": object{"role": "assistant", "content": s}, "done": false}) + "\n"
			}
			return chunk(text[:half]) + chunk(text[half:]) + asJSON(object{"model": model, "created_at": "2026-11-26T12:00:00Z", "message": object{"role": "assistant", "content": ""},
				"done": true, "done_reason": "stop", "prompt_eval_count": tokens - 10, "eval_count": 10}) + "\n"
		},
		Fail: func(w http.ResponseWriter, status int) {
			w.WriteHeader(status)
			fmt.Fprintf(w, `{"error":"status %d of `+Token+`"}`, status)
		},
	},
	{
		Kind: talk.Bedrock,
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
		Say: func(text, stop string, tokens int) string {
			reasons := map[string]string{"": "end_turn", "length": "max_tokens"}
			return asJSON(object{"output": object{"message": object{"role": "assistant", "content": []object{{"text": text}}}}, "stopReason": reasons[stop],
				"usage": object{"inputTokens": tokens - 10, "outputTokens": 10, "totalTokens": tokens}, "metrics": object{"latencyMs": 1}})
		},
		Fail: func(w http.ResponseWriter, status int) {
			kind := map[int]string{401: "UnrecognizedClientException", 403: "AccessDeniedException", 429: "ThrottlingException", 500: "InternalServerException", 503: "ServiceUnavailableException"}[status]
			w.Header().Set("X-Amzn-Errortype", kind)
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			fmt.Fprintf(w, `{"message":"status %d"}`, status)
		},
		Long: `{"__type":"ValidationException","message":"Input is too long for requested model."}`,
		Call: func() string {
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

// Open serves answer over w and returns the model that is there. It is shown
// key, and a wrong one is refused.
func (w Wire) Open(t *testing.T, key string, answer http.HandlerFunc) talk.Model {
	t.Helper()
	t.Setenv("AWS_ACCESS_KEY_ID", "AKID")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "SECRET")
	t.Setenv("AWS_SESSION_TOKEN", "")
	t.Setenv("AWS_BEARER_TOKEN_BEDROCK", "")
	t.Setenv("OPENAI_API_KEY", "from-the-environment")
	t.Setenv("OPENAI_ORGANIZATION", "from-the-environment")
	if key != Token && w.Kind == talk.Bedrock {
		t.Setenv("AWS_SECRET_ACCESS_KEY", key)
	}
	srv := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		right := w.Kind == talk.Bedrock && signed(r, body) == nil || w.Kind != talk.Bedrock && r.Header.Get("Authorization") == "Bearer "+Token
		if !right {
			w.Fail(rw, http.StatusUnauthorized)
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
	if w.Kind == talk.OpenAI {
		address += "/v1/"
	}
	m, err := talk.Open(t.Context(), talk.Provider{Kind: w.Kind, Address: address, Name: model, Region: "eu-west-1", Token: key})
	if err != nil {
		t.Fatal(err)
	}
	return m
}
