package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"vedette.dev/analyzer/problem"
)

// A client asks a running service over its own routes.
type client struct {
	server string // http://127.0.0.1:8790
	token  string
}

// timeout is how long an answer may take: a back-test over a week of a large fleet,
// or a model that looks for two minutes.
const timeout = 3 * time.Minute

// get decodes the answer to a GET into v.
func (c *client) get(ctx context.Context, path string, v any) error {
	return c.call(ctx, http.MethodGet, path, nil, v)
}

// post sends body as JSON and decodes the answer into v.
func (c *client) post(ctx context.Context, path string, body, v any) error {
	data, err := json.Marshal(body)
	if err != nil {
		return err
	}
	return c.call(ctx, http.MethodPost, path, data, v)
}

// call makes one request. v is decoded from JSON; a *string takes the text as it is.
func (c *client) call(ctx context.Context, method, path string, body []byte, v any) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(c.server, "/")+path, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("ask %s: %w", c.server, err)
	}
	req.Header.Set("Content-Type", "application/json")
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return hint(fmt.Errorf("ask %s: %w", c.server, unwrapURL(err)), "is a vedette server or demo running there? Name another with --server")
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		return fmt.Errorf("ask %s: %w", c.server, err)
	}
	if resp.StatusCode != http.StatusOK {
		return refusal(resp, data)
	}
	if s, ok := v.(*string); ok {
		*s = string(data)
		return nil
	}
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("read the answer of %s: %w", c.server, err)
	}
	return nil
}

// refusal is the error that an answer carries.
func refusal(resp *http.Response, data []byte) error {
	var p problem.Problem
	if json.Unmarshal(data, &p) == nil && p.Detail != "" {
		return hint(errors.New(p.Detail), p.Hint)
	}
	return fmt.Errorf("%s: %s", resp.Status, strings.TrimSpace(string(data)))
}

// unwrapURL leaves out the method and URL that net/http puts before an error.
func unwrapURL(err error) error {
	if inner := errors.Unwrap(err); inner != nil {
		return inner
	}
	return err
}

// A hinted error also says what the user can do.
type hinted struct {
	error
	hint string
}

func (h hinted) Unwrap() error { return h.error }

func hint(err error, what string) error {
	if what == "" {
		return err
	}
	return hinted{err, what}
}

// readToken returns the token in the file, the environment's, or none.
func readToken(file string) (string, error) {
	if file == "" {
		return os.Getenv("VEDETTE_TOKEN"), nil
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("read token: %w", err)
	}
	for line := range strings.Lines(string(data)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			return line, nil
		}
	}
	return "", fmt.Errorf("read token: %s holds none", file)
}
