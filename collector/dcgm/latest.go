package dcgm

/*
#cgo linux LDFLAGS: -Wl,--unresolved-symbols=ignore-in-object-files
#include <stdint.h>
#include <stdlib.h>

int dcgmEntityGetLatestValues(uintptr_t handle, int group, int entity, unsigned short *fields, unsigned int n, void *out);
const char *errorString(int result);
*/
import "C"

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"unsafe"

	godcgm "github.com/NVIDIA/go-dcgm/pkg/dcgm"
)

// A value is a dcgmFieldValue_v1 of dcgm_structs.h, whose form is part of the
// library's interface.
type value struct {
	_      uint32 // version
	field  uint16
	kind   uint16 // godcgm.DCGM_FT_…
	status int32
	at     int64 // microseconds since 1970
	raw    [4096]byte
}

// connection is go-dcgm's handle to the engine, which it keeps to itself and
// sets when it connects. Nothing here writes it.
//
//go:linkname connection github.com/NVIDIA/go-dcgm/pkg/dcgm.handle
var connection struct{ handle C.uintptr_t }

// A reader takes the newest values out of the library. It does what go-dcgm's
// EntityGetLatestValues does, but keeps the values in one place outside Go's
// heap: each has room for a string of 4 KiB, and collecting the copies that
// go-dcgm makes took two thirds of a look. The zero value is ready.
type reader struct {
	room *value
	size int // how many fit
}

// latest returns the newest values of an entity, in the order of ids. They are
// good until the next call.
func (r *reader) latest(group godcgm.Field_Entity_Group, entity uint, ids []godcgm.Short) ([]value, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	if r.size < len(ids) {
		r.close()
		r.room, r.size = (*value)(C.calloc(C.size_t(len(ids)), C.size_t(unsafe.Sizeof(value{})))), len(ids)
	}
	result := C.dcgmEntityGetLatestValues(connection.handle, C.int(group), C.int(entity),
		(*C.ushort)(unsafe.Pointer(&ids[0])), C.uint(len(ids)), unsafe.Pointer(r.room))
	if result != 0 {
		return nil, errors.New(C.GoString(C.errorString(result)))
	}
	return unsafe.Slice(r.room, len(ids)), nil
}

func (r *reader) close() {
	C.free(unsafe.Pointer(r.room))
	*r = reader{}
}

// Int64 returns v's whole number.
func (v *value) Int64() int64 { return int64(binary.NativeEndian.Uint64(v.raw[:])) }

// Float64 returns v's fraction.
func (v *value) Float64() float64 {
	return math.Float64frombits(binary.NativeEndian.Uint64(v.raw[:]))
}

// String returns v's text.
func (v *value) String() string {
	text, _, _ := bytes.Cut(v.raw[:], []byte{0})
	return string(text)
}
