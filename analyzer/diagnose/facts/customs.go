package facts

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"vedette.dev/analyzer"
	"vedette.dev/analyzer/snapshot"
)

// A customStatus is how jobs of operators say how they are: by conditions as
// Kubeflow's and JobSets do, by a phase as Argo's do, by a state as Volcano's
// and Spark's do, or by a status of the job as Ray's do.
type customStatus struct {
	Conditions []struct {
		Type, Status, Reason, Message string
		LastTransitionTime            time.Time
	}
	Phase            string
	JobStatus        string
	Message          string
	State            json.RawMessage // a word, or an object with a phase
	ApplicationState struct{ State, ErrorMessage string }

	EndTime, CompletionTime, FinishedAt time.Time
}

// readCustomJobs records which jobs of operators failed.
func (w *World) readCustomJobs() {
	for _, c := range w.s.Customs() {
		if !runsToAnEnd(c.Object.Kind) {
			continue
		}
		why, at := failure(c.Object.Status)
		if why == "" {
			continue
		}
		self := analyzer.Subject{Kind: strings.ToLower(c.Object.Kind), Namespace: c.Object.Namespace, Name: c.Object.Name}
		if at.IsZero() {
			at = w.lastNews(self, c)
		}
		w.add(Fact{Fact: analyzer.Fact{Subject: w.Workload(self), Name: "job-failed", At: at, Standing: w.now.Sub(at) <= newsOfEnds, Source: c.Source,
			Text: fmt.Sprintf("the %s failed: %s", c.Object.Kind, why)}, Kind: ObjectKind, Weight: 2, Seen: []analyzer.Subject{self}})
	}
}

// runsToAnEnd reports whether a kind is one of jobs: to others a state that is
// called failed may be one to come back from.
func runsToAnEnd(kind string) bool {
	for _, end := range []string{"Job", "JobSet", "Workflow", "PipelineRun", "TaskRun", "SparkApplication"} {
		if strings.HasSuffix(kind, end) {
			return true
		}
	}
	return false
}

// failure says why a job failed and when, "" of one that did not.
func failure(raw json.RawMessage) (why string, at time.Time) {
	var s customStatus
	if len(raw) == 0 || json.Unmarshal(raw, &s) != nil {
		return "", time.Time{}
	}
	for _, c := range s.Conditions {
		if c.Type == "Failed" && c.Status == "True" || c.Type == "Succeeded" && c.Status == "False" {
			return strings.TrimSuffix(c.Reason+": "+c.Message, ": "), c.LastTransitionTime
		}
	}
	var word string
	var state struct{ Phase, Message string }
	if json.Unmarshal(s.State, &word) != nil {
		_ = json.Unmarshal(s.State, &state) // what is neither says nothing
	}
	for _, said := range []string{s.Phase, s.JobStatus, word, state.Phase, s.ApplicationState.State} {
		switch strings.ToLower(said) {
		case "failed", "error", "submission_failed", "aborted":
			at := s.EndTime
			for _, t := range []time.Time{s.CompletionTime, s.FinishedAt} {
				if at.IsZero() {
					at = t
				}
			}
			return strings.TrimSuffix(said+": "+cmp.Or(s.Message, state.Message, s.ApplicationState.ErrorMessage), ": "), at
		}
	}
	return "", time.Time{}
}

// lastNews returns when the last event about a custom object was, or when it was made.
func (w *World) lastNews(self analyzer.Subject, c snapshot.Typed[snapshot.Custom]) time.Time {
	at := c.Object.CreationTimestamp.Time
	for _, e := range w.events[self] {
		if e.Latest().After(at) {
			at = e.Latest()
		}
	}
	return at
}
