// Package access decides who may call: a set of bearer tokens, checked alike
// over HTTP and gRPC. An empty set lets everyone in; main allows that on
// loopback only.
package access

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"vedette.dev/analyzer/problem"
)

// Tokens is a set of bearer tokens. The zero value lets everyone in.
type Tokens struct{ digests [][sha256.Size]byte }

// ErrRefused reports a missing or unknown token.
var ErrRefused = errors.New("a valid bearer token is required")

// Of returns the set of the given tokens.
func Of(tokens ...string) Tokens {
	var t Tokens
	for _, s := range tokens {
		t.digests = append(t.digests, sha256.Sum256([]byte(s)))
	}
	return t
}

// ReadFile reads one token a line; blank lines and lines starting with # are
// ignored. A file without a token is an error: it would open the door.
func ReadFile(path string) (Tokens, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return Tokens{}, fmt.Errorf("read tokens: %w", err)
	}
	var t []string
	for sc := bufio.NewScanner(bytes.NewReader(data)); sc.Scan(); {
		if line := strings.TrimSpace(sc.Text()); line != "" && !strings.HasPrefix(line, "#") {
			t = append(t, line)
		}
	}
	if len(t) == 0 {
		return Tokens{}, fmt.Errorf("read tokens: %s holds none", path)
	}
	return Of(t...), nil
}

// Open reports whether everyone is let in.
func (t Tokens) Open() bool { return len(t.digests) == 0 }

// Check returns nil where the value of an Authorization header is good.
func (t Tokens) Check(authorization string) error {
	if t.Open() {
		return nil
	}
	scheme, token, _ := strings.Cut(authorization, " ")
	got := sha256.Sum256([]byte(token))
	ok := 0
	for _, want := range t.digests { // all of them, so that time tells nothing
		ok |= subtle.ConstantTimeCompare(got[:], want[:])
	}
	if !strings.EqualFold(scheme, "Bearer") || ok == 0 {
		return ErrRefused
	}
	return nil
}

// Require lets only callers with a token through to next.
func (t Tokens) Require(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := t.Check(r.Header.Get("Authorization")); err != nil {
			w.Header().Set("WWW-Authenticate", "Bearer")
			problem.Write(w, problem.New(http.StatusUnauthorized, err.Error(), "send Authorization: Bearer TOKEN"))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// Unary is [Tokens.Require] for gRPC.
func (t Tokens) Unary(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	authorization := ""
	if md, ok := metadata.FromIncomingContext(ctx); ok {
		if vs := md.Get("authorization"); len(vs) > 0 {
			authorization = vs[0]
		}
	}
	if err := t.Check(authorization); err != nil {
		return nil, status.Error(codes.Unauthenticated, err.Error())
	}
	return handle(ctx, req)
}
