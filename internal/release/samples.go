package release

import "context"

// Samples returns at most limit points of the release after the point with the ID
// after (0 for the beginning), as they were judged, and whether there are more.
// Environment narrows them; empty means all.
func (c *Control) Samples(ctx context.Context, ref, environment string, after int64, limit int) ([]SampledPoint, bool, error) {
	limit = pageLimit(limit)
	var points []SampledPoint
	err := c.view(ctx, func(tx Tx) error {
		r, err := find(tx, ref)
		if err != nil {
			return err
		}
		points, err = tx.LoadPoints(r.ID, environment, after, limit+1)
		return err
	})
	if err != nil || len(points) <= limit {
		return points, false, err
	}
	return points[:limit], true, nil
}
