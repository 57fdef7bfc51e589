package snapshot

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// What a snapshot may hold. A cluster of ten thousand pods with two hours of
// metrics is below a tenth of it; what is above is a mistake or an attack.
const (
	maxFiles = 200_000
	maxBytes = 2 << 30 // of all files, unpacked
)

// errTooLarge says that a snapshot is above those bounds.
var errTooLarge = errors.New("too large for a snapshot")

// truthFile holds the answer of a benchmark case. It is never read.
const truthFile = "truth.json"

// A tree is the files of a snapshot by their paths below its root.
type tree struct {
	files map[string][]byte
	bytes int64
}

// load reads a directory, an archive of one, or a file of text.
func load(name string) (*tree, error) {
	fi, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	t := &tree{files: map[string][]byte{}}
	if fi.IsDir() {
		return t, t.addDir(os.DirFS(name))
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if !archived(name) {
		return t, t.add(filepath.Base(name), f, fi.Size())
	}
	if err := t.addArchive(name, f); err != nil {
		return nil, err
	}
	return t, t.findRoot()
}

// archived reports whether name is that of an archive that can be read.
func archived(name string) bool {
	return slices.ContainsFunc([]string{".tar", ".tar.gz", ".tgz", ".tar.zst"}, func(end string) bool { return strings.HasSuffix(name, end) })
}

func (t *tree) addDir(fsys fs.FS) error {
	return fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if !d.Type().IsRegular() {
			return nil // links lead out of the snapshot
		}
		f, err := fsys.Open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		size := int64(0)
		if fi, err := d.Info(); err == nil {
			size = fi.Size()
		}
		return t.add(name, f, size)
	})
}

func (t *tree) addArchive(name string, f io.Reader) error {
	var r io.Reader
	switch {
	case strings.HasSuffix(name, ".tar.gz"), strings.HasSuffix(name, ".tgz"):
		gz, err := gzip.NewReader(f)
		if err != nil {
			return err
		}
		r = gz
	case strings.HasSuffix(name, ".tar.zst"):
		zr, err := zstd.NewReader(f, zstd.WithDecoderMaxMemory(256<<20))
		if err != nil {
			return err
		}
		defer zr.Close()
		r = zr
	default:
		r = f
	}
	tr := tar.NewReader(io.LimitReader(r, maxBytes+maxBytes/4)) // headers and padding besides
	for {
		h, err := tr.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		clean := strings.TrimPrefix(h.Name, "./")
		if clean = strings.TrimSuffix(clean, "/"); clean == "" || clean == "." {
			continue
		}
		if !fs.ValidPath(clean) {
			return fmt.Errorf("the entry %q leads out of the archive", h.Name)
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		if err := t.add(clean, tr, h.Size); err != nil {
			return err
		}
	}
}

// add reads one file, unless it is the truth. It is said to have so many bytes.
func (t *tree) add(name string, r io.Reader, said int64) error {
	if path.Base(name) == truthFile {
		return nil
	}
	if len(t.files) >= maxFiles {
		return fmt.Errorf("more than %d files: %w", maxFiles, errTooLarge)
	}
	left := maxBytes - t.bytes
	var b bytes.Buffer
	b.Grow(int(min(max(said, 0), left)) + bytes.MinRead) // without room to spare the last read would double it
	if _, err := b.ReadFrom(io.LimitReader(r, left+1)); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	data := b.Bytes()
	if int64(len(data)) > left {
		return fmt.Errorf("%s: more than %d bytes in all: %w", name, int64(maxBytes), errTooLarge)
	}
	t.bytes += int64(len(data))
	t.files[name] = data
	return nil
}

// findRoot cuts the folder that an archive was made of off the names.
func (t *tree) findRoot() error {
	root := ""
	for name := range t.files {
		dir, base := path.Split(name)
		if base == headFile && (root == "" || len(dir) < len(root) || len(dir) == len(root) && dir < root) {
			root = dir
		}
		if name == headFile {
			return nil
		}
	}
	files := map[string][]byte{}
	for name, data := range t.files {
		if rest, ok := strings.CutPrefix(name, root); ok {
			files[rest] = data
		}
	}
	t.files = files
	return nil
}

// lineAt returns the number of the line that the byte at offset is on.
func lineAt(data []byte, offset int64) int {
	return 1 + bytes.Count(data[:min(int64(len(data)), max(offset, 0))], []byte("\n"))
}
