package snapshot

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// parseMetrics reads OpenMetrics text whose samples carry times in seconds.
// Series come in the order of their selectors, samples in time order. A line
// that does not parse is told to bad with its number and left out.
//
// It is our own reader because the maintained ones either take the older text
// format, whose times are whole milliseconds, or bring the TSDB with them.
func parseMetrics(text, source string, bad func(line int, err error)) []Series {
	by := map[string]*Series{}      // by selector as we write it
	written := map[string]*Series{} // by selector as it stood in the text: most lines are another sample of a series that was seen
	n := 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		as := selectorIn(line)
		s := written[as]
		rest := line[len(as):]
		if s == nil {
			labels, after, err := parseSelector(line)
			if err != nil {
				bad(n, err)
				continue
			}
			as, rest = line[:len(line)-len(after)], after
			key := Selector(labels)
			if s = by[key]; s == nil {
				s = &Series{Labels: labels, Source: source + "#" + key}
				by[key] = s
			}
			written[as] = s
		}
		p, err := parseSample(rest)
		if err != nil {
			bad(n, err)
			continue
		}
		s.Samples = append(s.Samples, p)
	}
	all := make([]Series, 0, len(by))
	for _, key := range slices.Sorted(maps.Keys(by)) {
		s := by[key]
		if len(s.Samples) == 0 {
			continue // no line of it parsed to the end
		}
		slices.SortStableFunc(s.Samples, func(a, b Sample) int { return a.At.Compare(b.At) })
		all = append(all, *s)
	}
	return all
}

// selectorIn guesses where the selector of a line ends. A wrong guess is the
// selector of no series.
func selectorIn(line string) string {
	if i := strings.LastIndexByte(line, '}'); i >= 0 {
		return line[:i+1]
	}
	return line[:max(0, strings.IndexAny(line, " \t"))]
}

// parseSample reads what follows the selector: value [seconds] [# exemplar].
func parseSample(rest string) (Sample, error) {
	rest, _, _ = strings.Cut(rest, " # ")
	value, rest := field(rest)
	stamp, rest := field(rest)
	if more := len(strings.Fields(rest)); value == "" || more > 0 {
		have := more
		for _, f := range []string{value, stamp} {
			if f != "" {
				have++
			}
		}
		return Sample{}, fmt.Errorf("%d fields after the labels, want a value and a time", have)
	}
	v, err := strconv.ParseFloat(value, 64)
	if err != nil {
		return Sample{}, fmt.Errorf("value %q is not a number", value)
	}
	p := Sample{Value: v}
	if stamp == "" {
		return p, nil
	}
	secs, err := strconv.ParseFloat(stamp, 64)
	if err != nil || math.Abs(secs) > maxSeconds || math.IsNaN(secs) {
		return Sample{}, fmt.Errorf("time %q is not seconds since 1970", stamp)
	}
	p.At = time.UnixMilli(int64(math.Round(secs * 1000))).UTC()
	return p, nil
}

// field cuts the first field off s.
func field(s string) (first, rest string) {
	s = strings.TrimLeft(s, " \t")
	if i := strings.IndexAny(s, " \t"); i >= 0 {
		return s[:i], s[i:]
	}
	return s, ""
}

// maxSeconds is the year 9999: what RFC 3339 can write.
const maxSeconds = 253402300799

// parseSelector reads name{a="b",…} and returns what follows it.
func parseSelector(line string) (map[string]string, string, error) {
	end := strings.IndexAny(line, "{ \t")
	if end < 0 {
		return nil, "", errors.New("no value")
	}
	name := line[:end]
	if !validName(name) {
		return nil, "", fmt.Errorf("%q is not a metric's name", name)
	}
	labels := map[string]string{"__name__": name}
	rest := line[end:]
	if rest[0] != '{' {
		return labels, rest, nil
	}
	rest = strings.TrimLeft(rest[1:], " ")
	for {
		if rest, ok := strings.CutPrefix(rest, "}"); ok {
			return labels, rest, nil
		}
		key, after, ok := strings.Cut(rest, `="`)
		if key = strings.TrimSpace(key); !ok || !validName(key) {
			return nil, "", fmt.Errorf("labels of %s: want name=\"value\"", name)
		}
		if _, twice := labels[key]; twice {
			return nil, "", fmt.Errorf("labels of %s: %s is given twice", name, key)
		}
		value, after, ok := unquote(after)
		if !ok {
			return nil, "", fmt.Errorf("labels of %s: the value of %s does not end", name, key)
		}
		if value != "" {
			labels[key] = value // an empty label is no label
		}
		after = strings.TrimLeft(after, " ")
		if next, ok := strings.CutPrefix(after, ","); ok {
			after = strings.TrimLeft(next, " ")
		} else if !strings.HasPrefix(after, "}") {
			return nil, "", fmt.Errorf("labels of %s: want , or } after %s", name, key)
		}
		rest = after
	}
}

// unquote reads up to the closing quote and returns what follows it.
func unquote(s string) (value, rest string, ok bool) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			return b.String(), s[i+1:], true
		case c == '\\' && i+1 < len(s):
			i++
			if s[i] == 'n' {
				b.WriteByte('\n')
			} else {
				b.WriteByte(s[i])
			}
		default:
			b.WriteByte(c)
		}
	}
	return "", "", false
}

func validName(s string) bool {
	for i, c := range s {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c == ':'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}

// writeMetrics writes what [parseMetrics] reads.
func writeMetrics(w io.Writer, all []Series) error {
	sorted := slices.SortedFunc(slices.Values(all), func(a, b Series) int {
		return cmp.Compare(Selector(a.Labels), Selector(b.Labels))
	})
	bw := bufio.NewWriter(w)
	for _, s := range sorted {
		sel := Selector(s.Labels)
		for _, p := range s.Samples {
			bw.WriteString(sel + " " + strconv.FormatFloat(p.Value, 'g', -1, 64))
			if !p.At.IsZero() {
				bw.WriteString(" " + strconv.FormatFloat(float64(p.At.UnixMilli())/1000, 'f', -1, 64))
			}
			bw.WriteByte('\n')
		}
	}
	bw.WriteString("# EOF\n")
	return bw.Flush()
}
