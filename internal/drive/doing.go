package drive

import (
	"encoding/json"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/stage"
)

// fillDoing fills in what workers last said of the stages whose time limit has
// passed, so that the reason of their failure can say what they were at.
func (t *transition) fillDoing(run *pipeline.Run, release string) error {
	run.Doing = nil
	for _, e := range run.Environments {
		if e.State != pipeline.EnvironmentRunning {
			continue
		}
		if at := e.Stages[e.Stage].Deadline; at.IsZero() || t.now.Before(at) {
			continue
		}
		row, err := t.tx.LoadTask(release, e.Name)
		if fault.CodeOf(err) == fault.NotFound || err == nil && row.Progress == nil {
			continue
		}
		if err != nil {
			return err
		}
		var said stage.Progress
		if json.Unmarshal(row.Progress, &said) != nil || said.Now == "" {
			continue // a release must not stand still for want of a remark
		}
		if run.Doing == nil {
			run.Doing = map[string]string{}
		}
		run.Doing[e.Name] = said.Now
	}
	return nil
}
