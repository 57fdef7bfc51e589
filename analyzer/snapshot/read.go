package snapshot

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// headFile says when and where a snapshot was taken. Without it there is none.
const headFile = "snapshot.json"

// head is the form of snapshot.json. Unseen is what the taker could not see.
type head struct {
	APIVersion string    `json:"apiVersion"`
	Kind       string    `json:"kind"`
	CapturedAt time.Time `json:"capturedAt"`
	Window     Window    `json:"window,omitzero"`
	Cluster    Cluster   `json:"cluster"`
	Redacted   bool      `json:"redacted"`
	Source     string    `json:"source,omitempty"`
	Unseen     []string  `json:"unseen,omitempty"`
}

// list is the form of a file of objects.
type list struct {
	APIVersion string            `json:"apiVersion"`
	Kind       string            `json:"kind"`
	Items      []json.RawMessage `json:"items"`
}

// named is the part of an object that names it.
type named struct {
	Metadata struct {
		Namespace string `json:"namespace"`
		Name      string `json:"name"`
	} `json:"metadata"`
}

// revision is the form of a line of history.jsonl.
type revision struct {
	At     time.Time       `json:"ts"`
	Type   string          `json:"type"`
	Object json.RawMessage `json:"object"`
}

// edges is the form of topology.json.
type edges struct {
	Edges []Edge `json:"edges"`
}

// Read reads a snapshot: a directory, or a .tar.gz or .tar.zst of one; or what
// another program captured of a cluster, see bundle.go. Files that are not part
// of the format are ignored and those that are missing are missing facts. What
// does not parse is named with its line in Unseen and the rest is used; only a
// snapshot without a readable snapshot.json is an error.
func Read(name string) (*Snapshot, error) {
	t, err := load(name)
	if err != nil {
		return nil, fmt.Errorf("read snapshot %s: %w", name, err)
	}
	s, err := parse(t)
	if err != nil {
		return nil, fmt.Errorf("read snapshot %s: %w", name, err)
	}
	return s, nil
}

// Unpack reads what [Snapshot.Pack] wrote.
func Unpack(r io.Reader) (*Snapshot, error) {
	t := &tree{files: map[string][]byte{}}
	s, err := (*Snapshot)(nil), t.addArchive("snapshot.tar.gz", r)
	if err == nil {
		s, err = parse(t)
	}
	if err != nil {
		return nil, fmt.Errorf("unpack snapshot: %w", err)
	}
	return s, nil
}

func parse(t *tree) (*Snapshot, error) {
	data, ok := t.files[headFile]
	if !ok {
		if f := t.form(); f != nil {
			return f.convert(t)
		}
		return nil, errors.New("there is no " + headFile + " in it, and it is no kubectl cluster-info dump, support bundle or must-gather")
	}
	var h head
	if err := json.Unmarshal(data, &h); err != nil {
		return nil, fmt.Errorf("%s:%d: %w", headFile, errorLine(data, err), err)
	}
	if h.CapturedAt.IsZero() {
		return nil, errors.New(headFile + ": capturedAt is missing")
	}
	s := &Snapshot{
		CapturedAt: h.CapturedAt.UTC(),
		Window:     Window{h.Window.From.UTC(), h.Window.To.UTC()},
		Cluster:    h.Cluster, Origin: h.Source, Redacted: h.Redacted, Unseen: h.Unseen,
		Objects: map[string][]Object{}, Kernel: map[string][]Line{},
	}
	for _, name := range slices.Sorted(maps.Keys(t.files)) {
		s.parseFile(name, t.files[name])
		delete(t.files, name) // its memory may be of use for the next
	}
	s.arrange()
	return s, nil
}

// parseFile reads one file into s, or says in Unseen why not.
func (s *Snapshot) parseFile(name string, data []byte) {
	parts := strings.Split(name, "/")
	switch {
	case name == "events.jsonl":
		s.eachLine(name, data, s.addEvent)
	case name == "history.jsonl":
		s.eachLine(name, data, s.addRevision)
	case name == "metrics.om":
		s.addMetrics(name, data)
	case name == "topology.json":
		var e edges
		s.note(name, data, json.Unmarshal(data, &e))
		s.Edges = e.Edges
	case name == "alerts.json":
		var raw []json.RawMessage
		s.note(name, data, json.Unmarshal(data, &raw))
		for _, a := range raw {
			s.Alerts = append(s.Alerts, s.press.compact(a))
		}
	case parts[0] == "objects" && len(parts) == 2 && strings.HasSuffix(name, ".json"):
		s.addObjects(name, strings.TrimSuffix(parts[1], ".json"), data)
	case parts[0] == "logs" && len(parts) == 4 && strings.HasSuffix(name, ".log"):
		container := strings.TrimSuffix(parts[3], ".log")
		container, previous := strings.CutSuffix(container, ".previous")
		s.Logs = append(s.Logs, Log{parts[1], parts[2], container, previous, parseLines(name, data, 0)})
	case parts[0] == "nodes" && len(parts) == 3 && parts[2] == "kmsg.log":
		s.Kernel[parts[1]] = parseLines(name, data, 0)
	case parts[0] == "nodes" && len(parts) == 3 && strings.HasPrefix(parts[2], "journal-") && strings.HasSuffix(name, ".log"):
		unit := strings.TrimSuffix(strings.TrimPrefix(parts[2], "journal-"), ".log")
		s.Units = append(s.Units, UnitLog{parts[1], unit, parseLines(name, data, 0)})
	}
}

// note records in Unseen that name did not parse.
func (s *Snapshot) note(name string, data []byte, err error) {
	if err != nil {
		s.Unseen = append(s.Unseen, fmt.Sprintf("%s:%d: %v", name, errorLine(data, err), err))
	}
}

func (s *Snapshot) addObjects(name, resource string, data []byte) {
	items, ok := split(data)
	if !ok {
		var l list
		if err := json.Unmarshal(data, &l); err != nil {
			s.note(name, data, err)
			return
		}
		for i, raw := range l.Items {
			n, err := decode[named](raw)
			if err != nil {
				s.Unseen = append(s.Unseen, fmt.Sprintf("%s: item %d: %v", name, i+1, err))
				continue
			}
			items = append(items, item{raw: raw, named: n})
		}
	}
	all := make([]Object, 0, len(items))
	for _, x := range items {
		all = append(all, Object{s.press.compact(x.raw), SourceOf(resource, x.Metadata.Namespace, x.Metadata.Name)})
	}
	s.Objects[resource] = all
}

// AddLog adds what one container wrote, as kubectl logs --timestamps prints it.
func (s *Snapshot) AddLog(namespace, pod, container string, previous bool, text []byte) {
	s.Logs = append(s.Logs, Log{namespace, pod, container, previous, parseLines(namespace+"/"+pod+"/"+container, text, 0)})
}

// AddEvent adds an Event of the API server, as JSON.
func (s *Snapshot) AddEvent(raw []byte, source string) error { return s.addEvent(raw, source) }

func (s *Snapshot) addEvent(line []byte, source string) error {
	e, err := decode[corev1.Event](line)
	if err != nil {
		return err
	}
	s.Events = append(s.Events, Event{e, source})
	return nil
}

func (s *Snapshot) addRevision(line []byte, source string) error {
	r, err := decode[revision](line)
	if err != nil {
		return err
	}
	if len(r.Object) == 0 || r.Object[0] != '{' {
		return errors.New("there is no object in it")
	}
	s.History = append(s.History, Revision{r.At.UTC(), r.Type, s.press.compact(r.Object), source})
	return nil
}

func (s *Snapshot) addMetrics(name string, data []byte) {
	bad := 0
	s.Metrics = parseMetrics(string(data), name, func(line int, err error) {
		if bad++; bad <= maxNoted {
			s.Unseen = append(s.Unseen, fmt.Sprintf("%s:%d: %v", name, line, err))
		}
	})
	if bad > maxNoted {
		s.Unseen = append(s.Unseen, fmt.Sprintf("%s: %d more lines do not parse", name, bad-maxNoted))
	}
}

// maxNoted bounds how many bad lines of one file are named one by one.
const maxNoted = 10

// eachLine calls add for every line that is not empty.
func (s *Snapshot) eachLine(name string, data []byte, add func(line []byte, source string) error) {
	n, bad := 0, 0
	for line := range bytes.Lines(data) {
		n++
		line = bytes.TrimSpace(line)
		if len(line) == 0 {
			continue
		}
		source := fmt.Sprintf("%s:%d", name, n)
		if err := add(line, source); err != nil {
			if bad++; bad <= maxNoted {
				s.Unseen = append(s.Unseen, fmt.Sprintf("%s: %v", source, err))
			}
		}
	}
	if bad > maxNoted {
		s.Unseen = append(s.Unseen, fmt.Sprintf("%s: %d more lines do not parse", name, bad-maxNoted))
	}
}

// arrange puts what has an order into it.
func (s *Snapshot) arrange() {
	slices.SortStableFunc(s.Events, func(a, b Event) int { return a.Latest().Compare(b.Latest()) })
	slices.SortStableFunc(s.History, func(a, b Revision) int { return a.At.Compare(b.At) })
	slices.SortStableFunc(s.Logs, func(a, b Log) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Pod, b.Pod), cmp.Compare(a.Container, b.Container))
	})
}

// parseLines splits a log whose lines start with their time. So many lines of
// its file came before.
func parseLines(name string, data []byte, before int) []Line {
	whole := strings.ToValidUTF8(string(data), "\uFFFD") // the lines are parts of it
	lines := make([]Line, 0, strings.Count(whole, "\n")+1)
	for text := range strings.Lines(whole) {
		text = strings.TrimRight(text, "\r\n")
		l := Line{Text: text, Source: name + ":" + strconv.Itoa(before+len(lines)+1)}
		stamp, rest, _ := strings.Cut(text, " ")
		if at, err := time.Parse(time.RFC3339Nano, stamp); err == nil {
			l.At, l.Text = at.UTC(), rest
		}
		lines = append(lines, l)
	}
	return slices.Clip(lines)
}

// errorLine returns the line of data that a JSON error is about.
func errorLine(data []byte, err error) int {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return lineAt(data, syntax.Offset)
	case errors.As(err, &kind):
		return lineAt(data, kind.Offset)
	}
	return 1
}

// local reports whether name can be one element of a path.
func local(name string) bool {
	return name != "" && name != "." && name != ".." && path.Base(name) == name && !strings.ContainsAny(name, `/\`)
}
