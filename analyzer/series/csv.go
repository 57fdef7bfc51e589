package series

import (
	"bufio"
	"compress/gzip"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
)

// A Row is one line of a series kept as CSV.
type Row struct {
	Stamp string    // the time as it is written
	Text  string    // the value as it is written
	At    time.Time // zero where Stamp is no time
	Value float64   // NaN where Text is no number
}

// A CSV reads a series row by row: columns timestamp (or time) and value by
// name, whatever their case and place; others are ignored. Gzip is recognised.
// A row whose time or value cannot be read is a row all the same.
type CSV struct {
	buf         *bufio.Reader
	rows        *csv.Reader
	time, value int
}

// NewCSV reads the header line.
func NewCSV(r io.Reader) (*CSV, error) {
	buf := bufio.NewReaderSize(r, 1<<16)
	if magic, err := buf.Peek(2); err == nil && magic[0] == 0x1f && magic[1] == 0x8b {
		z, err := gzip.NewReader(buf)
		if err != nil {
			return nil, fmt.Errorf("unpack: %w", err)
		}
		buf = bufio.NewReaderSize(z, 1<<16)
	}
	c := &CSV{buf: buf, rows: csv.NewReader(buf), time: -1, value: -1}
	c.rows.FieldsPerRecord = -1
	c.rows.LazyQuotes = true
	c.rows.ReuseRecord = true

	header, err := c.rows.Read()
	if errors.Is(err, io.EOF) {
		return nil, errors.New("no header line: want columns timestamp and value")
	}
	if err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	for i, name := range header {
		switch strings.ToLower(strings.TrimSpace(strings.TrimPrefix(name, "\ufeff"))) {
		case "timestamp":
			c.time = i
		case "time":
			if c.time < 0 {
				c.time = i
			}
		case "value":
			c.value = i
		}
	}
	if c.time < 0 || c.value < 0 {
		return nil, fmt.Errorf("columns are %q: want timestamp (or time) and value", header)
	}
	return c, nil
}

// Next returns the next row, or io.EOF after the last.
func (c *CSV) Next() (Row, error) {
	rec, err := c.rows.Read()
	if err == io.EOF {
		return Row{}, io.EOF
	}
	if err != nil {
		return Row{}, fmt.Errorf("read: %w", err)
	}
	row := Row{Stamp: field(rec, c.time), Text: field(rec, c.value), Value: math.NaN()}
	if t, err := ParseTime(row.Stamp); err == nil {
		row.At = t
	}
	if v, err := strconv.ParseFloat(strings.TrimSpace(row.Text), 64); err == nil {
		row.Value = v
	}
	return row, nil
}

// Waiting reports whether the next row has yet to be read from the source, so
// that what was written for those before should be flushed.
func (c *CSV) Waiting() bool { return c.buf.Buffered() == 0 }

func field(rec []string, i int) string {
	if i >= len(rec) {
		return ""
	}
	return rec[i]
}
