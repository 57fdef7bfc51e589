//go:build bench || scratch

package detect

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"vedette.dev/analyzer/series"
	"vedette.dev/fixtures/recorded"
)

// What a half of the files would have chosen, measured on the other half: how
// much of the figures of this bench is owed to having seen the files. Chosen are
// the threshold, how long an incident is held, and how much the spike channel
// counts against the regime's. The weights of the statistics and their scale
// of rarity, the knee, the clock of the hours and all of the alarm are not chosen
// again but were chosen with sight of all files: their share is not in it.

// A choice is one setting of those constants. A spike of the plain score counts for 1.
type choice struct {
	spikes                float64
	spikeMost, regimeMost int
}

var plainChoice = choice{1, spikeMost, regimeMost}

func choices() []choice {
	var cs []choice
	for _, spikes := range []float64{0.9, 0.95, 1, 1.05} {
		for _, spike := range []int{8, 15, 30} {
			for _, regime := range []int{100, 150, 200, 300} {
				cs = append(cs, choice{spikes, spike, regime})
			}
		}
	}
	return cs
}

// both are the channels of one file before incidents are held.
type both struct{ spike, regime []float64 }

func channels(stamps, values []string) (b both, err error) {
	var s LevelState
	b.spike, b.regime = make([]float64, len(stamps)), make([]float64, len(stamps))
	for i, stamp := range stamps {
		at, err := series.ParseTime(stamp)
		if err != nil {
			return b, err
		}
		value, err := strconv.ParseFloat(values[i], 64)
		if err != nil {
			continue
		}
		score := Level{}.Observe(&s, at.UnixMilli(), value)
		b.spike[i], b.regime[i] = score.Spike, score.Regime
	}
	return b, nil
}

func (c choice) score(b both) []float64 {
	out := make([]float64, len(b.spike))
	spike, regime := incidents()
	spike.most, regime.most = c.spikeMost, c.regimeMost
	for i := range out {
		out[i] = max(c.spikes*spike.tells(b.spike[i], i), regime.tells(b.regime[i], i))
	}
	return out
}

// nabAt scores a detector under p at one threshold.
func nabAt(rows []nabRow, p nabProfile, threshold float64) float64 {
	rows = slices.Clone(rows)
	for i := range rows {
		if rows[i].score < threshold {
			rows[i].score = 0
		}
		rows[i].score = min(rows[i].score, threshold)
	}
	kept := slices.DeleteFunc(slices.Clone(rows), func(r nabRow) bool { return r.score == 0 })
	windows, gain, loss := map[int]bool{}, map[int]float64{}, 0.0
	for _, r := range rows {
		if r.window >= 0 {
			windows[r.window] = true
		}
	}
	for _, r := range kept {
		if r.window < 0 {
			loss += r.worth
		} else {
			gain[r.window] = max(gain[r.window], r.worth)
		}
	}
	all := float64(len(windows))
	raw := p.mistaken*loss - p.miss*(all-float64(len(gain)))
	for _, g := range gain {
		raw += g
	}
	return 100 * (raw + p.miss*all) / (all + p.miss*all)
}

func TestHalvesNAB(t *testing.T) {
	dir := filepath.Join(recorded.Dir(t, "nab"), "nab")
	files := nabCorpus(t, dir)
	found := make([]both, len(files))
	var paths []string
	for _, f := range files {
		paths = append(paths, filepath.Join(dir, "data", f.name+".gz"))
	}
	each(t, paths, func(i int, b []byte) error {
		table, err := columns(b)
		if err != nil {
			return err
		}
		found[i], err = channels(table["timestamp"], table["value"])
		return err
	})
	for _, p := range nabProfiles[:2] {
		rows := func(c choice, half int) (rows []nabRow) {
			windows := 0
			for i, f := range files {
				if i%2 == half {
					rows = append(rows, nabRows(f, c.score(found[i]), windows)...)
				}
				windows += len(f.windows)
			}
			return rows
		}
		fmt.Printf("halves, NAB %s:", p.name)
		var chosen, plain, seen float64
		for half := range 2 {
			best, with := nabResult{score: -1e9}, choice{}
			for _, c := range choices() {
				if r := nabScore(rows(c, half), p); r.score > best.score {
					best, with = r, c
				}
			}
			own := nabScore(rows(plainChoice, half), p)
			chosen += nabAt(rows(with, 1-half), p, best.threshold) / 2
			plain += nabAt(rows(plainChoice, 1-half), p, own.threshold) / 2
			seen += best.score / 2
			fmt.Printf(" %+v at %.3f;", with, best.threshold)
		}
		fmt.Printf(" %.1f on the half it is chosen on, %.1f on the other; with the constants as they are and only the threshold chosen, %.1f on the other\n", seen, chosen, plain)
	}
}

func TestHalvesEvents(t *testing.T) {
	dir := recorded.Dir(t, "nab")
	var f1Other, f1Seen, apOther float64
	for _, set := range eventSets {
		paths, err := filepath.Glob(filepath.Join(dir, set.glob))
		if err != nil || len(paths) == 0 {
			t.Fatalf("%s: no series: %v", set.name, err)
		}
		found, labels := make([]both, len(paths)), make([]labels, len(paths))
		each(t, paths, func(i int, b []byte) error {
			table, err := columns(b)
			if err != nil {
				return err
			}
			if labels[i], err = labelsOf(table, set.warm); err != nil {
				return err
			}
			found[i], err = channels(table["timestamp"], table["value"])
			return err
		})
		of := func(c choice, half int) (hits []hit, events int) {
			for i, l := range labels {
				if i%2 != half {
					continue
				}
				h, n := hitsOf(l.at, held(c.score(found[i]), max(1, l.warm/20)), l.events, l.warm, 1000*i)
				hits, events = append(hits, h...), events+n
			}
			return hits, events
		}
		for half := range 2 {
			most, threshold, with := -1.0, 0.0, choice{}
			for _, c := range choices() {
				hits, n := of(c, half)
				if _, f1, at := ranked(hits, n); f1 > most {
					most, threshold, with = f1, at, c
				}
			}
			hits, n := of(with, 1-half)
			ap, _, _ := ranked(hits, n)
			d := detectionAt(hits, n, threshold)
			f1Seen, f1Other, apOther = f1Seen+most/4, f1Other+d.f1/4, apOther+ap/4
			fmt.Printf("halves, %s: %+v at %.3f, F1 %.3f on the half it is chosen on, %.3f on the other\n", set.name, with, threshold, most, d.f1)
		}
	}
	fmt.Printf("halves, events, mean: F1 %.3f on the half it is chosen on, %.3f on the other; AP there %.3f\n", f1Seen, f1Other, apOther)
}
