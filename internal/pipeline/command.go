package pipeline

import "slices"

// RunsCommand tells whether the stage runs a command on the machine of its worker.
func (s *Stage) RunsCommand() bool {
	return s.Kind == KindJob || s.Kind == KindCheck && s.Check != nil && len(s.Check.Command) > 0
}

// RunsCommand tells that of the environment's stage of that name.
func (e *Environment) RunsCommand(stage string) bool {
	i := slices.IndexFunc(e.Stages, func(s Stage) bool { return s.Name == stage })
	return i >= 0 && e.Stages[i].RunsCommand()
}
