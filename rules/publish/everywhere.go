package publish

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"vedette.dev/rules"
)

// A Target is somewhere else that published rules are to take effect.
type Target interface {
	// Put makes g stand there, and reads back that it does. A group without
	// rules is withdrawn. What stands already is left as it is.
	Put(ctx context.Context, g rules.Group) error

	// Standing returns what stands there under an ID; without rules where nothing does.
	Standing(ctx context.Context, id rules.ID) (rules.Group, error)
}

// Everywhere publishes to the directory, which remembers every revision, and
// from there to the targets.
type Everywhere struct {
	Dir     *Dir
	Targets map[string]Target // by the name that people know them by
}

var _ rules.Publisher = (*Everywhere)(nil)

// Publish makes g stand in the directory, then at every target. One that fails
// does not keep the others from it: the error names those that do not have it,
// and publishing g again tries them again.
func (e *Everywhere) Publish(ctx context.Context, g rules.Group) error {
	if err := e.Dir.Publish(ctx, g); err != nil {
		return err
	}
	now, err := e.Dir.Group(g.ID)
	if err != nil {
		return err
	}
	return e.put(ctx, now)
}

// Undo makes the revision before stand again, everywhere. It returns what then stands.
func (e *Everywhere) Undo(ctx context.Context, id rules.ID) (rules.Group, error) {
	g, err := e.Dir.Undo(ctx, id)
	if err != nil {
		return g, err
	}
	return g, e.put(ctx, g)
}

func (e *Everywhere) put(ctx context.Context, g rules.Group) error {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(e.Targets)) {
		if err := e.Targets[name].Put(ctx, g); err != nil {
			errs = append(errs, fmt.Errorf("rule group %s stands here and not at %s: %w", g.ID, name, err))
		}
	}
	return errors.Join(errs...)
}

// A Change is what publishing a group would do in one place.
type Change struct {
	Where string   `json:"where"` // "here", or a target's name
	Lines []string `json:"lines"` // of a difference: "+ rule", "- rule"; none where nothing changes
}

// Changes says what publishing g would change, and changes nothing.
func (e *Everywhere) Changes(ctx context.Context, g rules.Group) ([]Change, error) {
	now, err := e.Dir.Group(g.ID)
	if err != nil {
		return nil, err
	}
	out := []Change{{"here", Diff(now, g)}}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(e.Targets)) {
		now, err := e.Targets[name].Standing(ctx, g.ID)
		if err != nil {
			errs = append(errs, fmt.Errorf("read rule group %s at %s: %w", g.ID, name, err))
			continue
		}
		out = append(out, Change{name, Diff(now, g)})
	}
	return out, errors.Join(errs...)
}
