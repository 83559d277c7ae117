package host

import (
	"context"
	"io/fs"
	"maps"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
)

// reserved is how long a port stays with the instance it was chosen for until
// the instance's record speaks for it.
const reserved = time.Minute

// choosePort returns a port on which nobody listens and that no instance has
// been given, the former one where it can. It stays below the ports that the
// system hands to outgoing connections, which would otherwise take one away
// between this choice and the moment when the service listens.
func (p *Platform) choosePort(ctx context.Context, former int) (int, error) {
	path := filepath.Join(p.config.StateDir, "ports.json")
	unlock, err := waitLock(ctx, path+".lock", syscall.LOCK_EX)
	if err != nil {
		return 0, err
	}
	defer unlock()
	if former != 0 && portFree(former) {
		return former, nil
	}
	taken, err := p.givenPorts()
	if err != nil {
		return 0, err
	}
	chosen, _, err := readJSON[map[int]time.Time](path)
	if err != nil {
		return 0, err
	}
	now := p.config.Now()
	maps.DeleteFunc(chosen, func(_ int, at time.Time) bool { return now.Sub(at) > reserved })
	if chosen == nil {
		chosen = map[int]time.Time{}
	}
	from, to := p.config.Ports[0], p.config.Ports[1]
	offset := rand.IntN(to - from)
	for n := range to - from {
		port := from + (offset+n)%(to-from)
		if _, recent := chosen[port]; recent || taken[port] || !portFree(port) {
			continue
		}
		chosen[port] = now
		return port, writeJSON(path, chosen)
	}
	return 0, fault.Errorf(fault.Unavailable, "no port between %d and %d is free", from, to).
		WithHint("retire revisions that nobody needs, or give the worker another range of ports")
}

// givenPorts are those in the records of all instances; also a dead one's port
// stays its own, for the router may still send to it.
func (p *Platform) givenPorts() (map[int]bool, error) {
	paths, err := fs.Glob(os.DirFS(p.targetsDir()), "*/revisions/*/instances/*/record.json")
	if err != nil {
		return nil, diskFault(err, p.targetsDir())
	}
	given := map[int]bool{}
	for _, path := range paths {
		if r, found, err := readJSON[record](filepath.Join(p.targetsDir(), path)); err == nil && found {
			given[r.Port] = true
		}
	}
	return given, nil
}

func portFree(port int) bool {
	l, err := net.Listen("tcp", net.JoinHostPort(loopback, strconv.Itoa(port)))
	if err != nil {
		return false
	}
	_ = l.Close()
	return true
}
