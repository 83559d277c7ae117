package worker

import (
	"context"
	"log/slog"
	"time"

	"github.com/fairwayhq/fairway/internal/stage"
)

// leaveWait is how long a worker that stops tries to give its tasks back. What it cannot
// give back goes on when its lease has run out.
const leaveWait = 5 * time.Second

// leave gives a task back with all that was not told of it, so that another worker, or
// this one started anew, goes on at once. why is empty for a worker that stops, else
// what keeps this one from carrying the task out. ctx may have ended.
func (w *Worker) leave(ctx context.Context, t stage.Task, unsaid *pending, why string, log *slog.Logger) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveWait)
	defer cancel()
	if unsaid.sent != nil || unsaid.rest != nil {
		ended := unsaid.ends()
		reply, err := w.tell(ctx, &t, unsaid, log)
		if err != nil || reply.Cancelled || ended {
			logLeft(log, err)
			return
		}
	}
	report := w.reportOf(t)
	report.Left, report.Why = true, why
	_, err := w.send(ctx, report)
	logLeft(log, err)
}

func logLeft(log *slog.Logger, err error) {
	if err != nil {
		log.Warn("The server was not told that the task is left; it goes on when its lease has run out.", "error", err)
	}
}
