// Package publish makes rule groups take effect. [Dir] is a directory of
// Prometheus rule files that a rules manager reads; it keeps every revision of
// every group, so that whatever was published can be undone, and beside each
// file of rules the promtool test that it passes.
//
// What a reader would get wrong: undoing is publishing. It makes a new
// revision with the rules of the one before, and nothing is ever rewritten.
package publish

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"vedette.dev/rules"
	"vedette.dev/rules/proof"
)

// Dir publishes to a directory: <id>.yaml is what Prometheus reads,
// tests/<id>.yaml its test for promtool, where one was found (a folder of their
// own: Prometheus is told to read *.yaml), and revisions/<id>/<n>.yaml what was
// ever published.
type Dir struct {
	Path   string
	Reload func() error // makes the reader take the files up; may be nil

	mu sync.Mutex // one change at a time
}

var _ rules.Publisher = (*Dir)(nil)

// ErrNothingToUndo reports a group that was never published or is withdrawn already.
var ErrNothingToUndo = errors.New("nothing to undo")

var validID = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,99}$`)

// Publish makes g the current revision of its group; g.Revision is ignored.
// A group that already stands as g is left as it is. Where the reader refuses
// the file, what stood before stands again and the error says why.
func (d *Dir) Publish(ctx context.Context, g rules.Group) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !validID.MatchString(string(g.ID)) {
		return fmt.Errorf("publish rules %q: an id is lower-case letters, digits and dashes", g.ID)
	}
	last, err := d.latest(g.ID)
	if err != nil {
		return err
	}
	g.Revision = 0
	if last != nil {
		g.Revision = last.Revision
		if reflect.DeepEqual(*last, g) {
			return nil
		}
	}
	g.Revision++
	return d.put(g, last)
}

// Undo publishes the revision before the current one again; where there is
// none, or the one before was empty, the group is withdrawn. It returns what
// then stands.
func (d *Dir) Undo(ctx context.Context, id rules.ID) (rules.Group, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	last, err := d.latest(id)
	if err != nil {
		return rules.Group{}, err
	}
	if last == nil || len(last.Rules) == 0 {
		return rules.Group{}, fmt.Errorf("undo rules %q: %w", id, ErrNothingToUndo)
	}
	g := rules.Group{ID: id, Owner: last.Owner}
	if last.Revision > 1 {
		if g, err = d.revision(id, last.Revision-1); err != nil {
			return rules.Group{}, err
		}
	}
	g.Revision = last.Revision + 1
	return g, d.put(g, last)
}

// put writes the revision, then the file, then has it read.
func (d *Dir) put(g rules.Group, before *rules.Group) error {
	doc, err := Encode(g)
	if err != nil {
		return fmt.Errorf("publish rules %q: %w", g.ID, err)
	}
	if err := d.write(g); err != nil {
		return fmt.Errorf("publish rules %q: %w", g.ID, err)
	}
	if err := d.reload(); err != nil {
		err = fmt.Errorf("publish rules %q: reload: %w", g.ID, err)
		restore := rules.Group{ID: g.ID}
		if before != nil {
			restore = *before
		}
		return errors.Join(err, d.write(restore), d.reload())
	}
	if err := WriteFile(d.revisionPath(g.ID, g.Revision), doc); err != nil {
		return fmt.Errorf("publish rules %q: keep revision %d: %w", g.ID, g.Revision, err)
	}
	return nil
}

// write makes <id>.yaml say what g says, and the test beside it. A group
// without rules has neither.
func (d *Dir) write(g rules.Group) error {
	if len(g.Rules) == 0 {
		return errors.Join(remove(d.file(g.ID)), remove(d.testFile(g.ID)))
	}
	data, err := YAML(g)
	if err != nil {
		return err
	}
	// What cannot be tested can be published: the check says so beforehand.
	test, _ := proof.Test(g, "../"+string(g.ID)+".yaml")
	if test == nil {
		err = remove(d.testFile(g.ID))
	} else {
		err = WriteFile(d.testFile(g.ID), test)
	}
	return errors.Join(err, WriteFile(d.file(g.ID), data))
}

func remove(path string) error {
	if err := os.Remove(path); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

func (d *Dir) reload() error {
	if d.Reload == nil {
		return nil
	}
	return d.Reload()
}

// Files returns the rule files that stand, by name.
func (d *Dir) Files() ([]string, error) {
	files, err := filepath.Glob(filepath.Join(d.Path, "*.yaml"))
	if err != nil {
		return nil, fmt.Errorf("list rules: %w", err)
	}
	return files, nil
}

// Groups returns the groups that stand, by ID.
func (d *Dir) Groups() ([]rules.Group, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	dirs, err := os.ReadDir(filepath.Join(d.Path, "revisions"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("list rules: %w", err)
	}
	var gs []rules.Group
	for _, e := range dirs {
		g, err := d.latest(rules.ID(e.Name()))
		if err != nil {
			return nil, err
		}
		if g != nil && len(g.Rules) > 0 {
			gs = append(gs, *g)
		}
	}
	return gs, nil
}

// Group returns what stands under an ID; without rules where nothing does.
func (d *Dir) Group(id rules.ID) (rules.Group, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	g, err := d.latest(id)
	if g == nil {
		return rules.Group{ID: id}, err
	}
	return *g, err
}

// latest returns the newest revision of a group, or nil.
func (d *Dir) latest(id rules.ID) (*rules.Group, error) {
	entries, err := os.ReadDir(filepath.Dir(d.revisionPath(id, 0)))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read revisions of rules %q: %w", id, err)
	}
	var ns []int
	for _, e := range entries {
		if n, err := strconv.Atoi(strings.TrimSuffix(e.Name(), ".yaml")); err == nil {
			ns = append(ns, n)
		}
	}
	if len(ns) == 0 {
		return nil, nil
	}
	g, err := d.revision(id, slices.Max(ns))
	return &g, err
}

func (d *Dir) revision(id rules.ID, n int) (rules.Group, error) {
	path := d.revisionPath(id, n)
	data, err := os.ReadFile(path)
	if err != nil {
		return rules.Group{}, fmt.Errorf("read revision %d of rules %q: %w", n, id, err)
	}
	g, err := Decode(data)
	if err != nil {
		return rules.Group{}, fmt.Errorf("%s: %w", path, err)
	}
	return g, nil
}

func (d *Dir) file(id rules.ID) string { return filepath.Join(d.Path, string(id)+".yaml") }

func (d *Dir) testFile(id rules.ID) string {
	return filepath.Join(d.Path, "tests", string(id)+".yaml")
}

func (d *Dir) revisionPath(id rules.ID, n int) string {
	return filepath.Join(d.Path, "revisions", string(id), fmt.Sprintf("%04d.yaml", n))
}

// WriteFile replaces path in one step, so that a reader sees the old file or the new.
func WriteFile(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name()) // does nothing after the rename
	_, err = tmp.Write(data)
	if err = errors.Join(err, tmp.Chmod(0o644), tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}
