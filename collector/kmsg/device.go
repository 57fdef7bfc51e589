package kmsg

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
)

// ErrOverrun says that the kernel wrote more than its buffer holds between two
// reads, so that some records were lost.
var ErrOverrun = errors.New("the kernel log ran over: records were lost")

// maxRecords bounds what one read returns; the rest waits in the kernel's buffer.
const maxRecords = 4096

// maxRecord is more than the longest record that the kernel writes (8 KiB).
const maxRecord = 16 << 10

// A Device is a kernel log to read: /dev/kmsg, or a file of records, one on
// each line, which someone appends to. The zero value with a Path is ready.
// Records from before the first call are not read.
type Device struct {
	Path string

	open bool
	file int
	tail string // of a file: the start of a line whose end is still to come
}

// Records returns the records that were written since the last call, without
// waiting for more.
func (d *Device) Records(ctx context.Context) ([]string, error) {
	if err := d.start(); err != nil {
		return nil, err
	}
	var records []string
	var lost error
	buf := make([]byte, maxRecord)
	for len(records) < maxRecords && ctx.Err() == nil {
		n, err := syscall.Read(d.file, buf)
		switch {
		case err == syscall.EINTR:
			continue
		case err == syscall.EPIPE: // the next read gives the oldest record there is
			lost = ErrOverrun
			continue
		case err == syscall.EAGAIN || err == nil && n == 0:
			return records, lost
		case err != nil:
			d.Close()
			return records, errors.Join(lost, fmt.Errorf("read kernel log %s: %w", d.Path, err))
		}
		records = append(records, d.split(string(buf[:n]))...)
	}
	return records, lost
}

// start opens the log at its end, once. The file is not an os.File, whose Read
// would wait for the next record.
func (d *Device) start() error {
	if d.open {
		return nil
	}
	const seekEnd = 2
	f, err := syscall.Open(d.Path, syscall.O_RDONLY|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open kernel log %s: %w", d.Path, err)
	}
	if _, err := syscall.Seek(f, 0, seekEnd); err != nil {
		syscall.Close(f)
		return fmt.Errorf("open kernel log %s: go to its end: %w", d.Path, err)
	}
	d.open, d.file, d.tail = true, f, ""
	return nil
}

// split cuts what was read into records: a read of the device gives one, with
// its dictionary on indented lines; of a file, any number of lines, and the
// last perhaps not whole.
func (d *Device) split(read string) []string {
	lines := strings.Split(d.tail+read, "\n")
	d.tail = lines[len(lines)-1]
	var records []string
	for _, l := range lines[:len(lines)-1] {
		if l != "" && !strings.HasPrefix(l, " ") {
			records = append(records, l)
		}
	}
	return records
}

// Close closes the log. A later call of Records opens it again.
func (d *Device) Close() error {
	if !d.open {
		return nil
	}
	d.open = false
	return syscall.Close(d.file)
}
