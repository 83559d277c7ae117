package release

import (
	"time"

	"github.com/fairwayhq/fairway/internal/drive"
)

// DriftView is what was last seen of the drift of a lane.
type DriftView struct {
	// Fields are what was not as the release says, for people; none where nothing was.
	Fields []string
	// Since is when that was first seen as it is.
	Since time.Time
	// Git is what was not as the repository says; nil where none is compared.
	Git *GitDriftView
	// At is when it was seen last.
	At time.Time
}

// GitDriftView is what was last seen of where what runs is not as the repository says.
type GitDriftView struct {
	Fields []string
	Since  time.Time
	// Unknown says why it could not be compared the last time; empty where it was.
	Unknown string
}

// driftOf is what was last seen since the release is at home in the lane; nil where nobody
// has looked yet.
func driftOf(tx Tx, lane, home string) (*DriftView, error) {
	d, err := tx.Drift(lane)
	if err != nil || d.At.IsZero() || d.Release != home {
		return nil, err
	}
	v := &DriftView{Fields: d.Fields, Since: d.Since, At: d.At}
	if d.Git != nil {
		v.Git = &GitDriftView{Fields: d.Git.Fields, Since: d.Git.Since, Unknown: d.Git.Unknown}
	}
	return v, nil
}

// places tells whether the name is that of an entry which has a target.
func (s *subject) places(entry string) bool {
	e := s.run.Plan.Environment(entry)
	return e != nil && (e.Leg == nil || e.Wave() > 0)
}

// driftsOf is what was last seen wherever the release is at home.
func driftsOf(tx Tx, s subject, homes map[string]string) (map[string]DriftView, error) {
	all := map[string]DriftView{}
	for environment, home := range homes {
		if home != s.ID || len(s.run.Plan.With) > 0 && !s.places(environment) {
			continue
		}
		d, err := driftOf(tx, drive.TargetOf(s.run.Plan, environment).String(), home)
		if err != nil {
			return nil, err
		}
		if d != nil {
			all[environment] = *d
		}
	}
	return all, nil
}
