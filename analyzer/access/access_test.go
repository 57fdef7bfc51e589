package access

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"context"
)

var cases = []struct {
	name, header string
	tokens       Tokens
	in           bool
}{
	{"nobody asks", "", Tokens{}, true},
	{"none given", "", Of("secret"), false},
	{"right", "Bearer secret", Of("other", "secret"), true},
	{"any case of the scheme", "bearer secret", Of("secret"), true},
	{"wrong", "Bearer secrets", Of("secret"), false},
	{"wrong scheme", "Basic secret", Of("secret"), false},
	{"empty token", "Bearer ", Of("secret"), false},
}

func TestHTTP(t *testing.T) {
	for _, tt := range cases {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest("GET", "/", nil)
			r.Header.Set("Authorization", tt.header)
			w := httptest.NewRecorder()
			tt.tokens.Require(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).ServeHTTP(w, r)
			want := http.StatusOK
			if !tt.in {
				want = http.StatusUnauthorized
			}
			if w.Code != want {
				t.Errorf("got %d, want %d", w.Code, want)
			}
		})
	}
}

func TestGRPC(t *testing.T) {
	for _, tt := range cases {
		t.Run(tt.name, func(t *testing.T) {
			ctx := metadata.NewIncomingContext(t.Context(), metadata.Pairs("authorization", tt.header))
			_, err := tt.tokens.Unary(ctx, nil, nil, grpc.UnaryHandler(func(context.Context, any) (any, error) { return nil, nil }))
			want := codes.OK
			if !tt.in {
				want = codes.Unauthenticated
			}
			if got := status.Code(err); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
}

func TestReadFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens")
	for content, want := range map[string]bool{"# old\nsecret \n\n": true, "# nothing\n\n": false} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		tokens, err := ReadFile(path)
		if (err == nil) != want {
			t.Errorf("%q: got %v", content, err)
		}
		if err == nil && tokens.Check("Bearer secret") != nil {
			t.Errorf("%q: its token is refused", content)
		}
	}
}
