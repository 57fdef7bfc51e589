// Package strictcsv reads the tables that knowledge is kept in: CSV with a
// header that must be the one expected, lines starting with # ignored, lists
// within a field separated by "|". Whatever is wrong names the file and the line.
package strictcsv

import (
	"encoding/csv"
	"fmt"
	"io"
	"strings"
)

// Each calls do with the fields of every row below the header. header is its
// columns as they are written, between commas.
func Each(file string, r io.Reader, header string, do func(fields []string) error) error {
	cr := csv.NewReader(r)
	cr.Comment = '#'
	got, err := cr.Read()
	if err == io.EOF {
		return fmt.Errorf("%s: is empty, want the columns %s", file, header)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	if columns := strings.Join(got, ","); columns != header {
		line, _ := cr.FieldPos(0)
		return fmt.Errorf("%s:%d: columns are %s, want %s", file, line, columns, header)
	}
	for {
		rec, err := cr.Read() // of as many fields as the header
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

// List splits a field at "|". An empty field is no list.
func List(field string) []string {
	if field == "" {
		return nil
	}
	return strings.Split(field, "|")
}
