package dcgm

import (
	"bytes"
	_ "embed"
	"fmt"
	"io"
	"strconv"
	"strings"

	godcgm "github.com/NVIDIA/go-dcgm/pkg/dcgm"

	"vedette.dev/rules/catalog"
	"vedette.dev/rules/strictcsv"
)

// A kind says what a field's value becomes.
type kind string

// The kinds of fields.
const (
	gauge   kind = "gauge"
	counter kind = "counter"
	label   kind = "label"
)

// A field is one row of fields.csv.
type field struct {
	id     godcgm.Short
	name   string // DCGM's
	metric catalog.ID
	kind   kind
	hidden bool                      // read for what follows from it, and not shown
	level  godcgm.Field_Entity_Group // the smallest part of a GPU that has one of its own
}

// fieldXid holds the newest Xid; the library also keeps those before it.
const fieldXid godcgm.Short = 230

// profiling reports whether f needs the profiling module, which not every GPU
// and not every container has.
func (f field) profiling() bool { return strings.HasPrefix(f.name, "DCGM_FI_PROF_") }

// ofInstance reports whether an instance of MIG has a reading of f that is not
// its GPU's.
func (f field) ofInstance() bool {
	return f.kind != label && (f.level == godcgm.FE_GPU_I || f.level == godcgm.FE_GPU_CI)
}

//go:embed fields.csv
var builtin []byte

// builtinFields returns the fields that come with the program.
func builtinFields() []field {
	fs, err := parseFields("fields.csv", bytes.NewReader(builtin))
	if err != nil {
		panic(err) // embedded data: a test reads it too
	}
	return fs
}

const header = "field,dcgm,metric,type,source"

// parseFields reads a table in the form of fields.csv. An error names file and line.
func parseFields(file string, r io.Reader) ([]field, error) {
	var fs []field
	err := strictcsv.Each(file, r, header, func(rec []string) error {
		x, err := parseField(rec)
		fs = append(fs, x)
		return err
	})
	return fs, err
}

func parseField(rec []string) (field, error) {
	id, err := strconv.ParseUint(rec[0], 10, 16)
	if err != nil {
		return field{}, fmt.Errorf("field %q is not an id", rec[0])
	}
	f := field{id: godcgm.Short(id), name: rec[1], metric: catalog.ID(rec[2]), kind: kind(rec[3])}
	if f.kind != gauge && f.kind != counter && f.kind != label {
		return field{}, fmt.Errorf("%s: type %q is none of gauge, counter, label", f.name, f.kind)
	}
	if f.metric == "" || rec[4] == "" {
		return field{}, fmt.Errorf("%s: metric and source are required", f.name)
	}
	return f, nil
}
