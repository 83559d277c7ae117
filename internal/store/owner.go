package store

import (
	"os"
	"path/filepath"
	"syscall"

	"github.com/fairwayhq/fairway/internal/fault"
)

// likeFolder lets a file that root has made belong to who owns its folder: a server that runs
// as another user has to open it. It goes by the open file, and not by its path, to which
// that user may have given another meaning.
func likeFolder(f *os.File) error {
	if os.Geteuid() != 0 {
		return nil
	}
	folder, err := os.Stat(filepath.Dir(f.Name()))
	if err != nil {
		return fileFault(err, filepath.Dir(f.Name()))
	}
	file, err := f.Stat()
	if err != nil {
		return fileFault(err, filepath.Dir(f.Name()))
	}
	want, have := ownerOf(folder), ownerOf(file)
	if have.Uid == want.Uid && have.Gid == want.Gid {
		return nil
	}
	if err := f.Chown(int(want.Uid), int(want.Gid)); err != nil {
		return fault.Errorf(fault.Denied, "%s cannot be given to the owner of its folder: %w", f.Name(), err).
			WithHint("run the command as the server's user")
	}
	return nil
}

func ownerOf(info os.FileInfo) *syscall.Stat_t { return info.Sys().(*syscall.Stat_t) }
