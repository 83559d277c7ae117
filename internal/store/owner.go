package store

import (
	"os"
	"path/filepath"
	"syscall"

	"github.com/fairwayhq/fairway/internal/fault"
)

// likeFolder lets a file that root has made belong to who owns its folder: a server that runs
// as another user has to open it.
func likeFolder(file string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	folder, err := ownerOf(filepath.Dir(file))
	if err != nil {
		return err
	}
	if owner, err := ownerOf(file); err != nil || owner.Uid == folder.Uid && owner.Gid == folder.Gid {
		return err
	}
	if err := os.Lchown(file, int(folder.Uid), int(folder.Gid)); err != nil {
		return fault.Errorf(fault.Denied, "%s cannot be given to the owner of its folder: %w", file, err).
			WithHint("run the command as the server's user")
	}
	return nil
}

func ownerOf(path string) (*syscall.Stat_t, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fileFault(err, filepath.Dir(path))
	}
	return info.Sys().(*syscall.Stat_t), nil
}
