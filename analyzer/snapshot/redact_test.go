package snapshot

import (
	"encoding/json"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

const dirty = `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a","annotations":{"kubectl.kubernetes.io/last-applied-configuration":"{\"env\":[{\"name\":\"DB_PASSWORD\",\"value\":\"XYZZY-applied\"}]}",` +
	`"example.com/api-key":"XYZZY-annotation","note":"call with --token=XYZZY-token-1"}},` +
	`"spec":{"serviceAccountName":"app","volumes":[{"secret":{"secretName":"db-secret"}}],"containers":[{"name":"main","args":["--db-password","XYZZY-argument","--verbose"],` +
	`"env":[{"name":"DB_PASSWORD","value":"XYZZY-variable"},{"name":"URL","value":"postgres://app:XYZZY-address@db/x"},{"name":"SAFE","value":"kept"},{"name":"FROM_SECRET","valueFrom":{"secretKeyRef":{"name":"db-secret","key":"password"}}}]}]},` +
	`"status":{"replicas":1.0,"message":"secret \"db-secret\" not found"}}`

// TestRedact: nothing secret is left, what is not secret is as it was, and a
// second time changes nothing.
func TestRedact(t *testing.T) {
	s := &Snapshot{
		Objects: map[string][]Object{"pods": {{Raw: json.RawMessage(dirty)}},
			"secrets": {{Raw: json.RawMessage(`{"kind":"Secret","metadata":{"name":"db-secret"},"data":{"password":"WFlaWlk=XYZZY-data"}}`)}}},
		History: []Revision{{Raw: json.RawMessage(dirty)}},
		Events:  []Event{{Event: corev1.Event{Message: "login with password=XYZZY-event refused"}}},
		Logs: []Log{{Lines: []Line{{Text: "Authorization: Bearer XYZZY-log-1234"}, {Text: "-----BEGIN RSA PRIVATE KEY-----"}, {Text: "XYZZY/in+a+key"},
			{Text: "-----END RSA PRIVATE KEY-----"}, {Text: "the key is read"}}}},
		Kernel: map[string][]Line{"n": {{Text: "audit: cmd=mount password=XYZZY-kernel"}}},
	}
	write := func() string {
		var b strings.Builder
		err := s.files(func(_ string, data []byte) error { b.Write(data); return nil })
		if err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	s.Logs[0].Namespace, s.Logs[0].Pod, s.Logs[0].Container = "ml", "a", "main"
	s.Redact()
	got := write()
	for i := strings.Index(got, "XYZZY"); i >= 0; i = -1 {
		t.Errorf("left: …%s…", got[max(0, i-60):min(len(got), i+40)])
	}
	for _, kept := range []string{`"secretName": "db-secret"`, `"serviceAccountName": "app"`, `"key": "password"`, `"value": "kept"`, `"--verbose"`, `secret \"db-secret\" not found`, `1.0`, "the key is read", `"redacted": true`, "postgres://app:[redacted]@db/x"} {
		if !strings.Contains(got, kept) {
			t.Errorf("lost: %s in\n%s", kept, got)
		}
	}
	s.Redact()
	if again := write(); again != got {
		t.Errorf("redacted again it is\n%s\nafter\n%s", again, got)
	}
	clean := json.RawMessage(`{"b":1,"a":"x < y"}`)
	if got := redactRaw(clean); string(got) != string(clean) {
		t.Errorf("an object without secrets became %s", got)
	}
}
