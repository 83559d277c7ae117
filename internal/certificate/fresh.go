package certificate

import (
	"fmt"
	"os"
	"strings"
	"sync"
)

// fresh is something made of files, made anew when they have changed.
type fresh[T any] struct {
	files []string
	make  func() (T, error)
	// warn is told why changed files are not used.
	warn func(error)
	// left is called with what is not used any more; may be nil.
	left func(T)

	mu    sync.Mutex
	stamp string
	value T
}

// newFresh makes it for the first time.
func newFresh[T any](files []string, maker func() (T, error), warn func(error)) (*fresh[T], error) {
	f := &fresh[T]{files: files, make: maker, warn: warn, stamp: stampOf(files)}
	var err error
	f.value, err = maker()
	return f, err
}

// now is what the files make; what they made last where they cannot be used now.
func (f *fresh[T]) now() T {
	f.mu.Lock()
	defer f.mu.Unlock()
	stamp := stampOf(f.files)
	if stamp == f.stamp {
		return f.value
	}
	f.stamp = stamp // told once; the file that still has to come changes it again
	value, err := f.make()
	if err != nil {
		f.warn(err)
		return f.value
	}
	if f.left != nil {
		f.left(f.value)
	}
	f.value = value
	return value
}

// stampOf changes when one of the files does.
func stampOf(files []string) string {
	var s strings.Builder
	for _, name := range files {
		info, err := os.Stat(name)
		if err != nil {
			fmt.Fprintf(&s, "%v;", err)
			continue
		}
		fmt.Fprintf(&s, "%d %d;", info.ModTime().UnixNano(), info.Size())
	}
	return s.String()
}
