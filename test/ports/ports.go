// Package ports gives addresses to tests whose servers and services end and come back at the
// same ports.
//
//	address, err := ports.Crash.Free(random)
//
// Packages are tested at the same time, and a port is given long before somebody listens at it.
// So each package has a range of its own, and no port is given twice in one process. All ranges
// lie below the ports that the system gives to outgoing connections: one that is given stays
// free while its server is away.
package ports

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
)

// The ranges.
var (
	Crash     = &Range{first: 10_000, count: 4_000}
	Partition = &Range{first: 14_000, count: 3_000}
)

// Upgrade is the first of the thousand ports that test/upgrade chooses from by itself, in their order.
const Upgrade = 17_000

// Range is safe for concurrent use.
type Range struct {
	first, count int

	mu    sync.Mutex
	given map[int]bool
}

// Free returns an address of this machine at which nobody listens, and which it has not
// returned before.
func (r *Range) Free(random *rand.Rand) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.given == nil {
		r.given = map[int]bool{}
	}
	err := errors.New("all have been given")
	for range 100 {
		port := r.first + random.IntN(r.count)
		if r.given[port] {
			continue
		}
		var l net.Listener
		if l, err = net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			defer l.Close()
			r.given[port] = true
			return l.Addr().String(), nil
		}
	}
	return "", fmt.Errorf("no free port from %d to %d: %w", r.first, r.first+r.count-1, err)
}
