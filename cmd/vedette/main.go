// Command vedette watches GPU clusters, says what is wrong with them and why,
// and answers questions about them. This comment is the architecture document;
// each package's own comment says what it owns and what it leaves to others.
//
// # The tour
//
// There are five verbs, one to a folder. [vedette.dev/rules] knows: metrics,
// faults, alerting rules. [vedette.dev/collector] sees: a node agent reads
// GPUs, the machine and its kernel log, and sends OTLP.
// [vedette.dev/analyzer] concludes. [vedette.dev/nlq] is asked. This command
// wires them, and imports run one way: cmd → nlq → analyzer → rules ← collector.
// The agent and the analyzer meet only on the wire; what sees the cluster as a
// whole runs beside the analyzer, and the two meet here. The table of who may
// import whom is in house_test.go and is held there.
//
// A reading's way: a [collector.Source] gives a [collector.Batch];
// [collector.Agent] pushes it to its sink, [vedette.dev/collector/otlp], which
// speaks OTLP. [vedette.dev/analyzer/ingest] receives it: metrics go to
// [vedette.dev/analyzer/store], an embedded Prometheus TSDB, and past
// [vedette.dev/analyzer/detect]; events go to [vedette.dev/analyzer/history].
//
// The cluster's way: [vedette.dev/collector/cluster] watches the API server and
// reads the metrics pages that announce themselves. cluster.go here hands its
// series to the store and its objects and events to the history. For a snapshot
// it is asked just once (snapshot.go), without a service. A Prometheus
// that is there already is read beside the store instead (elsewhere.go).
//
// A conclusion's way: [vedette.dev/analyzer/alerting] evaluates rules and
// tells Alertmanager. [analyzer.Loop] asks it and the detectors what they
// noticed, takes a snapshot of the last half hour
// ([vedette.dev/analyzer/live]), has it explained
// ([vedette.dev/analyzer/diagnose], a pure function), and writes incidents
// into the book ([vedette.dev/analyzer/incident]). What should be done about
// one ([vedette.dev/analyzer/remedy]) is proposed to the ledger
// ([vedette.dev/analyzer/action]), the only door to the world.
//
// Money's way: [vedette.dev/analyzer/cost] reads what GPUs were used for from
// the store, and makes a report of it and of a price book.
//
// Room's way: [vedette.dev/analyzer/scale] reads the demand of configured pools
// from the store, says how many units there should be by the time one ordered
// now would work, and has a target follow through the ledger; KEDA may ask.
//
// A question's way: an [nlq.Engine] ([vedette.dev/nlq/grammar]) turns words
// into an [nlq.Intent]; in a batch, [vedette.dev/nlq/prose] reads what was
// written to be read, as rules are published, and says how sure it is. Where a language model is configured, [vedette.dev/nlq/llm] has it fill
// in what the grammar does not understand. [vedette.dev/nlq/compile] turns an intent into PromQL or a
// rule; [vedette.dev/nlq/answer] carries it out: it queries, or checks,
// back-tests and proposes to publish, or diagnoses, or forecasts.
//
// # This program
//
// service.go is the map: every part is made, connected and started there.
// demo.go adds a simulated cluster to it. Each verb of the command line is a
// file of its own, and most only ask a running service over its routes.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// Exit statuses.
const (
	exitDone     = 0
	exitError    = 1
	exitUsage    = 2
	exitFindings = 3 // a check, a diff or a test that found something
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// An exit is an error that says how the program ends; its text may be empty.
type exit struct {
	code int
	err  error
}

func (e exit) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}
func (e exit) Unwrap() error { return e.err }

// usage marks err as a mistake in the words of the command line.
func usage(err error) error { return exit{exitUsage, err} }

// run is the whole program.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root := command()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitDone
	}
	code := exitError
	var e exit
	if errors.As(err, &e) {
		code = e.code
	}
	if err.Error() != "" {
		fmt.Fprintln(stderr, "vedette:", err)
	}
	var h hinted
	if errors.As(err, &h) {
		fmt.Fprintln(stderr, "hint:", h.hint)
	}
	return code
}

// A screen is what every verb shares: where the service is and how to write.
type screen struct {
	server, tokenFile string
	output            string
	logLevel          slog.Level
}

func command() *cobra.Command {
	s := new(screen)
	root := &cobra.Command{
		Use:           "vedette",
		Short:         "Watch GPU clusters, say what broke and why, and answer questions",
		Version:       version,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetVersionTemplate("vedette {{.Version}}\n")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage(err) })
	f := root.PersistentFlags()
	f.StringVar(&s.server, "server", envOr("VEDETTE_SERVER", "http://"+defaultHTTP), "the service to ask (VEDETTE_SERVER)")
	f.StringVar(&s.tokenFile, "token-file", "", "file with the token to ask with (VEDETTE_TOKEN holds one itself)")
	f.StringVarP(&s.output, "output", "o", "text", "format: text, json or yaml")
	f.TextVar(&s.logLevel, "log-level", slog.LevelInfo, "debug, info, warn or error")
	root.AddCommand(
		demoCommand(s), serverCommand(s), configCommand(),
		askCommand(s), incidentsCommand(s), anomaliesCommand(s), actionsCommand(s), rulesCommand(s),
		diagnoseCommand(s), snapshotCommand(s), detectCommand(), forecastCommand(), reportCommand(s), scaleCommand(s),
	)
	strict(root)
	return root
}

// strict makes a wrong number of words, and a verb that there is not, a usage
// error, for c and what is below it.
func strict(c *cobra.Command) {
	if check := c.Args; check != nil {
		c.Args = func(c *cobra.Command, args []string) error {
			if err := check(c, args); err != nil {
				return usage(err)
			}
			return nil
		}
	}
	if c.HasSubCommands() { // cobra would print the help and call that a success
		c.Args = cobra.ArbitraryArgs
		c.RunE = func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage(fmt.Errorf("unknown command %q: %s --help lists them", args[0], c.CommandPath()))
			}
			return c.Help()
		}
	}
	for _, sub := range c.Commands() {
		strict(sub)
	}
}

// client returns the client of the service that the flags name.
func (s *screen) client() (*client, error) {
	token, err := readToken(s.tokenFile)
	if err != nil {
		return nil, err
	}
	return &client{server: s.server, token: token}, nil
}

func envOr(key, otherwise string) string {
	if v := os.Getenv(key); v != "" {
		return v
	}
	return otherwise
}
