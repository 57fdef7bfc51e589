package amazon_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"vedette.dev/rules/publish"
	"vedette.dev/rules/publish/amazon"
	"vedette.dev/rules/publish/publishtest"
)

// A service speaks the rule groups namespaces of Amazon Managed Prometheus, and
// takes nothing that is not signed. A change is seen as under way once.
type service struct {
	mu         sync.Mutex
	namespaces map[string]*namespace
	writes     int
	fails      string // why the next change fails
}

type namespace struct {
	Data   []byte `json:"data"` // JSON has bytes in base64, as the protocol wants it
	status string
	reason string
}

const base = "/workspaces/ws-1/rulegroupsnamespaces"

func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	if !signed(r, body) {
		refuse(w, http.StatusForbidden, "AccessDeniedException", "the signature does not match")
		return
	}
	name, below := strings.CutPrefix(r.URL.Path, base+"/")
	n := s.namespaces[name]
	var in struct {
		Name        string            `json:"name"`
		Data        []byte            `json:"data"`
		ClientToken string            `json:"clientToken"`
		Tags        map[string]string `json:"tags"`
	}
	if len(body) > 0 {
		d := json.NewDecoder(bytes.NewReader(body))
		d.DisallowUnknownFields()
		if err := d.Decode(&in); err != nil {
			refuse(w, http.StatusBadRequest, "ValidationException", err.Error())
			return
		}
	}
	switch {
	case r.Method == http.MethodPost && r.URL.Path == base:
		if s.namespaces[in.Name] != nil {
			refuse(w, http.StatusConflict, "ConflictException", "it exists")
			return
		}
		s.put(w, in.Name, "CREATING", in.Data)
	case !below || n == nil:
		refuse(w, http.StatusNotFound, "ResourceNotFoundException", "no such namespace")
	case r.Method == http.MethodPut:
		s.put(w, name, "UPDATING", in.Data)
	case r.Method == http.MethodDelete:
		s.writes++
		n.status = "DELETING"
		w.WriteHeader(http.StatusAccepted)
	case r.Method == http.MethodGet:
		answer(w, http.StatusOK, map[string]any{"ruleGroupsNamespace": map[string]any{"arn": "arn:aws:aps:eu-west-1:1:rulegroupsnamespace/ws-1/" + name,
			"name": name, "status": map[string]string{"statusCode": n.status, "statusReason": n.reason}, "data": n.Data,
			"createdAt": 1.7e9, "modifiedAt": 1.7e9}})
		switch n.status {
		case "DELETING":
			delete(s.namespaces, name)
		case "CREATING", "UPDATING":
			n.status = "ACTIVE"
			if s.fails != "" {
				n.status, n.reason, s.fails = "UPDATE_FAILED", s.fails, ""
			}
		}
	default:
		refuse(w, http.StatusMethodNotAllowed, "ValidationException", r.Method)
	}
}

func (s *service) put(w http.ResponseWriter, name, status string, data []byte) {
	if _, err := publish.Parse(data); err != nil {
		refuse(w, http.StatusBadRequest, "ValidationException", err.Error())
		return
	}
	s.writes++
	s.namespaces[name] = &namespace{Data: data, status: status}
	answer(w, http.StatusAccepted, map[string]any{"name": name, "arn": "arn:aws:aps:eu-west-1:1:rulegroupsnamespace/ws-1/" + name,
		"status": map[string]string{"statusCode": status}})
}

func answer(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	json.NewEncoder(w).Encode(v)
}

func refuse(w http.ResponseWriter, code int, kind, why string) {
	w.Header().Set("X-Amzn-Errortype", kind)
	answer(w, code, map[string]string{"message": why})
}

// signed signs the request anew with what the account is known to have, and
// reports whether that is what it carries: SigV4 for service aps.
func signed(r *http.Request, body []byte) bool {
	got := r.Header.Get("Authorization")
	at, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
	if err != nil || !strings.Contains(got, "/eu-west-1/aps/aws4_request") {
		return false
	}
	_, list, _ := strings.Cut(got, "SignedHeaders=")
	list, _, _ = strings.Cut(list, ",")
	again, err := http.NewRequest(r.Method, "http://"+r.Host+r.URL.RequestURI(), bytes.NewReader(body))
	if err != nil {
		return false
	}
	for name := range strings.SplitSeq(list, ";") {
		if name != "host" && name != "content-length" {
			again.Header.Set(name, r.Header.Get(name))
		}
	}
	hash := sha256.Sum256(body)
	err = v4.NewSigner().SignHTTP(r.Context(), aws.Credentials{AccessKeyID: "AKID", SecretAccessKey: "SECRET"}, again, hex.EncodeToString(hash[:]), "aps", "eu-west-1", at)
	return err == nil && again.Header.Get("Authorization") == got
}

func open(t *testing.T, s *service) *amazon.Target {
	t.Helper()
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	target, err := amazon.Open(t.Context(), "eu-west-1", "ws-1", server.URL)
	if err != nil {
		t.Fatal(err)
	}
	target.Poll = time.Millisecond
	return target
}

// account makes the credentials those of the environment, and nothing else.
func account(t *testing.T, secret string) {
	t.Helper()
	for k, v := range map[string]string{"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": secret, "AWS_SESSION_TOKEN": "",
		"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null", "AWS_EC2_METADATA_DISABLED": "true", "AWS_MAX_ATTEMPTS": "1"} {
		t.Setenv(k, v)
	}
}

func TestTarget(t *testing.T) {
	account(t, "SECRET")
	s := &service{namespaces: map[string]*namespace{}}
	publishtest.Target(t, open(t, s), func() int { s.mu.Lock(); defer s.mu.Unlock(); return s.writes })
}

// TestRefused: what AWS finds wrong later is an error, with its reason.
func TestRefused(t *testing.T) {
	account(t, "SECRET")
	s := &service{namespaces: map[string]*namespace{}, fails: "too many rules"}
	target := open(t, s)
	if err := target.Put(t.Context(), publishtest.Group("85")); err == nil || !strings.Contains(err.Error(), "too many rules") {
		t.Errorf("got %v, want the reason", err)
	}
	if err := target.Put(t.Context(), publishtest.Group("85")); err != nil { // it is tried again
		t.Error(err)
	}
}

func TestStranger(t *testing.T) {
	account(t, "ANOTHER")
	target := open(t, &service{namespaces: map[string]*namespace{}})
	if err := target.Put(t.Context(), publishtest.Group("85")); err == nil || !strings.Contains(err.Error(), "signature") {
		t.Errorf("got %v, want a refusal", err)
	}
}
