package drive

import (
	"context"
	"time"

	"github.com/fairwayhq/fairway/internal/ledger"
)

// Drift is what was last seen of what has drifted in a lane.
type Drift struct {
	Lane string
	// Release is the one that was at home.
	Release string
	// Hash tells one drift from another; empty where nothing had drifted.
	Hash string
	// Fields are what had drifted, for people, without values.
	Fields []string
	// Since is when it was first seen as it is, At when it was seen last; zero is never.
	Since, At time.Time
}

// Drifts keeps what was last seen in each lane.
type Drifts interface {
	SaveDrift(d Drift) error
	// Drift returns what was last seen in the lane; its At is zero if nobody ever looked.
	Drift(lane string) (Drift, error)
}

// Note adds lines to the release's chain, in the caller's transaction. They change nothing
// about its run, which may have ended. Call committed after the commit.
func (d *Drive) Note(tx Tx, release string, lines ...ledger.Event) (committed func(), err error) {
	t := &transition{tx: tx, now: d.now()}
	rec, err := tx.LoadRun(release)
	if err != nil {
		return nil, err
	}
	for i := range lines {
		lines[i].Release, lines[i].At = release, t.now
	}
	if err := t.append(&rec, lines); err != nil {
		return nil, err
	}
	if err := tx.SaveRun(rec, rec.Wake); err != nil {
		return nil, err
	}
	return func() { d.tell(context.Background(), t) }, nil
}
