// Package chat is how people ask: over HTTP, for the page and the command
// line, and [Text], which writes an answer for a terminal.
package chat

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"vedette.dev/analyzer/problem"
	"vedette.dev/nlq"
	"vedette.dev/nlq/answer"
)

// A Request is a question, what was asked before it in the same conversation,
// the oldest first, and whether the asker wants the rule that it comes to
// published, in whose name. The service keeps no conversation: who asks does.
type Request struct {
	Text    string   `json:"text"`
	Before  []string `json:"before,omitempty"`
	Publish bool     `json:"publish,omitempty"`
	By      string   `json:"by,omitempty"`
}

// maxBefore is how many questions before it a question may go on from: each is
// read again.
const maxBefore = 20

// maxText bounds a question: a paragraph.
const maxText = 2000

// Handler answers POST of a [Request] with an [answer.Answer].
func Handler(desk *answer.Desk, now func() time.Time) http.Handler {
	return problem.Handle(func(w http.ResponseWriter, r *http.Request) (any, error) {
		if r.Method != http.MethodPost {
			w.Header().Set("Allow", http.MethodPost)
			return nil, problem.New(http.StatusMethodNotAllowed, "a question is sent with POST", `POST {"text":"…"}`)
		}
		var q Request
		if err := problem.Read(w, r, &q); err != nil {
			return nil, err
		}
		q.Text = strings.TrimSpace(q.Text)
		switch {
		case q.Text == "":
			return nil, problem.New(http.StatusBadRequest, "there is no question", `send {"text":"which GPUs are hot?"}`)
		case len(q.Text) > maxText:
			return nil, problem.New(http.StatusBadRequest, "the question is longer than 2,000 characters", "ask one thing at a time")
		case len(q.Before) > maxBefore || slices.ContainsFunc(q.Before, func(t string) bool { return len(t) > maxText }):
			return nil, problem.New(http.StatusBadRequest, "the conversation is too long", "send the last 20 questions of at most 2,000 characters")
		case q.Publish && q.By == "":
			return nil, problem.New(http.StatusBadRequest, "publishing needs a name", `send {"by":"…"}`)
		}
		question := nlq.Question{Text: q.Text, Before: q.Before, Now: now()}
		if q.Publish {
			return desk.Publish(r.Context(), question, q.By)
		}
		return desk.Ask(r.Context(), question)
	})
}
