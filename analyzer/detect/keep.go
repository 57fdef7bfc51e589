package detect

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
)

// stateFile is the one file of a saved bank: the index, a line of JSON, and
// then the slabs. One file, so that the two cannot be of different moments.
const stateFile = "detect.state"

// indexVersion grows when the meaning of the index or of a state changes.
const indexVersion = 3

// index says whose states the slab holds.
type index struct {
	Version int     `json:"vedetteDetectIndex"`
	Series  []entry `json:"series"`
	Wholes  []whose `json:"wholes,omitempty"` // whose states a second slab holds, after the first
}

// A whose says of which subject, model and metrics a state is.
type whose struct {
	Print   uint64   `json:"print,string"` // of what it is of, as the bank keyed it
	Metrics []string `json:"metrics"`
}

type entry struct {
	ID     uint32            `json:"id"`
	Print  uint64            `json:"print,string"` // of the labels as the bank keyed them
	Labels map[string]string `json:"labels"`
	Line   *line             `json:"line,omitempty"` // of what explains it
}

// Save writes the bank's state to a file in dir, which must exist, in place of
// the one that was there.
func (b *Bank) Save(dir string) error {
	path := filepath.Join(dir, stateFile)
	f, err := os.CreateTemp(dir, stateFile+".*")
	if err != nil {
		return fmt.Errorf("save detectors: %w", err)
	}
	defer os.Remove(f.Name()) // after the rename there is none
	w := bufio.NewWriterSize(f, 1<<20)
	if err := errors.Join(b.write(w), w.Flush(), f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("save detectors to %s: %w", path, err)
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return fmt.Errorf("save detectors: %w", err)
	}
	return nil
}

// write copies the states under the lock, a page at a time so that samples wait
// for no more than that, and writes the copy outside it. What is copied in
// between is a little newer, which no series minds: each is judged by itself,
// and peers by what each of them remembers.
func (b *Bank) write(w io.Writer) error {
	ix := index{Version: indexVersion}
	copied, wholes := NewSlab[memory]("bank"), NewSlab[wholeState](wholeStates)
	for from, more := 0, true; more; from += page {
		more = b.copyPage(&ix, copied, from)
	}
	for from, more := 0, true; more; from += page {
		more = b.copyWholes(&ix, wholes, from)
	}
	if err := json.NewEncoder(w).Encode(ix); err != nil {
		return err
	}
	if err := copied.Save(w); err != nil || len(ix.Wholes) == 0 {
		return err
	}
	return wholes.Save(w)
}

// copyWholes does what copyPage does with the states of wholes.
func (b *Bank) copyWholes(ix *index, copied *Slab[wholeState], from int) (more bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	to := min(from+page, len(b.wholes))
	for _, in := range b.wholes[min(from, to):to] {
		if in != nil {
			*copied.At(uint32(len(ix.Wholes))) = *b.wholeStates.At(in.id)
			ix.Wholes = append(ix.Wholes, whose{fingerprint(in.key), in.model.names()})
		}
	}
	return to < len(b.wholes)
}

// copyPage adds the states of the series numbered from on, and reports whether
// there are more. A series whose number is given to another meanwhile may be there
// twice: the later one counts.
func (b *Bank) copyPage(ix *index, copied *Slab[memory], from int) (more bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	to := min(from+page, len(b.members))
	for id := from; id < to; id++ {
		m := b.members[id]
		if m == nil {
			continue
		}
		n := uint32(len(ix.Series))
		e := entry{ID: n, Print: fingerprint(m.key), Labels: m.labels}
		if m.left != nil {
			now := m.left.line
			e.Line = &now
		}
		ix.Series = append(ix.Series, e)
		*copied.At(n) = *b.states.At(uint32(id))
	}
	return to < len(b.members)
}

// Restore puts the bank where Save left it, by the labels of the series: refs
// are learnt anew. A series that is no longer watched is left out. No file is
// no error. After an error the bank is empty and works.
func (b *Bank) Restore(dir string) error {
	path := filepath.Join(dir, stateFile)
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("restore detectors: %w", err)
	}
	defer f.Close()
	ix, states, wholes, err := readState(bufio.NewReaderSize(f, 1<<20))

	b.mu.Lock()
	defer b.mu.Unlock()
	b.empty()
	if err == nil {
		err = b.fill(ix, states)
	}
	if err == nil {
		err = b.fillWholes(ix, wholes)
	}
	if err != nil {
		b.empty()
		return fmt.Errorf("restore detectors from %s: %w", path, err)
	}
	return nil
}

func readState(r *bufio.Reader) (ix index, _ *Slab[memory], _ *Slab[wholeState], err error) {
	line, err := r.ReadBytes('\n')
	if err != nil {
		return ix, nil, nil, errors.New("its index is cut off")
	}
	if err := json.Unmarshal(line, &ix); err != nil {
		return ix, nil, nil, fmt.Errorf("index: %w", err)
	}
	if ix.Version != indexVersion {
		return ix, nil, nil, fmt.Errorf("its index is of version %d, want %d", ix.Version, indexVersion)
	}
	states, wholes := NewSlab[memory]("bank"), NewSlab[wholeState](wholeStates)
	if err := states.Restore(r); err != nil || len(ix.Wholes) == 0 {
		return ix, states, wholes, err
	}
	return ix, states, wholes, wholes.Restore(r)
}

func (b *Bank) fill(ix index, states *Slab[memory]) error {
	for _, e := range ix.Series {
		if int(e.ID) >= states.Len() {
			return fmt.Errorf("series %d has no state", e.ID)
		}
		key := keyOf(e.Labels)
		if fingerprint(key) != e.Print {
			return fmt.Errorf("series %d has other labels than were saved", e.ID)
		}
		id := b.admit(e.Labels)
		if id == unwatched || b.members[id].key != key {
			continue // no longer watched, or by other labels
		}
		*b.states.At(id) = *states.At(e.ID)
		if left := b.members[id].left; left != nil && e.Line != nil {
			left.line = *e.Line
		}
	}
	return nil
}

// fillWholes restores the wholes that the restored series are part of; one whose model is
// of other metrics now begins anew.
func (b *Bank) fillWholes(ix index, states *Slab[wholeState]) error {
	if states.Len() != len(ix.Wholes) {
		return fmt.Errorf("it has %d states of %d subjects", states.Len(), len(ix.Wholes))
	}
	prints := map[uint64]*whole{}
	for key, in := range b.byWhole {
		prints[fingerprint(key)] = in
	}
	for i, w := range ix.Wholes {
		if in := prints[w.Print]; in != nil && slices.Equal(in.model.names(), w.Metrics) {
			*b.wholeStates.At(in.id) = *states.At(uint32(i))
		}
	}
	return nil
}
