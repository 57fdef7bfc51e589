//go:build e2e

// Package page tests the page in a real browser, against a server that answers
// with made-up data. The data are Go values of the wire's own types, so that
// the page and the server cannot drift apart unseen. It also lends its browser
// ([Browser], [Wait], [Complaints]) to tests against the real server.
//
// It needs chromium, and is therefore built with -tags e2e only.
package page

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"vedette.dev/analyzer"
	"vedette.dev/analyzer/action"
	"vedette.dev/analyzer/anomaly"
	"vedette.dev/nlq/answer"
)

// Policy is the content security policy under which the page must work.
const Policy = "default-src 'self'; style-src 'self'; img-src 'self' data:; script-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// A Fake answers the routes that the page calls. Its fields are set before it
// is served; what the page asks of it is kept.
type Fake struct {
	UI    string // the folder of the page's files
	Nodes int    // how many nodes the fleet has; 0 is a server that has seen nothing
	Token string // what must be sent as bearer; "" is open

	mu      sync.Mutex
	posts   []Post
	decided map[int64]action.Entry // entries as they are since the page decided on them
	undone  bool
	said    map[int64]*analyzer.Mark // of anomalies, since the page said something of them; nil: it took that back
}

// A Post is a call that asks for a change.
type Post struct {
	Path string
	Body map[string]any
}

// Posts returns what was posted so far.
func (f *Fake) Posts() []Post {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]Post(nil), f.posts...)
}

// Handler serves the page's files with [Policy] and the routes.
func (f *Fake) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /vedette/v1/status", func(w http.ResponseWriter, r *http.Request) { reply(w, status(f.Nodes)) })
	mux.HandleFunc("GET /vedette/v1/fleet", func(w http.ResponseWriter, r *http.Request) { reply(w, fleet(f.Nodes)) })
	mux.HandleFunc("GET /vedette/v1/incidents", func(w http.ResponseWriter, r *http.Request) {
		reply(w, map[string]any{"incidents": f.incidents()})
	})
	mux.HandleFunc("GET /vedette/v1/incidents/{id}", f.incident)
	mux.HandleFunc("GET /vedette/v1/incidents/{id}/account", func(w http.ResponseWriter, r *http.Request) {
		reply(w, map[string]any{"account": account})
	})
	mux.HandleFunc("GET /vedette/v1/incidents/{id}/report.md", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/markdown; charset=utf-8")
		_, _ = w.Write([]byte("# " + lostGPU.Title + "\n\n" + lostGPU.Diagnosis.Summary + "\n"))
	})
	mux.HandleFunc("GET /vedette/v1/anomalies", func(w http.ResponseWriter, r *http.Request) { reply(w, map[string]any{"anomalies": f.anomalies()}) })
	mux.HandleFunc("POST /vedette/v1/anomalies/{id}/{verb}", f.say)
	mux.HandleFunc("GET /vedette/v1/actions", func(w http.ResponseWriter, r *http.Request) {
		reply(w, map[string]any{"actions": f.entries()})
	})
	mux.HandleFunc("GET /vedette/v1/rules", func(w http.ResponseWriter, r *http.Request) { reply(w, map[string]any{"groups": f.groups()}) })
	mux.HandleFunc("POST /vedette/v1/ask", f.ask)
	mux.HandleFunc("POST /vedette/v1/actions/{id}/{verb}", f.decide)
	mux.HandleFunc("POST /vedette/v1/rules/{id}/undo", f.undo)
	mux.HandleFunc("GET /api/v1/query_range", queryRange)
	mux.Handle("GET /", http.FileServer(http.Dir(f.UI)))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", Policy)
		w.Header().Set("Cache-Control", "no-store")
		api := strings.HasPrefix(r.URL.Path, "/vedette/") || strings.HasPrefix(r.URL.Path, "/api/")
		if api && f.Token != "" && r.Header.Get("Authorization") != "Bearer "+f.Token {
			problem(w, http.StatusUnauthorized, "A token is needed", "the request has none, or a wrong one", "")
			return
		}
		mux.ServeHTTP(w, r)
	})
}

func reply(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

func problem(w http.ResponseWriter, status int, title, detail, hint string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"title": title, "detail": detail, "hint": hint})
}

// posted reads and keeps the body of a call.
func (f *Fake) posted(r *http.Request) map[string]any {
	var body map[string]any
	_ = json.NewDecoder(r.Body).Decode(&body)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.posts = append(f.posts, Post{Path: r.URL.Path, Body: body})
	return body
}

func (f *Fake) incidents() []analyzer.Incident {
	if f.Nodes == 0 {
		return nil // the page must bear a null for an empty list
	}
	return incidents
}

func (f *Fake) incident(w http.ResponseWriter, r *http.Request) {
	for _, in := range f.incidents() {
		if in.ID == r.PathValue("id") {
			reply(w, in)
			return
		}
	}
	problem(w, http.StatusNotFound, "No such incident", "there is no incident "+r.PathValue("id"), "Old incidents are forgotten after 30 days.")
}

// anomalies are the made-up ones, with what the page said of them.
func (f *Fake) anomalies() []anomaly.Anomaly {
	if f.Nodes == 0 {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	out := append([]anomaly.Anomaly(nil), anomalies...)
	for i := range out {
		if m, ok := f.said[out[i].ID]; ok {
			out[i].Marked = m
		}
	}
	return out
}

func (f *Fake) say(w http.ResponseWriter, r *http.Request) {
	body := f.posted(r)
	by, _ := body["by"].(string)
	why, _ := body["why"].(string)
	id, _ := strconv.ParseInt(r.PathValue("id"), 10, 64)
	for _, a := range anomalies {
		if a.ID != id {
			continue
		}
		if a.Marked = nil; r.PathValue("verb") == "dismiss" {
			m := analyzer.NewMark(a.Finding, by, why, now, time.Time{})
			a.Marked = &m
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.said == nil {
			f.said = map[int64]*analyzer.Mark{}
		}
		f.said[id] = a.Marked
		reply(w, a)
		return
	}
	problem(w, http.StatusNotFound, "No such anomaly", "there is no anomaly "+r.PathValue("id"), "")
}

// entries are the made-up entries, with what the page decided on them.
func (f *Fake) entries() []action.Entry {
	if f.Nodes == 0 {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	out := append([]action.Entry(nil), entries...)
	for i, e := range out {
		if d, ok := f.decided[e.ID]; ok {
			out[i] = d
		}
	}
	return out
}

func (f *Fake) decide(w http.ResponseWriter, r *http.Request) {
	body := f.posted(r)
	by, _ := body["by"].(string)
	why, _ := body["why"].(string)
	id, _ := strconv.ParseInt(r.PathValue("id"), 10, 64)
	for _, e := range entries {
		if e.ID != id {
			continue
		}
		approved := r.PathValue("verb") == "approve"
		e.Decisions = []action.Decision{{By: by, At: now, Approved: approved, Why: why}}
		e.State, e.Finished = action.Denied, now
		if approved {
			e.State, e.Result = action.Done, e.Target+" is cordoned"
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.decided == nil {
			f.decided = map[int64]action.Entry{}
		}
		f.decided[id] = e
		reply(w, e)
		return
	}
	problem(w, http.StatusNotFound, "No such action", "there is no action "+r.PathValue("id"), "")
}

func (f *Fake) ask(w http.ResponseWriter, r *http.Request) {
	body := f.posted(r)
	text, _ := body["text"].(string)
	publish, _ := body["publish"].(bool)
	a := answerTo(text)
	a.Asked = text
	if publish && a.Alert != nil {
		draft := *a.Alert
		draft.ID, draft.Published = hotGroup, &published
		a.Alert = &draft
	}
	reply(w, a)
}

func answerTo(text string) answer.Answer {
	for _, c := range []struct {
		word string
		a    func() answer.Answer
	}{{"anomalous", anomaliesAnswer}, {"alert", hotAlert}, {"wrong", whyAnswer}, {"when", whenAnswer}, {"which", heldQuery}, {"average", averageQuery}, {"changed", changesAnswer}, {"cost", costAnswer}, {"silence", silenceAnswer}} {
		if strings.Contains(text, c.word) {
			return c.a()
		}
	}
	return unclearAnswer()
}

func (f *Fake) groups() []group {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.Nodes == 0 {
		return nil
	}
	if f.undone {
		return groups[1:]
	}
	return groups
}

func (f *Fake) undo(w http.ResponseWriter, r *http.Request) {
	f.posted(r)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.undone = true
	reply(w, action.Entry{ID: 20, Action: action.Action{Kind: action.UndoRule, Target: r.PathValue("id"), Reason: "asked for on the page"},
		State: action.Done, Proposed: now, Finished: now, Result: "rule group " + r.PathValue("id") + " was taken out"})
}

// queryRange answers with one made-up series of the metric that is asked for.
func queryRange(w http.ResponseWriter, r *http.Request) {
	metric, _, _ := strings.Cut(r.FormValue("query"), "{")
	start, _ := strconv.ParseFloat(r.FormValue("start"), 64)
	end, _ := strconv.ParseFloat(r.FormValue("end"), 64)
	step, _ := strconv.ParseFloat(r.FormValue("step"), 64)
	if step <= 0 || end < start {
		w.WriteHeader(http.StatusBadRequest)
		reply(w, map[string]any{"status": "error", "errorType": "bad_data", "error": "start, end and step are not a range"})
		return
	}
	values := [][]any{}
	for i, v := range wander(metric, int((end-start)/step)+1) {
		values = append(values, []any{start + float64(i)*step, strconv.FormatFloat(v, 'f', 2, 64)})
	}
	reply(w, map[string]any{"status": "success", "data": map[string]any{"resultType": "matrix",
		"result": []any{map[string]any{"metric": map[string]string{"__name__": metric}, "values": values}}}})
}

// A group is a published rule group, as GET /vedette/v1/rules gives it.
type group struct {
	ID       string `json:"id"`
	Owner    string `json:"owner"`
	Revision int    `json:"revision"`
	Asked    string `json:"asked"`
	YAML     string `json:"yaml"`
	Rules    []rule `json:"rules"`
}

type rule struct {
	Name      string `json:"name"`
	Expr      string `json:"expr"`
	For       string `json:"for"`
	State     string `json:"state"`
	LastError string `json:"lastError"`
}
