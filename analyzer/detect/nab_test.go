package detect

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"testing"
)

// The Numenta Anomaly Benchmark's score, v1.1: one threshold for the whole
// corpus, the one that pays best; the earliest detection in a window counts,
// the earlier the more; each detection elsewhere costs, the farther from the
// window before it the more.

// A nabProfile weighs windows missed and false detections against windows found.
type nabProfile struct {
	name           string
	miss, mistaken float64
}

var nabProfiles = []nabProfile{{"standard", 1, 0.11}, {"low FP", 1, 0.22}, {"low FN", 2, 0.11}}

// nabFile is one series of the corpus: when its rows are, by their text, and
// which stretches of them hold something unusual.
type nabFile struct {
	name    string
	stamps  []string
	windows [][2]string
}

// nabRow is what a detection at one row is worth.
type nabRow struct {
	score  float64
	window int // of the whole corpus, or -1
	worth  float64
}

// nabResult is what a detector is given under one profile.
type nabResult struct {
	score, threshold float64
	found, mistaken  int
}

// nabSigmoid falls from 1 through 0 at x = 0, where a window ends, to -1.
func nabSigmoid(x float64) float64 {
	if x > 3 {
		return -1
	}
	return 2/(1+math.Exp(5*x)) - 1
}

// nabRows values the rows of f after its probation. first is the number of its
// first window in the corpus.
func nabRows(f nabFile, scores []float64, first int) []nabRow {
	at := map[string]int{}
	for i, s := range f.stamps {
		if _, ok := at[s]; !ok {
			at[s] = i // of rows with one stamp, the first is meant
		}
	}
	probation := min(len(f.stamps)*15/100, 750)
	var rows []nabRow
	window, begin, end := -1, 0, 0 // the newest that has begun
	next := 0
	for i, stamp := range f.stamps {
		if next < len(f.windows) && stamp == f.windows[next][0] {
			window, begin, end = first+next, at[f.windows[next][0]], at[f.windows[next][1]]
			next++
		}
		row := nabRow{scores[i], -1, -1}
		width := float64(end - begin + 1)
		switch {
		case window >= 0 && i <= end:
			row.window = window
			row.worth = nabSigmoid(-float64(end-i+1)/width) / nabSigmoid(-1)
		case window >= 0:
			row.worth = nabSigmoid(float64(i-end) / (width - 1))
		}
		if i >= probation {
			rows = append(rows, row)
		}
	}
	return rows
}

// nabScore scores a detector under p. Only windows that some row after the
// probation is in can be found, or missed.
func nabScore(rows []nabRow, p nabProfile) nabResult {
	rows = slices.Clone(rows)
	slices.SortStableFunc(rows, func(a, b nabRow) int { return cmp.Compare(b.score, a.score) })
	all := map[int]bool{}
	for _, r := range rows {
		if r.window >= 0 {
			all[r.window] = true
		}
	}
	windows := float64(len(all))
	best := nabResult{threshold: math.Inf(1)}
	raw := func(found map[int]float64, gain, loss float64) float64 {
		return gain - p.miss*(windows-float64(len(found))) + p.mistaken*loss
	}
	found := map[int]float64{}
	gain, loss, mistaken := 0.0, 0.0, 0
	most := raw(found, 0, 0)
	null := most
	for i, r := range rows {
		if r.window < 0 {
			loss += r.worth
			mistaken++
		} else if was, ok := found[r.window]; !ok || r.worth > was {
			found[r.window] = r.worth
			gain += r.worth - was
		}
		if i+1 < len(rows) && rows[i+1].score == r.score {
			continue
		}
		if v := raw(found, gain, loss); v > most {
			most = v
			best = nabResult{threshold: r.score, found: len(found), mistaken: mistaken}
		}
	}
	best.score = 100 * (most - null) / (windows - null)
	return best
}

// nabAll scores a detector under each profile, given its scores of each file.
func nabAll(files []nabFile, scores [][]float64) []nabResult {
	var rows []nabRow
	windows := 0
	for i, f := range files {
		rows = append(rows, nabRows(f, scores[i], windows)...)
		windows += len(f.windows)
	}
	var out []nabResult
	for _, p := range nabProfiles {
		out = append(out, nabScore(rows, p))
	}
	return out
}

func TestNABScoreOfAMadeUpFile(t *testing.T) {
	f := nabFile{name: "f", windows: [][2]string{{"50", "59"}}}
	for i := range 100 {
		f.stamps = append(f.stamps, fmt.Sprint(i))
	}
	for _, tt := range []struct {
		name string
		at   []int
		want float64
	}{
		{"nothing", nil, 0},
		{"at once", []int{50}, 100},
		{"in the probation only", []int{3}, 0},
		{"at once, again, and once before", []int{20, 50, 55}, 100 * (2 - 0.11) / 2},
		// The window's last row: x = -1/10.
		{"at the last moment", []int{59}, 100 * (1 + (2/(1+math.Exp(-0.5))-1)/(2/(1+math.Exp(-5))-1)) / 2},
	} {
		scores := make([]float64, 100)
		for _, i := range tt.at {
			scores[i] = 0.5
		}
		got := nabScore(nabRows(f, scores, 0), nabProfiles[0])
		if math.Abs(got.score-tt.want) > 1e-9 {
			t.Errorf("%s: %.4f, want %.4f", tt.name, got.score, tt.want)
		}
	}
}
