package talk

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"

	"github.com/tmc/langchaingo/llms"
	"github.com/tmc/langchaingo/llms/ollama"
	"github.com/tmc/langchaingo/llms/openai"
)

// The kinds of providers.
const (
	OpenAI  = "openai"  // and whatever speaks its chat completions: vLLM, llama.cpp, LiteLLM, …
	Ollama  = "ollama"  // /api/chat
	Bedrock = "bedrock" // Converse, with the credentials of every AWS program
)

// A Provider is where a model is and how it is reached.
type Provider struct {
	Kind    string
	Address string // base URL; "" is the provider's own
	Name    string // of the model
	Region  string // of Bedrock; "" is the environment's
	Token   string // sent as a bearer token; "" is none
	Format  string // of OpenAI: one of Formats to begin with; "" is the first
	Size    int    // of Ollama: the tokens to remember, as of the [Line]; 0 is its default
}

// Open returns the model at p. It sends nothing.
func Open(ctx context.Context, p Provider) (Model, error) {
	if u, err := url.Parse(p.Address); p.Address != "" && (err != nil || u.Host == "") {
		return nil, fmt.Errorf("open model %s: address %q is no URL", p.Name, p.Address)
	}
	client := &http.Client{Transport: bounded{token: p.Token}, CheckRedirect: stay}
	switch p.Kind {
	case OpenAI:
		// Each option is given, empty or not: what is not given is taken
		// from the environment.
		token := p.Token
		if token == "" {
			token = "none" // the library wants one; bounded takes it off again
		}
		address := p.Address
		if address == "" {
			address = "https://api.openai.com/v1"
		}
		// The library ties the form of replies to the client: a client for each.
		open := func(f Form, at format) (llms.Model, error) {
			return openai.New(openai.WithToken(token), openai.WithBaseURL(strings.TrimSuffix(address, "/")), openai.WithModel(p.Name),
				openai.WithOrganization(""), openai.WithHTTPClient(client), openai.WithResponseFormat(at.of(f)))
		}
		if _, err := open(Form{of: reflect.TypeFor[struct{}]()}, inSchema); err != nil {
			return nil, fmt.Errorf("open model %s of %s: %w", p.Name, address, err)
		}
		return chain{open: open, token: p.Token, format: ladderAt(format(max(0, slices.Index(Formats, p.Format))))}, nil
	case Ollama:
		address := p.Address
		if address == "" {
			address = "http://127.0.0.1:11434"
		}
		m, err := ollama.New(ollama.WithServerURL(address), ollama.WithModel(p.Name), ollama.WithHTTPClient(client),
			ollama.WithRunnerNumCtx(cmp.Or(p.Size, defaultSize)))
		if err != nil {
			return nil, fmt.Errorf("open model %s of %s: %w", p.Name, address, err)
		}
		return chain{open: always(m), options: []llms.CallOption{llms.WithJSONMode()}, token: p.Token, format: ladderAt(inWords)}, nil
	case Bedrock:
		client.Transport = bounded{signed: true}
		m, err := openConverse(ctx, p, client)
		if err != nil {
			return nil, fmt.Errorf("open model %s of Bedrock: %w", p.Name, err)
		}
		return chain{open: always(m), format: ladderAt(inWords)}, nil
	}
	return nil, fmt.Errorf("there is no provider %q: it is %s, %s or %s", p.Kind, OpenAI, Ollama, Bedrock)
}

// of is f as the protocol of OpenAI tells of it; nil tells nothing.
func (at format) of(f Form) *openai.ResponseFormat {
	switch at {
	case inSchema:
		return &openai.ResponseFormat{Type: "json_schema", JSONSchema: &openai.ResponseFormatJSONSchema{
			Name: f.name, Strict: true, Schema: schemaOf(f.of)}}
	case inJSON:
		return openai.ResponseFormatJSON
	}
	return nil
}

// always opens a model that is told of the form in words only.
func always(m llms.Model) func(Form, format) (llms.Model, error) {
	return func(Form, format) (llms.Model, error) { return m, nil }
}

// stay follows nobody elsewhere: the address that is configured is where a
// question may go.
func stay(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// mostBody is the most bytes that are read of an answer: thirty times the
// largest form.
const mostBody = 256 << 10

// bounded reads an answer whole before anybody parses it, and no endless one.
type bounded struct {
	token  string
	signed bool // the request carries its own authorization
}

// troubleKey is where a context has room for what went wrong on the way: the
// libraries above say only that something did.
type troubleKey struct{}

func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := b.roundTrip(r)
	if why, ok := r.Context().Value(troubleKey{}).(*error); ok {
		*why = err
	}
	return res, err
}

func (b bounded) roundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	switch {
	case b.signed:
	case b.token == "":
		r.Header.Del("Authorization")
	default:
		r.Header.Set("Authorization", "Bearer "+b.token)
	}
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, mostBody+1))
	if err != nil {
		return nil, fmt.Errorf("read the answer: %w", err)
	}
	if len(body) > mostBody {
		return nil, errors.New("the answer is longer than 256 KiB")
	}
	res.Body = io.NopCloser(bytes.NewReader(body))
	return res, nil
}
