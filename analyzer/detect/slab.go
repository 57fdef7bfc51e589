package detect

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"reflect"
	"unsafe"
)

// page is how many states stand together. A slab grows by pages, so that a
// million states are never copied and a state keeps its address.
const page = 1024

// A Slab holds the state of every series, indexed by a dense id. S is a value
// without pointers, which is what lets a slab be saved as it lies in memory.
type Slab[S any] struct {
	name  string // of the detector whose states these are
	pages [][]S
	n     uint32
}

// NewSlab returns an empty slab for the states of the detector called name.
// It panics where S holds a pointer: that is decided when the program is written.
func NewSlab[S any](name string) *Slab[S] {
	if t := reflect.TypeFor[S](); !plain(t) {
		panic(fmt.Sprintf("detect: a state of type %s holds pointers", t))
	}
	return &Slab[S]{name: name}
}

func plain(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Array:
		return plain(t.Elem())
	case reflect.Struct:
		for i := range t.NumField() {
			if !plain(t.Field(i).Type) {
				return false
			}
		}
		return true
	}
	return t.Kind() >= reflect.Bool && t.Kind() <= reflect.Complex128 && t.Kind() != reflect.Uintptr
}

// Len returns one more than the largest id seen.
func (s *Slab[S]) Len() int { return int(s.n) }

// At returns the state of series id, the zero S where it has not been seen.
// The pointer stays good until the slab is restored.
func (s *Slab[S]) At(id uint32) *S {
	for int(id) >= len(s.pages)*page {
		s.pages = append(s.pages, make([]S, page))
	}
	s.n = max(s.n, id+1)
	return &s.pages[id/page][id%page]
}

// slabMagic opens a saved slab. The number grows when the layout of the header
// changes; a changed state shows in its size or in the detector's name.
const slabMagic = "vedette slab 1\n"

// endian is written as it lies in memory: a slab of a machine of the other
// byte order is foreign.
const endian uint32 = 0x01020304

// Save writes the slab with what it takes to refuse it where it does not fit.
func (s *Slab[S]) Save(w io.Writer) error {
	sum := crc32.NewIEEE()
	out := io.MultiWriter(w, sum)

	head := []byte(slabMagic)
	head = binary.NativeEndian.AppendUint32(head, endian)
	head = binary.LittleEndian.AppendUint32(head, uint32(unsafe.Sizeof(*new(S))))
	head = binary.LittleEndian.AppendUint32(head, s.n)
	head = append(head, byte(len(s.name)))
	head = append(head, s.name...)
	if _, err := out.Write(head); err != nil {
		return fmt.Errorf("save slab %s: %w", s.name, err)
	}
	for left, i := int(s.n), 0; left > 0; left, i = left-page, i+1 {
		if _, err := out.Write(bytesOf(s.pages[i][:min(left, page)])); err != nil {
			return fmt.Errorf("save slab %s: %w", s.name, err)
		}
	}
	if err := binary.Write(w, binary.LittleEndian, sum.Sum32()); err != nil {
		return fmt.Errorf("save slab %s: %w", s.name, err)
	}
	return nil
}

// Restore reads what Save wrote and nothing past it. After an error the slab
// is empty.
func (s *Slab[S]) Restore(r io.Reader) error {
	s.pages, s.n = nil, 0
	if err := s.restore(r); err != nil {
		s.pages, s.n = nil, 0
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			err = errors.New("it ends too early")
		}
		return fmt.Errorf("restore slab %s: %w", s.name, err)
	}
	return nil
}

func (s *Slab[S]) restore(r io.Reader) error {
	sum := crc32.NewIEEE()
	in := io.TeeReader(r, sum)

	head := make([]byte, len(slabMagic)+13)
	if _, err := io.ReadFull(in, head); err != nil {
		return err
	}
	rest := head[len(slabMagic):]
	size := uint32(unsafe.Sizeof(*new(S)))
	n := binary.LittleEndian.Uint32(rest[8:])
	name := make([]byte, rest[12])
	switch {
	case string(head[:len(slabMagic)]) != slabMagic:
		return errors.New("not a saved slab, or of another version")
	case binary.NativeEndian.Uint32(rest) != endian:
		return errors.New("saved on a machine of the other byte order")
	}
	if _, err := io.ReadFull(in, name); err != nil {
		return err
	}
	if string(name) != s.name {
		return fmt.Errorf("it holds states of %q", name)
	}
	if got := binary.LittleEndian.Uint32(rest[4:]); got != size {
		return fmt.Errorf("its states are of %d bytes, want %d", got, size)
	}

	// Page by page: a header that lies about n runs out of input before it
	// runs the process out of memory.
	for left := int(n); left > 0; left -= page {
		states := make([]S, page)
		if _, err := io.ReadFull(in, bytesOf(states[:min(left, page)])); err != nil {
			return err
		}
		s.pages = append(s.pages, states)
	}
	want := sum.Sum32()
	var got uint32
	if err := binary.Read(r, binary.LittleEndian, &got); err != nil {
		return err
	}
	if got != want {
		return errors.New("its checksum is wrong")
	}
	s.n = n
	return nil
}

// bytesOf returns the memory of states. S holds no pointers: NewSlab saw to it.
func bytesOf[S any](states []S) []byte {
	if len(states) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(&states[0])), len(states)*int(unsafe.Sizeof(states[0])))
}
