package pipeline

import "testing"

func TestWhichStagesRunACommand(t *testing.T) {
	for _, c := range []struct {
		stage Stage
		want  bool
	}{
		{Stage{Name: "migrate", Kind: KindJob, Job: &Job{}}, true},
		{Stage{Name: "smoke", Kind: KindCheck, Check: &Check{Command: []string{"./smoke"}}}, true},
		{Stage{Name: "answers", Kind: KindCheck, Check: &Check{HTTP: []HTTPCheck{{Path: "/"}}}}, false},
		{Stage{Name: "canary", Kind: KindCanary, Canary: &Canary{}}, false},
	} {
		if got := c.stage.RunsCommand(); got != c.want {
			t.Errorf("stage %s runs a command: %v, want %v", c.stage.Name, got, c.want)
		}
		e := Environment{Stages: []Stage{{Name: "deploy", Kind: KindDeploy}, c.stage}}
		if e.RunsCommand(c.stage.Name) != c.want || e.RunsCommand("deploy") || e.RunsCommand("none") {
			t.Errorf("the environment says something else of stage %s", c.stage.Name)
		}
	}
}
