package host

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/platform"
)

// prepare builds the revision's working folder from the verified artifact and
// the config files. The folder appears whole or not at all.
func (p *Platform) prepare(dir, artifact string, r platform.Revision) error {
	work := workDir(dir)
	if _, err := os.Stat(work); err == nil {
		return nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return diskFault(err, work)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return diskFault(err, dir)
	}
	temp, err := os.MkdirTemp(dir, ".work-*")
	if err != nil {
		return diskFault(err, dir)
	}
	defer func() { _ = os.RemoveAll(temp) }()
	if err := p.fill(temp, artifact, r); err != nil {
		return err
	}
	return diskFault(os.Rename(temp, work), work)
}

func (p *Platform) fill(temp, artifact string, r platform.Revision) error {
	archive, err := isArchive(artifact)
	switch {
	case err != nil:
		return diskFault(err, artifact)
	case archive:
		if err := unpack(artifact, temp, p.config.MaxUnpacked); err != nil {
			return fault.Errorf(fault.CodeOf(err), "artifact %s: %w", r.Artifact.Ref, err)
		}
	default:
		if err := copyExecutable(artifact, filepath.Join(temp, artifactName(r.Artifact.Ref))); err != nil {
			return diskFault(err, temp)
		}
	}
	return writeFiles(temp, r.Config.Files)
}

// writeFiles puts the config files into the working folder; os.Root keeps them there.
func writeFiles(dir string, files []platform.File) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return diskFault(err, dir)
	}
	defer func() { _ = root.Close() }()
	for _, f := range files {
		if !filepath.IsLocal(f.Path) {
			return fault.Errorf(fault.Invalid, "config file %q leads out of the working folder", f.Path).
				WithHint("give a path relative to the working folder, without \"..\"")
		}
		if err := root.MkdirAll(filepath.Dir(f.Path), 0o755); err != nil {
			return entryFault(err, f.Path)
		}
		if err := root.WriteFile(f.Path, f.Content, 0o600); err != nil {
			return entryFault(err, f.Path)
		}
	}
	return nil
}

func copyExecutable(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o755)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		_ = out.Close()
		return err
	}
	return out.Close()
}

func workDir(revisionDir string) string { return filepath.Join(revisionDir, "work") }

// artifactIn is what $ARTIFACT stands for: the executable, or the folder of an unpacked archive.
func artifactIn(revisionDir string, r platform.Revision) string {
	executable := filepath.Join(workDir(revisionDir), artifactName(r.Artifact.Ref))
	if info, err := os.Stat(executable); err == nil && info.Mode().IsRegular() {
		return executable
	}
	return workDir(revisionDir)
}
