package app

import (
	"context"
	"os"
	"sync"
	"time"

	"github.com/fairwayhq/fairway/internal/git"
)

// checkoutKept is for how long the files of a branch are used again: a round of looks for
// drift goes through many lanes, and most of them say in the same repository what should run.
const checkoutKept = 3 * time.Second

// checkouts are the files of branches as they were a moment ago, in temporary folders.
type checkouts struct {
	kept time.Duration

	mu     sync.Mutex
	latest map[branch]*checkout
}

// branch is what is read, and by whom: what one token may read is not for others.
type branch struct{ url, name, token string }

func branchOf(r git.Repository) branch { return branch{url: r.URL, name: r.Branch, token: r.Token} }

// checkout is a folder that goes with its last user.
type checkout struct {
	folder string
	users  int // guarded by checkouts.mu; being the latest is one use
}

func newCheckouts(kept time.Duration) *checkouts {
	return &checkouts{kept: kept, latest: map[branch]*checkout{}}
}

// read calls do with a folder that has all files of the repository's branch, for as long as
// do runs. Nobody may write into it.
func (c *checkouts) read(ctx context.Context, r git.Repository, do func(folder string) error) error {
	b := branchOf(r)
	found := c.use(b)
	if found == nil {
		folder, err := checkOut(ctx, r)
		if err != nil {
			return err
		}
		found = c.add(b, folder)
	}
	defer c.leave(found)
	return do(found.folder)
}

// checkOut writes the branch's files into a new folder.
func checkOut(ctx context.Context, r git.Repository) (folder string, err error) {
	snapshot, err := r.Read(ctx, ".")
	if err != nil {
		return "", err
	}
	if folder, err = os.MkdirTemp("", "fairway-truth-"); err != nil {
		return "", err
	}
	if err = unpackInto(folder, snapshot.Files); err != nil {
		_ = os.RemoveAll(folder)
	}
	return folder, err
}

func (c *checkouts) use(b branch) *checkout {
	c.mu.Lock()
	defer c.mu.Unlock()
	found := c.latest[b]
	if found != nil {
		found.users++
	}
	return found
}

// add makes the folder the latest of its branch, and counts the caller as a user.
func (c *checkouts) add(b branch, folder string) *checkout {
	added := &checkout{folder: folder, users: 2}
	c.mu.Lock()
	was := c.latest[b] // of a caller who read at the same time
	c.latest[b] = added
	c.mu.Unlock()
	if was != nil {
		c.leave(was)
	}
	time.AfterFunc(c.kept, func() { c.drop(b, added) })
	return added
}

// forget lets the next reader see what the branch says by then.
func (c *checkouts) forget(r git.Repository) {
	b := branchOf(r)
	c.mu.Lock()
	latest := c.latest[b]
	c.mu.Unlock()
	if latest != nil {
		c.drop(b, latest)
	}
}

// drop ends that a checkout is the latest of its branch, if it is.
func (c *checkouts) drop(b branch, old *checkout) {
	c.mu.Lock()
	latest := c.latest[b] == old
	if latest {
		delete(c.latest, b)
	}
	c.mu.Unlock()
	if latest {
		c.leave(old)
	}
}

func (c *checkouts) leave(left *checkout) {
	c.mu.Lock()
	left.users--
	last := left.users == 0
	c.mu.Unlock()
	if last {
		_ = os.RemoveAll(left.folder)
	}
}
