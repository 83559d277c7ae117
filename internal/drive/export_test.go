package drive

import (
	"context"

	"github.com/fairwayhq/fairway/internal/pipeline"
)

// TellLanes does for all lanes what a look does where it finds something to do, and returns the
// events that came of it.
func (d *Drive) TellLanes(ctx context.Context) (applied []pipeline.EventKind, err error) {
	err = d.update(ctx, func(t *transition) error {
		lanes, err := t.tx.LanesInUse()
		if err != nil {
			return err
		}
		for _, lane := range lanes {
			if err := t.tx.Turn(serviceOf(lane)); err != nil {
				return err
			}
			if err := t.checkLane(lane); err != nil {
				return err
			}
		}
		applied = t.applied
		return nil
	})
	return applied, err
}
