package kmsg

import (
	"bytes"
	_ "embed"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"vedette.dev/rules/fault"
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
	nameless       bool    // the line does not name its Xid
	link           *nvlink // of an Xid of NVLink 5
}

// An nvlink is what an Xid of NVLink 5 says besides its number.
type nvlink struct {
	link, unit, severity string
	subcode              int
	remedy               string // NVIDIA's, or "" where the catalog has none for it
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
		m := match{class: p.class, xid: p.xid, nameless: p.xid != ""}
		said := map[string]string{}
		for i, name := range p.re.SubexpNames() {
			said[name] = groups[i]
		}
		m.pci, m.sxid = busID(said["pci"]), said["sxid"]
		if said["xid"] != "" {
			m.xid = said["xid"]
		}
		if said["unit"] != "" {
			m.link = linkOf(m.xid, said)
		}
		return m
	}
	return match{}
}

// linkOf decodes the words of an NVLink 5 line: its first has the subcode, its
// second the status.
func linkOf(xid string, said map[string]string) *nvlink {
	code, _ := strconv.Atoi(xid) // the pattern takes digits only, and so below
	word, _ := strconv.ParseUint(said["word"], 0, 32)
	status, _ := strconv.ParseUint(said["status"], 0, 32)
	l := &nvlink{link: said["link"], unit: said["unit"], severity: strings.Replace(strings.ToLower(said["severity"]), "nonfatal", "non-fatal", 1), // as the table has it
		subcode: fault.Subcode(uint32(word))}
	if f, ok := fault.NVLink5(fault.NVLink5Error{Xid: fault.Xid(code), Unit: l.unit, Subcode: l.subcode, Status: uint32(status)}); ok {
		l.severity, l.remedy = f.Severity, f.Remedy
	}
	return l
}

// groupNames are the parts of a line that a pattern may pick out.
var groupNames = []string{"", "pci", "xid", "sxid", "unit", "severity", "link", "word", "status"}

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
	if !slices.Contains([]Class{Xid, SXid, AER, OOM, Mismatch}, p.class) {
		return pattern{}, fmt.Errorf("class %q is none of xid, sxid, aer, oom, mismatch", p.class)
	}
	var err error
	if p.re, err = regexp.Compile("(?s)" + rec[2]); err != nil {
		return pattern{}, err
	}
	for _, name := range p.re.SubexpNames() {
		if !slices.Contains(groupNames, name) {
			return pattern{}, fmt.Errorf("group %q is none of %s", name, strings.Join(groupNames[1:], ", "))
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
