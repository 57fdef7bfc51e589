package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/klog/v2"

	"vedette.dev/analyzer/diagnose/facts"
	"vedette.dev/analyzer/live"
	"vedette.dev/analyzer/snapshot"
	"vedette.dev/collector/cluster"
	"vedette.dev/fixtures"
	"vedette.dev/fixtures/incident"
)

func snapshotCommand(s *screen) *cobra.Command {
	c := &cobra.Command{Use: "snapshot", Short: "What the cluster looks like, as a file", Args: cobra.NoArgs}
	c.AddCommand(takeCommand(s), convertCommand(), simulateCommand())
	return c
}

// A shot says what a snapshot is to be of.
type shot struct {
	*screen
	kubeconfig, namespace string
	since                 time.Duration
	asked                 bool // a service was named
}

func takeCommand(s *screen) *cobra.Command {
	var path string
	shot := &shot{screen: s}
	c := &cobra.Command{
		Use: "take [--kubeconfig FILE] [-n NAMESPACE] [--since 2h] -o FILE.tar.gz", Short: "Take a snapshot of a cluster, which vedette diagnose --snapshot reads", Args: cobra.NoArgs,
		Long: "Take asks a running service for what it knows: objects and what became of them, events, kernel logs, metrics.\n" +
			"With --kubeconfig it asks the API server itself, for objects, events and logs of containers, current and previous; a service that is named with --server adds what it knows besides. " +
			"deploy/snapshot-rbac.yaml has the rights. What looks like a secret is taken out; what could not be seen is listed in the snapshot.",
		RunE: func(c *cobra.Command, _ []string) error {
			if err := packable(path); err != nil {
				return err
			}
			if shot.since <= 0 || shot.since > live.Longest {
				return usage(fmt.Errorf("--since %s: give a time of up to %s", shot.since, live.Longest))
			}
			shot.asked = c.Flags().Changed("server") || os.Getenv("VEDETTE_SERVER") != ""
			snap, err := shot.take(c.Context(), time.Now())
			if err != nil {
				return err
			}
			return pack(path, snap)
		},
	}
	f := c.Flags()
	f.StringVarP(&path, "output", "o", "", "the file to write, a .tar.gz")
	f.StringVar(&path, "output-file", "", "the same")
	f.StringVar(&shot.kubeconfig, "kubeconfig", "", "ask the API server that this file leads to")
	f.StringVarP(&shot.namespace, "namespace", "n", "", "only this namespace, and what is in none")
	f.DurationVar(&shot.since, "since", 30*time.Minute, "how far back logs, metrics and changes go")
	_ = f.MarkHidden("output-file") // the flag was just made
	return c
}

// convertCommand is for who wants to pass a capture on.
func convertCommand() *cobra.Command {
	var path string
	c := &cobra.Command{
		Use: "convert PATH -o FILE.tar.gz", Short: "Make a snapshot of a kubectl cluster-info dump, a support bundle or a must-gather", Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if err := packable(path); err != nil {
				return err
			}
			snap, err := snapshot.Read(args[0])
			if err != nil {
				return err
			}
			snap.Redact()
			return pack(path, snap)
		},
	}
	c.Flags().StringVarP(&path, "output", "o", "", "the file to write, a .tar.gz")
	return c
}

// simulateCommand is for who wants to practise, or to see what a diagnosis is worth.
func simulateCommand() *cobra.Command {
	var path string
	var seed uint64
	var near bool
	c := &cobra.Command{
		Use: "simulate INCIDENT -o FILE.tar.gz", Short: "Take a snapshot of a simulated cluster in which something went wrong", Args: cobra.ExactArgs(1),
		Long: "Simulate plays an incident on a simulated GPU cluster, with all that goes on in one and means nothing, and takes a snapshot at its end. " +
			"With every seed names, places and times are others. What it was is printed, as the truth.json of a benchmark's case.\n\nThe incidents are " + strings.Join(fixtures.Incidents(), ", ") + ".",
		RunE: func(c *cobra.Command, args []string) error {
			if err := packable(path); err != nil {
				return err
			}
			made, err := incident.Make(c.Context(), args[0], seed, near, facts.Metrics())
			if err != nil {
				return usage(err)
			}
			truth, err := made.MarshalTruth()
			if err != nil {
				return err
			}
			if err := pack(path, made.Snapshot); err != nil {
				return err
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "%s\n", truth)
			return err
		},
	}
	c.Flags().StringVarP(&path, "output", "o", "", "the file to write, a .tar.gz")
	c.Flags().Uint64Var(&seed, "seed", 1, "what differs from one such cluster to the next")
	c.Flags().BoolVar(&near, "near", false, "its near miss: the same cluster, with what makes the cause untrue")
	return c
}

func packable(path string) error {
	if !strings.HasSuffix(path, ".tar.gz") && !strings.HasSuffix(path, ".tgz") {
		return usage(fmt.Errorf("-o %q: name the file to write, ending in .tar.gz or .tgz", path))
	}
	return nil
}

// pack writes a snapshot for its owner alone: objects, logs and events may tell
// more than anyone should read.
func pack(path string, snap *snapshot.Snapshot) error {
	var b bytes.Buffer
	if err := snap.Pack(&b); err != nil {
		return err
	}
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		return fmt.Errorf("write the snapshot: %w", err)
	}
	return nil
}

// take asks whom there is to ask. Where both an API server and a service are,
// what is now is the API server's to say.
func (s *shot) take(ctx context.Context, now time.Time) (*snapshot.Snapshot, error) {
	if s.kubeconfig == "" {
		return s.fromService(ctx)
	}
	snap, err := s.fromCluster(ctx, now.UTC())
	if err != nil || !s.asked {
		return snap, err
	}
	known, err := s.fromService(ctx)
	if err != nil {
		snap.Unseen = append(snap.Unseen, fmt.Sprintf("what the service knows: %v", err))
		return snap, nil
	}
	snap.Add(known)
	return snap, nil
}

// fromService asks the running system.
func (s *shot) fromService(ctx context.Context) (*snapshot.Snapshot, error) {
	cl, err := s.client()
	if err != nil {
		return nil, err
	}
	query := url.Values{"since": {s.since.String()}}
	if s.namespace != "" {
		query.Set("namespace", s.namespace)
	}
	var packed string
	if err := cl.get(ctx, "/vedette/v1/snapshot?"+query.Encode(), &packed); err != nil {
		return nil, err
	}
	return snapshot.Unpack(strings.NewReader(packed))
}

// fromCluster asks the API server.
func (s *shot) fromCluster(ctx context.Context, now time.Time) (*snapshot.Snapshot, error) {
	klog.SetSlogLogger(slog.New(slog.DiscardHandler)) // client-go's own words; what matters is in what is unseen
	api, err := cluster.Config(s.kubeconfig)
	if err != nil {
		return nil, err
	}
	look := cluster.Capture{API: api, Namespace: s.namespace, Since: now.Add(-s.since)}
	sight, err := look.Take(ctx)
	if err != nil {
		return nil, err
	}
	snap := &snapshot.Snapshot{CapturedAt: now, Window: snapshot.Window{From: now.Add(-s.since), To: now}, Origin: "vedette",
		Cluster: snapshot.Cluster{Name: cmp.Or(cluster.NameOf(s.kubeconfig), "cluster"), Version: sight.Version}, Objects: map[string][]snapshot.Object{}, Events: []snapshot.Event{}, Unseen: sight.Unseen}
	for resource, os := range sight.Objects {
		all := make([]snapshot.Object, len(os))
		for i, o := range os {
			all[i] = snapshot.Object{Raw: json.RawMessage(o.Text), Source: snapshot.SourceOf(resource, o.Namespace, o.Name)}
		}
		snap.Objects[resource] = all
	}
	var errs []error
	for _, e := range sight.Events {
		errs = append(errs, snap.AddEvent([]byte(e.Text), "events#"+e.Name))
	}
	for _, l := range sight.Logs {
		snap.AddLog(l.Namespace, l.Pod, l.Container, l.Previous, l.Text)
	}
	if s.namespace != "" {
		snap.Narrow(s.namespace)
	}
	snap.Redact()
	return snap, errors.Join(errs...)
}
