package detect

import (
	"bufio"
	"fmt"
	"io"
	"strconv"

	"vedette.dev/analyzer"
	"vedette.dev/analyzer/series"
)

// DefaultRate is how many alerts a day a thousand series may raise by chance.
const DefaultRate = 1

// CSV scores the series that r holds (columns timestamp or time, and value) as
// a stream would see it, and writes one row for each row as it is read:
//
//	timestamp,value,score,spike,regime,alert
//
// Time and value are echoed as they came. A late, repeated, missing or
// unreadable sample scores 0, as do the warm-up and what is no news: after an
// incident only something larger is told, for a while. alert is 1 where an alert
// begins, by the series' own past at rate alerts per 1,000 series per day,
// whatever the score; a rate of 0 is [DefaultRate].
func CSV(r io.Reader, w io.Writer, rate float64) error {
	if rate == 0 {
		rate = DefaultRate
	}
	if !(rate > 0) {
		return fmt.Errorf("rate is %g alerts per 1,000 series per day, want more than 0", rate)
	}
	in, err := series.NewCSV(r)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(w)
	out.WriteString("timestamp,value,score,spike,regime,alert\n")

	var state LevelState
	var alarm alarm
	spike, regime := incidents()
	var line []byte
	for {
		row, err := in.Next()
		if err == io.EOF {
			return out.Flush()
		}
		if err != nil {
			out.Flush()
			return err
		}
		var score analyzer.Score
		var d distances
		alert := false
		if before := state.seen; !row.At.IsZero() {
			score = state.observe(row.At.UnixMilli(), row.Value, &d)
			if state.seen > before {
				score.Spike = spike.tells(score.Spike, int(before))
				score.Regime = regime.tells(score.Regime, int(before))
				alert = alarm.sounds(&d, rate, Level{}.Step(&state))
			}
		}
		line = appendRow(line[:0], row, score, alert)
		out.Write(line) // an error stays with out, and Flush returns it
		if in.Waiting() {
			if err := out.Flush(); err != nil {
				return fmt.Errorf("write: %w", err)
			}
		}
	}
}

func appendRow(b []byte, row series.Row, s analyzer.Score, alert bool) []byte {
	b = append(appendField(b, row.Stamp), ',')
	b = append(appendField(b, row.Text), ',')
	b = append(appendScore(b, s.Max()), ',')
	b = append(appendScore(b, s.Spike), ',')
	b = append(appendScore(b, s.Regime), ',')
	if alert {
		return append(b, '1', '\n')
	}
	return append(b, '0', '\n')
}

func appendScore(b []byte, v float64) []byte {
	if v == 0 {
		return append(b, '0')
	}
	return strconv.AppendFloat(b, v, 'f', 6, 64)
}

// appendField quotes what CSV needs quoted.
func appendField(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c != ',' && c != '"' && c != '\n' && c != '\r' {
			continue
		}
		b = append(b, '"')
		for j := range len(s) {
			if s[j] == '"' {
				b = append(b, '"')
			}
			b = append(b, s[j])
		}
		return append(b, '"')
	}
	return append(b, s...)
}
