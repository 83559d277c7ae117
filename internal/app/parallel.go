package app

import (
	"github.com/spf13/cobra"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/worker"
)

// addParallel adds what a worker carries at the same time.
func addParallel(cmd *cobra.Command, prefix string, parallel, jobs *int) {
	whose := "the worker"
	if prefix != "" {
		whose = "the worker inside"
	}
	cmd.Flags().IntVar(parallel, prefix+"parallel", worker.DefaultParallel, "how many stages "+whose+" carries at the same time; what cannot wait comes on top")
	cmd.Flags().IntVar(jobs, prefix+"parallel-jobs", worker.DefaultParallelJobs, "how many of them may run a command on its machine, as jobs do")
}

// checkParallel tells what is wrong with those flags.
func checkParallel(prefix string, parallel, jobs int) error {
	switch {
	case parallel < 1 || parallel > worker.MostParallel:
		return fault.Errorf(fault.Invalid, "--%sparallel is %d: a worker cannot carry so many stages at the same time", prefix, parallel).
			WithHint("say 1 to %d, and start more workers for more", worker.MostParallel)
	case jobs < 1:
		return fault.Errorf(fault.Invalid, "--%sparallel-jobs is %d: a worker cannot run so many commands at the same time", prefix, jobs).
			WithHint("say 1 or more")
	}
	return nil
}
