package stage

import (
	"errors"
	"time"
)

// Wire is the version of what workers and servers say to each other. It grows by one where
// one side says something that the other must understand. Build versions say nothing:
// whoever shares a version of the wire works together. A server understands the workers of
// versions before, from OldestWorker on; a worker needs a server that is not older than
// OldestServer. So servers are updated first.
//
//	1  leases, reports with numbers, inquiries; nobody tells a version
//	2  Hello; reports with parts of a state (Report.Part) and late ones (Report.Late)
//	3  signs of life of all tasks at once (Signs); the next task with an answer (Report.Next)
//	4  a wish for tasks tells jobs apart (LeaseAsk.Jobs), and may be for what cannot wait
//	   (LeaseAsk.Full); a worker leaves both out where the server speaks 3
const (
	Wire         = 4
	WirePlaces   = 4 // from where a server understands Jobs and Full
	OldestWorker = 1
	OldestServer = 3
)

// ErrUnread says that the server is older than the worker, and does not know what a report
// says. The next one that answers may be newer: servers are replaced one after the other.
var ErrUnread = errors.New("the server is older, and cannot read the report")

// Hello is how a worker introduces itself, before it asks for tasks and now and then later.
type Hello struct {
	Worker       string   `json:"worker"`
	Environments []string `json:"environments,omitempty"`
	Regions      []string `json:"regions,omitempty"`
	// Wire is what the worker speaks, OldestWire what a server must speak at least; Version
	// is the worker's build, for people.
	Wire       int    `json:"wire"`
	OldestWire int    `json:"oldestWire"`
	Version    string `json:"version,omitempty"`
}

// Welcome is the server's answer.
type Welcome struct {
	// Wire is what the server speaks, OldestWire what a worker must speak at least.
	Wire       int    `json:"wire"`
	OldestWire int    `json:"oldestWire"`
	Version    string `json:"version,omitempty"`
	// Now is the server's clock, by which leases and deadlines go.
	Now time.Time `json:"now"`
}

// Understood tells whether a worker that says hello and a server that says welcome have a
// version of the wire in common.
func (w Welcome) Understood(h Hello) bool {
	return h.Wire >= w.OldestWire && w.Wire >= h.OldestWire
}
