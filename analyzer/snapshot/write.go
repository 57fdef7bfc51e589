package snapshot

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// Write writes s below dir, which is made. Reading it again gives an equal
// snapshot, but for the sources, which are then those of the files.
func (s *Snapshot) Write(dir string) error {
	err := s.files(func(name string, data []byte) error {
		full := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			return err
		}
		return os.WriteFile(full, data, 0o644)
	})
	if err != nil {
		return fmt.Errorf("write snapshot %s: %w", dir, err)
	}
	return nil
}

// Pack writes s as a .tar.gz of what [Snapshot.Write] would write. The same
// snapshot gives the same bytes.
func (s *Snapshot) Pack(w io.Writer) error {
	zipped := gzip.NewWriter(w)
	packed := tar.NewWriter(zipped)
	err := s.files(func(name string, data []byte) error {
		h := &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(data)), ModTime: s.CapturedAt}
		if err := packed.WriteHeader(h); err != nil {
			return err
		}
		_, err := packed.Write(data)
		return err
	})
	if err := errors.Join(err, packed.Close(), zipped.Close()); err != nil {
		return fmt.Errorf("pack snapshot: %w", err)
	}
	return nil
}

// files gives the name and content of each file of s to put.
func (s *Snapshot) files(put func(name string, data []byte) error) error {
	w := writer{put: put}
	w.json(headFile, head{"vedette.dev/v1", "Snapshot", s.CapturedAt, s.Window, s.Cluster, s.Redacted, s.Origin, s.Unseen})
	for _, resource := range slices.Sorted(maps.Keys(s.Objects)) {
		l := list{APIVersion: "v1", Kind: "List", Items: []json.RawMessage{}}
		for _, o := range s.Objects[resource] {
			l.Items = append(l.Items, o.Raw)
		}
		w.json("objects/"+resource+".json", l, resource)
	}
	w.history(s.History)
	w.events(s.Events)
	for _, l := range s.Logs {
		name := l.Container
		if l.Previous {
			name += ".previous"
		}
		w.lines(fmt.Sprintf("logs/%s/%s/%s.log", l.Namespace, l.Pod, name), l.Lines, l.Namespace, l.Pod, name)
	}
	for _, node := range slices.Sorted(maps.Keys(s.Kernel)) {
		w.lines("nodes/"+node+"/kmsg.log", s.Kernel[node], node)
	}
	for _, u := range s.Units {
		w.lines("nodes/"+u.Node+"/journal-"+u.Unit+".log", u.Lines, u.Node, u.Unit)
	}
	if s.Metrics != nil {
		var b bytes.Buffer
		w.keep(writeMetrics(&b, s.Metrics))
		w.file("metrics.om", b.Bytes())
	}
	if s.Edges != nil {
		w.json("topology.json", edges{s.Edges})
	}
	if s.Alerts != nil {
		w.json("alerts.json", s.Alerts)
	}
	return w.err
}

// A writer writes files and keeps the first error.
type writer struct {
	put func(name string, data []byte) error
	err error
}

func (w *writer) keep(err error) {
	if w.err == nil {
		w.err = err
	}
}

// file writes one file. The elements are the parts of name that came from the
// cluster; one that is not a plain name is refused.
func (w *writer) file(name string, data []byte, elements ...string) {
	for _, e := range elements {
		if !local(e) {
			w.keep(fmt.Errorf("%q cannot be part of a file's name", e))
		}
	}
	if w.err != nil {
		return
	}
	w.keep(w.put(name, data))
}

func (w *writer) json(name string, v any, elements ...string) {
	var b bytes.Buffer
	enc := encoder(&b)
	enc.SetIndent("", " ")
	w.keep(enc.Encode(v))
	w.file(name, b.Bytes(), elements...)
}

// encoder leaves <, > and & as they are, as the API server does.
func encoder(b *bytes.Buffer) *json.Encoder {
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	return enc
}

func (w *writer) history(all []Revision) {
	if all == nil {
		return
	}
	var b bytes.Buffer
	enc := encoder(&b)
	for _, r := range all {
		w.keep(enc.Encode(revision{r.At, r.Type, r.Raw}))
	}
	w.file("history.jsonl", b.Bytes())
}

func (w *writer) events(all []Event) {
	if all == nil {
		return
	}
	var b bytes.Buffer
	enc := encoder(&b)
	for _, e := range all {
		w.keep(enc.Encode(e.Event))
	}
	w.file("events.jsonl", b.Bytes())
}

func (w *writer) lines(name string, all []Line, elements ...string) {
	var b bytes.Buffer
	for _, l := range all {
		if !l.At.IsZero() {
			b.WriteString(l.At.UTC().Format(time.RFC3339Nano) + " ")
		}
		b.WriteString(l.Text + "\n")
	}
	w.file(name, b.Bytes(), elements...)
}
