package fault

import (
	"encoding/csv"
	"fmt"
	"io"
	"slices"
	"strings"
)

// eachRow calls do with the fields of every row below the header. Lines that
// start with # are ignored.
func eachRow(file string, r io.Reader, header []string, do func(fields []string) error) error {
	cr := csv.NewReader(r)
	cr.Comment = '#'
	cr.FieldsPerRecord = len(header)
	got, err := cr.Read()
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	if !slices.Equal(got, header) {
		return fmt.Errorf("%s:1: columns are %v, want %v", file, got, header)
	}
	for {
		rec, err := cr.Read()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		if err := do(rec); err != nil {
			line, _ := cr.FieldPos(0)
			return fmt.Errorf("%s:%d: %w", file, line, err)
		}
	}
}

// sentences splits a field at "|".
func sentences(field string) []string {
	if field == "" {
		return nil
	}
	return strings.Split(field, "|")
}
