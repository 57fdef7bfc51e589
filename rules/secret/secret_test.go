package secret

import (
	"strings"
	"testing"
)

func hide(text string) string { return Replace(text, func(string) string { return "X" }) }

func TestReplace(t *testing.T) {
	digest := strings.Repeat("0123456789abcdef", 4)
	for text, want := range map[string]string{
		"connect to postgres://app:hunter2@db:5432/x": "connect to postgres://app:X@db:5432/x",
		"--password=hunter22 --user=app":              "--password=X --user=app",
		`{"password":"hunter22","user":"app"}`:        `{"password":"X","user":"app"}`,
		"Authorization: Bearer abcdef123456":          "Authorization: Bearer X",
		"key " + digest:                               "key X",
		"AWS_SECRET=abcdefgh":                         "AWS_SECRET=X",
		"session token: 9f8a7b6c5d4e":                 "session token: X",

		// What programs say about secrets is none.
		"pulled registry/app@sha256:" + digest:                                   "pulled registry/app@sha256:" + digest,
		`Error: secret "db-password" not found`:                                  `Error: secret "db-password" not found`,
		"get secret: forbidden":                                                  "get secret: forbidden",
		"failed to fetch anonymous token: unexpected status from GET: 401":       "failed to fetch anonymous token: unexpected status from GET: 401",
		"couldn't find key password in Secret ml/db":                             "couldn't find key password in Secret ml/db",
		"0/2 nodes are available: 2 Insufficient nvidia.com/gpu. preemption: 0/": "0/2 nodes are available: 2 Insufficient nvidia.com/gpu. preemption: 0/",
	} {
		if got := hide(text); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
}

func TestNamed(t *testing.T) {
	for name, want := range map[string]bool{"DB_PASSWORD": true, "--api-key": true, "hf-token": true, "KEYBOARD": false, "PATH": false} {
		if Named(name) != want {
			t.Errorf("Named(%q) is %v", name, !want)
		}
	}
}
