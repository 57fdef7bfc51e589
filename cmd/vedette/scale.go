package main

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"vedette.dev/analyzer/scale"
)

func scaleCommand(s *screen) *cobra.Command {
	c := &cobra.Command{Use: "scale", Short: "Say how large pools should be before it is needed", Args: cobra.NoArgs}
	list := &cobra.Command{
		Use: "list", Short: "List the configured pools, what is advised and why", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cl, err := s.client()
			if err != nil {
				return err
			}
			var got struct {
				Pools []scale.State `json:"pools"`
			}
			if err := cl.get(c.Context(), "/vedette/v1/scale", &got); err != nil {
				return err
			}
			return s.write(c.OutOrStdout(), got.Pools, func(w io.Writer) { listPools(w, got.Pools) })
		},
	}
	c.AddCommand(list, replayCommand(s))
	return c
}

func listPools(w io.Writer, pools []scale.State) {
	table(w, "POOL\tDEMAND\tUNITS\tADDED\tBOOT\tTRUSTED", func(row func(string, ...any)) {
		for _, p := range pools {
			if a := p.Advice; a != nil {
				row("%s\t%.4g\t%d\t%d\t%s\t%t", p.Name, a.Demand, a.Units, a.Added(), p.Boot.Time, a.Trust.OK)
				continue
			}
			row("%s\t-\t-\t-\t%s\t-", p.Name, p.Boot.Time)
		}
	})
	for _, p := range pools {
		fmt.Fprintln(w)
		if p.Reason != "" {
			fmt.Fprintf(w, "%s: %s.\n", p.Name, p.Reason)
		}
		fmt.Fprintf(w, "%s: a unit boots for %s: %s.\n", p.Name, p.Boot.Time, p.Boot.Evidence)
		if p.Early != nil && p.Early.String() != "" {
			fmt.Fprintf(w, "%s: %s.\n", p.Name, p.Early)
		}
		for _, g := range p.Gaps {
			fmt.Fprintf(w, "%s: %s.\n", p.Name, g)
		}
	}
}

// replayed is a replay as it is printed.
type replayed struct {
	Replay scale.Replay  `json:"replay"`
	Advice *scale.Advice `json:"advice,omitempty"` // after the last minute
	usd    float64
}

func replayCommand(s *screen) *cobra.Command {
	var file string
	var p scale.Pool
	var overload float64
	var boot time.Duration
	var days int
	c := &cobra.Command{
		Use: "replay [POOL]", Short: "Run a pool through its last days: reactive, predictive, clairvoyant", Args: cobra.MaximumNArgs(1),
		Long: "Run a pool through its last days: by the demand of the moment, as advised, and with the demand known beforehand.\n" +
			"A configured pool is asked of the service; with --file a demand kept as CSV is replayed without one.",
		RunE: func(c *cobra.Command, args []string) error {
			if (len(args) == 1) == (file != "") {
				return usage(errors.New("name a pool, or a file with --file"))
			}
			if file == "" {
				cl, err := s.client()
				if err != nil {
					return err
				}
				var got scale.State
				if err := cl.get(c.Context(), "/vedette/v1/scale/"+url.PathEscape(args[0]), &got); err != nil {
					return err
				}
				if got.Replay == nil {
					return fmt.Errorf("replay %s: %s", args[0], firstOf(got.Gaps, "its demand has not been read yet"))
				}
				r := replayed{*got.Replay, got.Advice, got.USD}
				return s.write(c.OutOrStdout(), r, r.text)
			}
			if days < 1 {
				return usage(fmt.Errorf("--days %d: give a number of days above 0", days))
			}
			return withInput(c, file, func(in io.Reader) error {
				demand, err := scale.ReadCSV(in)
				if err != nil {
					return err
				}
				p.Boot = int((boot + time.Minute - 1) / time.Minute)
				study, err := scale.Look(demand, p, overload)
				if err != nil {
					return usage(err)
				}
				r := replayed{Replay: study.Replay(days)}
				if a, err := study.Advise(); err == nil { // the last minutes may be missing; the days before are there
					r.Advice = &a
				}
				return s.write(c.OutOrStdout(), r, r.text)
			})
		},
	}
	f := c.Flags()
	f.StringVar(&file, "file", "", "demand as CSV, a value a minute or more (- is stdin; .gz is read)")
	f.Float64Var(&p.Capacity, "capacity", 0, "with --file: the demand that one unit meets")
	f.IntVar(&p.Min, "min", 0, "with --file: the fewest units")
	f.IntVar(&p.Max, "max", 0, "with --file: the most units (0: no limit)")
	f.IntVar(&p.Step, "step", 0, "with --file: how many units a forecast adds at most (0: as many as demand asks for)")
	f.IntVar(&days, "days", 7, "with --file: how many of the last days are replayed")
	f.Float64Var(&overload, "overload", defaultOverload, "with --file: share of minutes in which the pool may be overloaded")
	f.DurationVar(&boot, "boot", 10*time.Minute, "with --file: how long a unit boots")
	return c
}

func firstOf(texts []string, otherwise string) string {
	if len(texts) > 0 {
		return texts[0]
	}
	return otherwise
}

func (r replayed) text(w io.Writer) {
	fmt.Fprintf(w, "The last %.1f days replayed; cost is in multiples of the fewest unit-hours that could have met the demand, %.0f.\n\n", r.Replay.Days, float64(r.Replay.Least)/60)
	table(w, "POLICY\tCOST\tUNIT-HOURS\tUSD\tOVERLOADED", func(row func(string, ...any)) {
		for _, l := range []struct {
			policy string
			run    scale.Run
		}{
			{"by the demand of the moment", r.Replay.Reactive},
			{fmt.Sprintf("the same, units %.0f %% full", 100*r.Replay.Fill), r.Replay.Headroom},
			{"as advised", r.Replay.Predictive},
			{"clairvoyant", r.Replay.Clairvoyant},
		} {
			usd := "-"
			if r.usd > 0 {
				usd = fmt.Sprintf("%.0f", float64(l.run.UnitMinutes)/60*r.usd)
			}
			row("%s\t%.3f\t%.0f\t%s\t%.2f %%", l.policy, r.Replay.Times(l.run), float64(l.run.UnitMinutes)/60, usd, 100*l.run.Overload())
		}
	})
	if r.Advice != nil {
		fmt.Fprintf(w, "\nAt %s: %s.\n", r.Advice.At.UTC().Format(time.RFC3339), r.Advice.Reason())
	}
}
