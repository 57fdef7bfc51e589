//go:build e2e

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A process is one of the two programs, running.
type process struct {
	cmd  *exec.Cmd
	out  bytes.Buffer
	done chan struct{} // closed when it has ended
	url  string        // of its page
}

// patience is how long a program may take to serve its first page, or to end.
const patience = time.Minute

// start runs a program until it serves readings.
func start(url string, env []string, name string, args ...string) (*process, error) {
	p := &process{cmd: exec.Command(name, args...), done: make(chan struct{}), url: url}
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.out
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(p.done)
		_ = p.cmd.Wait() // stop ends it
	}()
	for limit := time.Now().Add(patience); ; {
		if text, err := p.scrape(); err == nil && bytes.Contains(text, []byte("DCGM_FI_DEV_GPU_TEMP{")) {
			return p, nil
		}
		select {
		case <-p.done:
			return nil, fmt.Errorf("%s ended:\n%s", filepath.Base(name), p.out.Bytes())
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(limit) {
			p.stop()
			return nil, fmt.Errorf("%s serves no readings:\n%s", filepath.Base(name), p.out.Bytes())
		}
	}
}

// stop ends the program.
func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	select {
	case <-p.done:
	case <-time.After(patience):
		_ = p.cmd.Process.Kill()
		<-p.done
	}
}

// scrape reads the page, over the connection that is kept from the last time.
func (p *process) scrape() ([]byte, error) {
	res, err := http.Get(p.url)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = errors.New(res.Status)
	}
	return text, err
}

// cpu is the processor time that the program has used, its kernel's part included.
func (p *process) cpu() (time.Duration, error) {
	const scheduler = 2 // the kernel's clock that counts by the nanosecond: clock_getcpuclockid(3)
	var t unix.Timespec
	err := unix.ClockGettime(int32(^p.cmd.Process.Pid<<3|scheduler), &t)
	return time.Duration(t.Nano()), err
}

// A memory is what of the program is in memory, in MiB: all of it, and the part
// that is its own, without the pages of its file.
type memory struct{ resident, own float64 }

func (p *process) memory() (m memory, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	for line := range strings.Lines(string(text)) {
		key, value, _ := strings.Cut(line, ":")
		n, _ := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 64) // other lines are no numbers
		switch key {
		case "VmRSS":
			m.resident = n / 1024
		case "RssAnon":
			m.own = n / 1024
		}
	}
	return m, err
}
