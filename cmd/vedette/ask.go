package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"vedette.dev/analyzer/action"
	"vedette.dev/nlq/answer"
	"vedette.dev/nlq/chat"
)

func askCommand(s *screen) *cobra.Command {
	var publish bool
	var by, file, metadata string
	var after []string
	c := &cobra.Command{
		Use: `ask "QUESTION"`, Short: "Ask in plain English: an alert, a value, why, when", Args: cobra.ArbitraryArgs,
		Example: `  vedette ask "which GPUs are hotter than 80 degrees"
  vedette ask "alert when GPU temperature is above 85 for 5 minutes" --publish
  vedette ask "why is llama-pretrain failing"
  vedette ask "when will GPUs run out"
  vedette ask --after "GPU utilization per node in namespace team-a" "and for team-b?"
  vedette ask --batch questions.jsonl`,
		RunE: func(c *cobra.Command, args []string) error {
			switch {
			case file != "":
				return askBatch(c, args, file, metadata)
			case metadata != "":
				return usage(errors.New("--catalog goes with --batch: a service knows its own metrics"))
			case strings.TrimSpace(strings.Join(args, "")) == "":
				return usage(errors.New("there is no question"))
			case publish && by == "":
				return usage(errors.New("--publish needs a name: give one with --by"))
			}
			cl, err := s.client()
			if err != nil {
				return err
			}
			q := chat.Request{Text: strings.Join(args, " "), Before: after, Publish: publish}
			if publish {
				q.By = by
			}
			var a answer.Answer
			if err := cl.post(c.Context(), "/vedette/v1/ask", q, &a); err != nil {
				return err
			}
			if err := s.write(c.OutOrStdout(), a, func(w io.Writer) { chat.Text(w, a) }); err != nil {
				return err
			}
			return outcome(a, publish)
		},
	}
	c.Flags().BoolVar(&publish, "publish", false, "publish the rule that the question asks for")
	c.Flags().StringArrayVar(&after, "after", nil, "a question asked before, from which this one goes on; several, the oldest first")
	c.Flags().StringVar(&by, "by", me(), "in whose name to publish")
	c.Flags().StringVar(&file, "batch", "", "answer this file of questions, a line of JSON each, without a service (- is stdin)")
	c.Flags().StringVar(&metadata, "catalog", "", "of --batch: more metrics, the JSON of a Prometheus' /api/v1/metadata")
	return c
}

// outcome is how the program ends after an answer that was written: a question
// that was not understood and a rule that was not published are errors.
func outcome(a answer.Answer, publish bool) error {
	switch {
	case a.Kind == answer.KindUnclear:
		return exit{exitError, nil}
	case publish && a.Kind != answer.KindAlert:
		return exit{exitError, errors.New("nothing was published: that does not ask for an alert")}
	case publish && a.Alert.Published == nil:
		return exit{exitError, errors.New("the rule was not published")}
	case publish && a.Alert.Published.State != action.Done:
		return exit{exitError, fmt.Errorf("the rule was not published: %s: %s", a.Alert.Published.State, a.Alert.Published.Result)}
	}
	return nil
}
