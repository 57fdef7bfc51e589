package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// bootTime is when the kernel's clock was zero, which its log counts from: by
// /proc/uptime, which is exact to 10 ms, or else by /proc/stat, to a second.
func bootTime(proc string, now time.Time) (time.Time, error) {
	if text, err := os.ReadFile(filepath.Join(proc, "uptime")); err == nil {
		up, _, _ := strings.Cut(string(text), " ")
		seconds, err := strconv.ParseFloat(up, 64)
		if err != nil {
			return time.Time{}, fmt.Errorf("read when the node booted: uptime: %w", err)
		}
		return now.Add(-time.Duration(seconds * float64(time.Second))), nil
	}
	text, err := os.ReadFile(filepath.Join(proc, "stat"))
	if err != nil {
		return time.Time{}, fmt.Errorf("read when the node booted: %w", err)
	}
	for line := range strings.Lines(string(text)) {
		value, ok := strings.CutPrefix(line, "btime ")
		if !ok {
			continue
		}
		seconds, err := strconv.ParseInt(strings.TrimSpace(value), 10, 64)
		if err != nil {
			return time.Time{}, fmt.Errorf("read when the node booted: btime: %w", err)
		}
		return time.Unix(seconds, 0), nil
	}
	return time.Time{}, fmt.Errorf("read when the node booted: %s has no btime", filepath.Join(proc, "stat"))
}
