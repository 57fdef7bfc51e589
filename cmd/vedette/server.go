package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"
)

func serverCommand(s *screen) *cobra.Command {
	var path string
	c := &cobra.Command{
		Use: "server", Short: "Run the central service", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if path == "" {
				return usage(errors.New("--config names the file to run with; `vedette config defaults` prints one"))
			}
			cfg, err := readConfig(path)
			if err != nil {
				return err
			}
			log := logger(c.ErrOrStderr(), s.logLevel)
			svc, err := open(cfg, log, extras{})
			if err != nil {
				return err
			}
			log.Info("serving", "page", "http://"+svc.page.Addr().String(), "otlp", svc.otlp.Addr().String(), "data", cfg.Data, "mode", cfg.Mode, "version", version)
			return errors.Join(svc.run(c.Context()), svc.close())
		},
	}
	c.Flags().StringVar(&path, "config", "", "configuration file")
	return c
}

func configCommand() *cobra.Command {
	c := &cobra.Command{Use: "config", Short: "Check a configuration, or print the defaults", Args: cobra.NoArgs}
	check := &cobra.Command{
		Use: "check FILE", Short: "Say what is wrong with a configuration file", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if _, err := readConfig(args[0]); err != nil {
				return exit{exitFindings, err}
			}
			fmt.Fprintf(c.OutOrStdout(), "%s is good\n", args[0])
			return nil
		},
	}
	defaults := &cobra.Command{
		Use: "defaults", Short: "Print a configuration with every key and its default", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg := &Config{APIVersion: "vedette.dev/v1", Kind: "ServerConfig", Data: "/var/lib/vedette"}
			cfg.fill()
			enc := yaml.NewEncoder(c.OutOrStdout())
			enc.SetIndent(2)
			return errors.Join(enc.Encode(cfg), enc.Close())
		},
	}
	c.AddCommand(check, defaults)
	return c
}
