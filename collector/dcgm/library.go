package dcgm

/*
#cgo LDFLAGS: -ldl
#include <dlfcn.h>
#include <stdlib.h>
*/
import "C"

import (
	_ "embed"
	"errors"
	"fmt"
	"strings"
	"unsafe"
)

// library is the name that go-dcgm looks for too.
const library = "libdcgm.so.4"

// ErrNoLibrary says that the machine has no DCGM library that can be used.
var ErrNoLibrary = errors.New("no usable " + library)

//go:embed symbols.txt
var symbols string

// checkLibrary reports why the DCGM library cannot be used, if it cannot. It
// looks for every function that this package calls: go-dcgm binds them at their
// first call, and one that is missing then ends the process.
func checkLibrary() error {
	name := C.CString(library)
	defer C.free(unsafe.Pointer(name))
	lib := C.dlopen(name, C.RTLD_LAZY|C.RTLD_GLOBAL)
	if lib == nil {
		return fmt.Errorf("%w: %s", ErrNoLibrary, C.GoString(C.dlerror()))
	}
	var missing []string
	for _, s := range strings.Fields(symbols) {
		if !hasSymbol(lib, s) {
			missing = append(missing, s)
		}
	}
	if missing != nil {
		C.dlclose(lib)
		return fmt.Errorf("%w: it is older than DCGM 4.1 or damaged: no %s", ErrNoLibrary, strings.Join(missing, ", "))
	}
	return nil
}

func hasSymbol(lib unsafe.Pointer, symbol string) bool {
	name := C.CString(symbol)
	defer C.free(unsafe.Pointer(name))
	return C.dlsym(lib, name) != nil
}
