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

// TestNear: no pattern matches a text that is passed over, each of which is a
// text of the other tests or one made of a row.
func TestNear(t *testing.T) {
	seen := map[string]bool{}
	for _, text := range []string{
		"-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----", "eyJhbGciOiJI.eyJzdWIiOiIx.SflKxw", "AKIAIOSFODNN7EXAMPLE", "ghp_0123456789abcdefghij",
		"github_pat_0123456789abcdefghij", "glpat-0123456789abcdef", "xoxb-0123456789", "https://hooks.slack.com/services/T0/B0/x", "sk-0123456789abcdef", "hf_0123456789abcdefghij",
		"AIza0123456789abcdefghijklmnopqrstuvw", "glsa_0123456789abcdefghij", "nvapi-0123456789abcdefghij", "Bearer 12345678", "redis://:pass@h", "PASSWD=abcd", "passphrase: abcd", "Api-Key=abcd",
		"accessKey=abcd", "PRIVATE_KEY=abcd", "SECRET=abcd", "secret: a1bcd", "the password is abc1", "token=abcdefgh", "token is 1abcdefgh", "key 0123456789abcdefABCDEF0123456789abcdefAB",
	} {
		if hide(text) == text {
			t.Errorf("nothing of %q is a secret", text)
		}
		for _, p := range patterns() {
			if p.MatchString(text) {
				seen[p.String()] = true
				if !p.may(strings.ToLower(text)) {
					t.Errorf("%q matches %s and is passed over", text, p)
				}
			}
		}
	}
	for _, p := range patterns() {
		if !seen[p.String()] {
			t.Errorf("no text here matches %s", p)
		}
	}
}

func TestNamed(t *testing.T) {
	for name, want := range map[string]bool{"DB_PASSWORD": true, "--api-key": true, "hf-token": true, "PGPASS": true, "MYSQL_PASS": true, "HTTP_BYPASS": false, "KEYBOARD": false, "PATH": false} {
		if Named(name) != want {
			t.Errorf("Named(%q) is %v", name, !want)
		}
	}
}
