package release

import (
	"strings"

	"github.com/oklog/ulid/v2"

	"github.com/fairwayhq/fairway/internal/fault"
)

// find returns the release that the reference names: an ID, SERVICE@VERSION or
// SERVICE for its newest one.
func find(tx Tx, ref string) (Release, error) {
	if isID(ref) {
		return tx.LoadRelease(strings.ToLower(ref))
	}
	service, version, exact := strings.Cut(ref, "@")
	if exact {
		return findVersion(tx, service, version)
	}
	newest, err := tx.ListReleases(Filter{Service: service, Limit: 1})
	if err != nil {
		return Release{}, err
	}
	if service == "" || len(newest) == 0 {
		return Release{}, fault.Errorf(fault.NotFound, "no release and no service is called %q", ref).
			WithHint("list the releases with `fairway status`; a release is named by its ID, as SERVICE@VERSION, or as SERVICE for the newest one")
	}
	return tx.LoadRelease(newest[0].ID)
}

// findVersion returns the newest release of the version.
func findVersion(tx Tx, service, version string) (Release, error) {
	const page = 200
	for before := ""; ; {
		list, err := tx.ListReleases(Filter{Service: service, Before: before, Limit: page})
		if err != nil {
			return Release{}, err
		}
		for _, s := range list {
			if v, known := s.versionOf(service); known && v == version {
				return tx.LoadRelease(s.ID)
			}
		}
		if len(list) < page {
			return Release{}, fault.Errorf(fault.NotFound, "%s has no release of version %q", service, version).
				WithHint("list its releases with `fairway status %s`", service)
		}
		before = list[len(list)-1].ID
	}
}

func isID(ref string) bool {
	_, err := ulid.ParseStrict(ref)
	return err == nil
}
