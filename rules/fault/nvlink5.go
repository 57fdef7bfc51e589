package fault

import (
	"bytes"
	_ "embed"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"

	"vedette.dev/rules/strictcsv"
)

// An NVLink5Error is what a line with an Xid of NVLink 5 reports: the same Xid
// may be a note or the end of a link, and its words say which.
type NVLink5Error struct {
	Xid     Xid
	Unit    string // of the link's logic: RLW_REMAP; where it has two names, TLW_RX/TLW_RX_PIPE0
	Subcode int    // see [Subcode]
	Status  uint32
}

// An NVLink5Fact is what NVIDIA's catalog says of one.
type NVLink5Fact struct {
	Severity string // non-fatal, link fatal or fatal
	Remedy   string
	Source   string
}

// Subcode is the part of an NVLink 5 line's first word that parts its errors: bits 20 to 25.
func Subcode(word uint32) int { return int(word >> 20 & 0x3f) }

//go:embed nvlink5.csv
var nvlink5 []byte

var nvlink5Facts = sync.OnceValue(func() map[NVLink5Error]NVLink5Fact {
	t, err := ParseNVLink5("nvlink5.csv", bytes.NewReader(nvlink5))
	if err != nil {
		panic(err) // embedded data: a test reads it too
	}
	return t
})

// NVLink5 returns what is known of e, and false where it is nothing. A line may
// give its unit one name or two, as the table may.
func NVLink5(e NVLink5Error) (NVLink5Fact, bool) {
	if f, ok := nvlink5Facts()[e]; ok {
		return f, true
	}
	for k, f := range nvlink5Facts() {
		whole, line := strings.Split(k.Unit, "/"), strings.Split(e.Unit, "/")
		if k.Xid == e.Xid && k.Subcode == e.Subcode && k.Status == e.Status && whole[0] == line[0] && (len(whole) == 1 || len(line) == 1) {
			return f, true
		}
	}
	return NVLink5Fact{}, false
}

// ParseNVLink5 reads a table in the form of nvlink5.csv. An error names file and line.
func ParseNVLink5(file string, r io.Reader) (map[NVLink5Error]NVLink5Fact, error) {
	t := map[NVLink5Error]NVLink5Fact{}
	err := strictcsv.Each(file, r, "xid,unit,subcode,status,severity,remedy,source", func(f []string) error {
		code, err1 := strconv.Atoi(f[0])
		subcode, err2 := strconv.Atoi(f[2])
		status, err3 := strconv.ParseUint(f[3], 0, 32)
		switch {
		case err1 != nil || code < 144 || code > 150:
			return fmt.Errorf("xid %q is not of NVLink 5", f[0])
		case err2 != nil || subcode < 0 || subcode > 0x3f:
			return fmt.Errorf("subcode %q is not a number of six bits", f[2])
		case err3 != nil:
			return fmt.Errorf("status %q is not a number of 32 bits", f[3])
		case f[1] == "" || f[4] == "" || f[5] == "" || f[6] == "":
			return fmt.Errorf("Xid %d: unit, severity, remedy and source are required", code)
		}
		e := NVLink5Error{Xid: Xid(code), Unit: f[1], Subcode: subcode, Status: uint32(status)}
		if _, twice := t[e]; twice {
			return fmt.Errorf("%+v is listed twice", e)
		}
		t[e] = NVLink5Fact{Severity: f[4], Remedy: f[5], Source: f[6]}
		return nil
	})
	return t, err
}
