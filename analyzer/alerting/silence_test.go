package alerting_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-openapi/strfmt"
	"github.com/prometheus/alertmanager/api/v2/models"

	"vedette.dev/analyzer/alerting"
)

// An office is the silences of an Alertmanager: it takes what the API's own
// models find valid, and nothing else.
type office struct{ kept []*models.GettableSilence }

func (o *office) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path, below := strings.CutPrefix(r.URL.Path, "/prefix/api/v2/")
	if !below {
		http.Error(w, "no such path", http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	id, one := strings.CutPrefix(path, "silence/")
	switch {
	case r.Method == "GET" && path == "silences":
		json.NewEncoder(w).Encode(o.kept)
	case r.Method == "POST" && path == "silences":
		var s models.PostableSilence
		if err := json.NewDecoder(r.Body).Decode(&s); err != nil || s.Validate(strfmt.Default) != nil || time.Time(*s.EndsAt).Before(time.Time(*s.StartsAt)) {
			http.Error(w, `"not a silence"`, http.StatusBadRequest)
			return
		}
		id, state := fmt.Sprintf("00000000-0000-4000-8000-%012d", len(o.kept)+1), models.SilenceStatusStateActive
		o.kept = append(o.kept, &models.GettableSilence{ID: &id, Silence: s.Silence, Status: &models.SilenceStatus{State: &state}, UpdatedAt: s.StartsAt})
		json.NewEncoder(w).Encode(map[string]string{"silenceID": id})
	case one:
		for _, s := range o.kept {
			if *s.ID != id {
				continue
			}
			if r.Method == "DELETE" {
				*s.Status.State = models.SilenceStatusStateExpired
				return
			}
			json.NewEncoder(w).Encode(s)
			return
		}
		http.Error(w, `"no such silence"`, http.StatusNotFound)
	default:
		http.Error(w, "no such path", http.StatusNotFound)
	}
}

func TestSilence(t *testing.T) {
	o := &office{}
	am := httptest.NewServer(o)
	defer am.Close()
	s, err := alerting.NewSilencer([]string{am.URL + "/prefix"})
	if err != nil {
		t.Fatal(err)
	}
	const hot = `{alertname="GPUTooHot",Hostname=~"dgx-.*"}`
	now := time.Now().Truncate(time.Second)
	for range 2 { // the second time it stands already
		said, err := s.Silence(t.Context(), hot, now, now.Add(2*time.Hour), "asked")
		if want := "stands until " + now.Add(2*time.Hour).UTC().Format(time.RFC3339); err != nil || !strings.Contains(said, want) {
			t.Fatalf("said %q, %v, want %q", said, err, want)
		}
	}
	if len(o.kept) != 1 || *o.kept[0].CreatedBy != "vedette" || len(o.kept[0].Matchers) != 2 || !*o.kept[0].Matchers[1].IsRegex || !*o.kept[0].Matchers[1].IsEqual {
		t.Fatalf("silences are %+v", o.kept)
	}
	if _, err := s.Silence(t.Context(), hot, now, now.Add(3*time.Hour), "asked for longer"); err != nil || len(o.kept) != 2 {
		t.Errorf("a longer one was not made: %d, %v", len(o.kept), err)
	}
	if said, err := s.Lift(t.Context(), `{Hostname=~"dgx-.*",alertname="GPUTooHot"}`); err != nil || !strings.Contains(said, "ended") {
		t.Errorf("said %q, %v", said, err)
	}
	for _, k := range o.kept {
		if *k.Status.State != models.SilenceStatusStateExpired {
			t.Errorf("silence %s is %s", *k.ID, *k.Status.State)
		}
	}
	if said, err := s.Lift(t.Context(), hot); err != nil || !strings.Contains(said, "nothing is silenced") {
		t.Errorf("said %q, %v, want that nothing is silenced", said, err)
	}
}

// TestSilenceElsewhereToo has one Alertmanager that does not answer: what was
// done at the other is told with the error.
func TestSilenceElsewhereToo(t *testing.T) {
	am := httptest.NewServer(&office{})
	defer am.Close()
	dead := httptest.NewServer(http.NotFoundHandler())
	dead.Close()
	s, err := alerting.NewSilencer([]string{dead.URL, am.URL + "/prefix"})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	if _, err := s.Silence(t.Context(), `{alertname="X"}`, now, now.Add(time.Hour), "asked"); err == nil || !strings.Contains(err.Error(), dead.URL) || !strings.Contains(err.Error(), "but silence") {
		t.Errorf("error is %v, want the dead one named and what was done", err)
	}
	none, _ := alerting.NewSilencer(nil)
	if _, err := none.Silence(t.Context(), `{alertname="X"}`, now, now.Add(time.Hour), "asked"); err == nil || !strings.Contains(err.Error(), "no Alertmanager") {
		t.Errorf("error is %v", err)
	}
	if _, err := s.Silence(t.Context(), `{alertname="X`, now, now.Add(time.Hour), "asked"); err == nil {
		t.Error("half a selector was taken")
	}
}
