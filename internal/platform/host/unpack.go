package host

import (
	"archive/tar"
	"bufio"
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/fairwayhq/fairway/internal/fault"
)

// maxEntries bounds how many files an archive may hold.
const maxEntries = 200_000

// isArchive tells a gzipped archive by its first bytes; no executable begins with them.
func isArchive(name string) (bool, error) {
	f, err := os.Open(name)
	if err != nil {
		return false, err
	}
	defer func() { _ = f.Close() }()
	var magic [2]byte
	_, err = io.ReadFull(f, magic[:])
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return false, nil
	}
	return magic == [2]byte{0x1f, 0x8b}, err
}

// unpack extracts a .tar.gz into dir, at most limit bytes of content. Whatever
// the archive says, nothing is written outside of dir: os.Root holds every
// path, and a link may only point to something inside.
func unpack(archive, dir string, limit int64) error {
	f, err := os.Open(archive)
	if err != nil {
		return diskFault(err, archive)
	}
	defer func() { _ = f.Close() }()
	compressed, err := gzip.NewReader(bufio.NewReader(f))
	if err != nil {
		return fault.Errorf(fault.Invalid, "the archive is damaged: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return diskFault(err, dir)
	}
	defer func() { _ = root.Close() }()

	reader := tar.NewReader(compressed)
	for entries := 0; ; entries++ {
		header, err := reader.Next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fault.Errorf(fault.Invalid, "the archive is damaged: %w", err)
		case entries >= maxEntries || header.Size > limit:
			return fault.Errorf(fault.Invalid, "the archive holds more than %d entries or more content than the worker allows", maxEntries)
		}
		limit -= header.Size
		if err := unpackEntry(root, reader, header); err != nil {
			return err
		}
	}
}

func unpackEntry(root *os.Root, content io.Reader, header *tar.Header) error {
	name := filepath.Clean(filepath.FromSlash(header.Name))
	if name == "." {
		return nil
	}
	if !filepath.IsLocal(name) {
		return fault.Errorf(fault.Invalid, "the archive holds %q, which leads out of its folder", header.Name)
	}
	mode := fs.FileMode(header.Mode).Perm()
	switch header.Typeflag {
	case tar.TypeDir:
		return entryFault(root.MkdirAll(name, mode|0o700), header.Name)
	case tar.TypeReg:
		return unpackFile(root, name, mode|0o600, content)
	case tar.TypeSymlink:
		if !insideLink(name, header.Linkname) {
			return fault.Errorf(fault.Invalid, "the archive holds the link %q to %q, which leads out of its folder", header.Name, header.Linkname)
		}
		if err := root.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return entryFault(err, header.Name)
		}
		return entryFault(root.Symlink(header.Linkname, name), header.Name)
	case tar.TypeLink:
		target := filepath.Clean(filepath.FromSlash(header.Linkname))
		if !filepath.IsLocal(target) {
			return fault.Errorf(fault.Invalid, "the archive holds the link %q to %q, which leads out of its folder", header.Name, header.Linkname)
		}
		return entryFault(root.Link(target, name), header.Name)
	case tar.TypeXGlobalHeader:
		return nil
	default:
		return fault.Errorf(fault.Invalid, "the archive holds %q, which is neither a file, a folder nor a link", header.Name)
	}
}

func unpackFile(root *os.Root, name string, mode fs.FileMode, content io.Reader) error {
	if err := root.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return entryFault(err, name)
	}
	f, err := root.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, mode)
	if err != nil {
		return entryFault(err, name)
	}
	_, err = io.Copy(diskWriter{f, name}, content)
	if closed := f.Close(); err == nil {
		err = diskFault(closed, name)
	}
	if err != nil && fault.CodeOf(err) != fault.Unavailable {
		return fault.Errorf(fault.Invalid, "the archive is damaged at %q: %w", name, err)
	}
	return err
}

func insideLink(name, target string) bool {
	if filepath.IsAbs(target) {
		return false
	}
	return filepath.IsLocal(filepath.Join(filepath.Dir(name), filepath.FromSlash(target)))
}

// entryFault separates our disk's trouble from an entry that cannot be written as asked.
func entryFault(err error, name string) error {
	if err == nil {
		return nil
	}
	if isFull(err) {
		return diskFault(err, name)
	}
	return fault.Errorf(fault.Invalid, "unpack %q: %w", name, err)
}
