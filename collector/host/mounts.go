package host

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"sync"
	"syscall"
	"time"

	"github.com/prometheus/procfs"
)

// A Space is how full a file system is.
type Space struct {
	Size, Free, Avail uint64 // bytes; Avail is what is left for users
	Files, FilesFree  uint64
}

// What is not a place to run out of: node_exporter's defaults
// (collector/filesystem_linux.go), and in the paths also what a container
// runtime and the kubelet mount for each pod.
var (
	pseudoTypes = regexp.MustCompile(`^(autofs|binfmt_misc|bpf|cgroup2?|configfs|debugfs|devpts|devtmpfs|efivarfs|fusectl|hugetlbfs|iso9660|` +
		`mqueue|nsfs|overlay|proc|procfs|pstore|rpc_pipefs|securityfs|selinuxfs|squashfs|erofs|sysfs|tracefs)$`)
	podPaths = regexp.MustCompile(`^/(dev|proc|sys|run/(credentials|containerd|docker|netns|user)|` +
		`var/lib/(docker|containerd|containers/storage|kubelet/(pods|plugins)))($|/)`)
)

// maxStatfs is how long the file systems may take to say how full they are.
// One whose server is gone never does.
const maxStatfs = time.Second

// mounts remembers the paths whose call has not returned.
type mounts struct {
	mu   sync.Mutex
	hung map[string]bool
}

// readMounts asks every real file system for its space, all at once. Those that
// have not answered in time are in the error, and not asked again until they have.
func (s *Source) readMounts(ctx context.Context, b *batch, fs procfs.FS) error {
	list, err := fs.GetProcMounts(1)
	if err != nil {
		list, err = fs.GetMounts()
	}
	if err != nil {
		return err
	}
	waiting := map[string]mount{} // by mount point: of several mounts on one, the last is seen
	for _, m := range list {
		if pseudoTypes.MatchString(m.FSType) || podPaths.MatchString(m.MountPoint) {
			continue
		}
		_, readonly := m.Options["ro"]
		waiting[m.MountPoint] = mount{m.Source, m.FSType, m.MountPoint, readonly}
	}

	var errs []error
	answers := make(chan answer, len(waiting)) // so that a late one finds room
	for _, m := range waiting {
		if !s.mounts.ask(m.point) {
			delete(waiting, m.point)
			errs = append(errs, m.noAnswer(b))
			continue
		}
		go func() {
			space, err := s.statfs(m.point)
			s.mounts.answered(m.point)
			answers <- answer{m, space, err}
		}()
	}
	ctx, cancel := context.WithTimeout(ctx, maxStatfs)
	defer cancel()
	for len(waiting) > 0 {
		select {
		case a := <-answers:
			delete(waiting, a.point)
			a.add(b)
		case <-ctx.Done():
			for _, m := range waiting {
				errs = append(errs, m.noAnswer(b))
			}
			return errors.Join(errs...)
		}
	}
	return errors.Join(errs...)
}

// A mount is a file system and where it is.
type mount struct {
	device, fstype, point string
	readonly              bool
}

func (m mount) labels() []string {
	return []string{"device", m.device, "fstype", m.fstype, "mountpoint", m.point}
}

func (m mount) noAnswer(b *batch) error {
	b.gauge("node_filesystem_device_error", 1, m.labels()...)
	return fmt.Errorf("%s (%s of %s) does not answer", m.point, m.fstype, m.device)
}

// An answer is what a mount said of itself. One that says it cannot, as where
// the agent has no access, is a reading and no error.
type answer struct {
	mount
	space Space
	err   error
}

func (a answer) add(b *batch) {
	labels := a.labels()
	if a.err != nil {
		b.gauge("node_filesystem_device_error", 1, labels...)
		return
	}
	b.gauge("node_filesystem_device_error", 0, labels...)
	b.gauge("node_filesystem_size_bytes", float64(a.space.Size), labels...)
	b.gauge("node_filesystem_free_bytes", float64(a.space.Free), labels...)
	b.gauge("node_filesystem_avail_bytes", float64(a.space.Avail), labels...)
	b.gauge("node_filesystem_files", float64(a.space.Files), labels...)
	b.gauge("node_filesystem_files_free", float64(a.space.FilesFree), labels...)
	readonly := 0.0
	if a.readonly {
		readonly = 1
	}
	b.gauge("node_filesystem_readonly", readonly, labels...)
}

// ask reports whether path may be asked, and notes that it is.
func (m *mounts) ask(path string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.hung[path] {
		return false
	}
	if m.hung == nil {
		m.hung = map[string]bool{}
	}
	m.hung[path] = true
	return true
}

func (m *mounts) answered(path string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.hung, path)
}

func (s *Source) statfs(point string) (Space, error) {
	if s.Statfs != nil {
		return s.Statfs(point)
	}
	var st syscall.Statfs_t
	if err := syscall.Statfs(filepath.Join("/", s.Root, point), &st); err != nil {
		return Space{}, err
	}
	unit := uint64(st.Bsize)
	return Space{Size: st.Blocks * unit, Free: st.Bfree * unit, Avail: st.Bavail * unit, Files: st.Files, FilesFree: st.Ffree}, nil
}
