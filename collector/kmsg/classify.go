package kmsg

import (
	"bytes"
	_ "embed"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"sync"

	"vedette.dev/rules/strictcsv"
)

// A pattern is one row of patterns.csv.
type pattern struct {
	class Class
	xid   string // the code of a line that names none
	re    *regexp.Regexp
}

// A match is what a line says.
type match struct {
	class          Class
	xid, pci, sxid string
}

//go:embed patterns.csv
var builtin []byte

var patterns = sync.OnceValue(func() []pattern {
	ps, err := parsePatterns("patterns.csv", bytes.NewReader(builtin))
	if err != nil {
		panic(err) // embedded data: a test reads it too
	}
	return ps
})

// classify reads a line.
func classify(line string) match {
	for _, p := range patterns() {
		groups := p.re.FindStringSubmatch(line)
		if groups == nil {
			continue
		}
		m := match{class: p.class, xid: p.xid}
		for i, name := range p.re.SubexpNames() {
			switch name {
			case "pci":
				m.pci = busID(groups[i])
			case "xid":
				m.xid = groups[i]
			case "sxid":
				m.sxid = groups[i]
			}
		}
		return m
	}
	return match{}
}

// busID writes a PCI address as DCGM does, 00000000:4E:00.0, whether or not it
// has the domain in full and the function, which the driver leaves out.
func busID(s string) string {
	address, function, ok := strings.Cut(strings.ToUpper(s), ".")
	if !ok {
		function = "0"
	}
	parts := strings.Split(address, ":")
	if len(parts) != 3 || len(parts[0]) > 8 {
		return ""
	}
	return strings.Repeat("0", 8-len(parts[0])) + parts[0] + ":" + parts[1] + ":" + parts[2] + "." + function
}

const header = "class,xid,pattern,source"

// parsePatterns reads a table in the form of patterns.csv. An error names file and line.
func parsePatterns(file string, r io.Reader) ([]pattern, error) {
	var ps []pattern
	err := strictcsv.Each(file, r, header, func(rec []string) error {
		x, err := parsePattern(rec)
		ps = append(ps, x)
		return err
	})
	return ps, err
}

func parsePattern(rec []string) (pattern, error) {
	p := pattern{class: Class(rec[0]), xid: rec[1]}
	if !slices.Contains([]Class{Xid, SXid, AER, OOM}, p.class) {
		return pattern{}, fmt.Errorf("class %q is none of xid, sxid, aer, oom", p.class)
	}
	var err error
	if p.re, err = regexp.Compile("(?s)" + rec[2]); err != nil {
		return pattern{}, err
	}
	for _, name := range p.re.SubexpNames() {
		if !slices.Contains([]string{"", "pci", "xid", "sxid"}, name) {
			return pattern{}, fmt.Errorf("group %q is none of pci, xid, sxid", name)
		}
	}
	if (p.class == Xid) != (p.xid != "" || p.re.SubexpIndex("xid") >= 0) {
		return pattern{}, fmt.Errorf("a pattern has an Xid if and only if its class is xid")
	}
	if rec[3] == "" {
		return pattern{}, fmt.Errorf("source is required")
	}
	return p, nil
}
