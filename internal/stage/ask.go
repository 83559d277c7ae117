package stage

import "github.com/fairwayhq/fairway/internal/platform"

// backendOf is what the platform sends the revision's traffic to, for queries that ask by it;
// empty where the platform has no name for it.
func backendOf(s platform.State, revision string) string {
	r, _ := s.Revision(revision)
	return r.Backend
}

// readyOf is how many of the revision's instances serve.
func readyOf(s platform.State, revision string) int {
	r, _ := s.Revision(revision)
	return r.Ready()
}
