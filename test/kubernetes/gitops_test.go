//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/cli"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/test/cluster"
	"github.com/fairwayhq/fairway/test/kubernetes/rig"
)

// A team whose truth is in Git: the plan is shown, the release is committed, what somebody
// edits on either side is told by the command and without being asked, and a late rollback
// is committed too.
func TestTheRepositorySaysWhatRunsAndWhoDiffersIsTold(t *testing.T) {
	cluster.Need(t, cluster.Options{Node: true, Gateway: true})
	for _, needed := range []string{"prometheus", "git"} {
		if _, err := exec.LookPath(needed); err != nil {
			t.Skipf("there is no %s on this machine", needed)
		}
	}
	t.Setenv("GIT_CONFIG_GLOBAL", os.DevNull)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	s := newGitStory(ctx, t)

	text, code := s.fairway("plan", "--file", s.team.Definition(), "--artifact", s.image(rig.Calm2))
	if code != 0 || !strings.Contains(text, "What it would change in production") || !strings.Contains(text, s.image(rig.Calm2)) {
		t.Errorf("the plan ends with %d and shows\n%s", code, text)
	}
	release, err := s.team.Ship(ctx, rig.Calm2)
	if err != nil {
		t.Fatal(err)
	}
	if d, err := end(ctx, release); err != nil || d.State != pipeline.RunSucceeded {
		t.Fatalf("the release is %s: %s: %v", d.State, d.Headline, err)
	}
	s.committed("after the release", release.ID, rig.Calm2, 2)

	if text, code := s.fairway("drift", "shop"); code != 0 || strings.Contains(text, "not looked at") || !strings.Contains(text, "as Git says") {
		t.Errorf("drift after the release ends with %d and says\n%s", code, text)
	}

	const field = "PodDisruptionBudget shop/shop spec.maxUnavailable"
	s.looked("", "")
	s.budget(2)
	s.looked(field, field)
	s.told(release, "drift.found", "is not as the release")
	s.drifted("is not as shop calm2 says", "is not as Git says")
	s.budget(1)
	s.looked("", "")
	s.told(release, "drift.gone", "is as the release")

	s.edit("maxUnavailable: 1", "maxUnavailable: 2")
	s.looked("", field)
	s.told(release, "drift.found", "is not as the repository says: "+field)
	s.drifted("is as shop calm2 says", "is not as Git says")
	if text, _ := s.fairway("status", "shop"); !strings.Contains(text, "What runs in production is not as the repository says, first seen") {
		t.Errorf("the status is\n%s", text)
	}

	if d, err := release.RollBack(ctx, "the shop was better before"); err != nil || d.State != pipeline.RunRolledBack {
		t.Fatalf("the release is %s: %s: %v", d.State, d.Headline, err)
	}
	s.committed("after the late rollback", release.ID, rig.Calm1, 4)
	if home, err := s.team.Home(ctx); err != nil || home.Image != s.image(rig.Calm1) {
		t.Errorf("at home is %+v: %v", home, err)
	}
}

// gitStory is a team with a repository.
type gitStory struct {
	ctx  context.Context
	t    *testing.T
	rig  *rig.Rig
	team *rig.Team
	bare string
	// work is a person's clone.
	work string
}

func newGitStory(ctx context.Context, t *testing.T) *gitStory {
	binary := filepath.Join(t.TempDir(), "fairway")
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", binary, "github.com/fairwayhq/fairway/cmd/fairway").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	r, err := rig.Up(ctx, rig.Options{
		Fairway: binary, Versions: []rig.Version{rig.Calm1, rig.Calm2}, Server: []string{"--drift-every", "1s"}, Say: t.Logf,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(r.Logs())
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	s := &gitStory{ctx: ctx, t: t, rig: r, bare: filepath.Join(t.TempDir(), "deploy.git")}
	if s.team, err = r.Open(ctx, rig.TeamOptions{Name: "shop", First: rig.Calm1}); err != nil {
		t.Fatal(err)
	}
	s.work = filepath.Join(filepath.Dir(s.team.Definition()), "deploy")
	s.repository()
	definition := fmt.Sprintf(`
service: shop
git: {repository: %q, path: apps/shop}
environments:
  - name: production
    platform: kubernetes
    kubernetes: {namespace: shop, deployment: shop, service: shop, route: shop, manifests: deploy/apps/shop}
    stages:
      - promote: blue-green
`, s.bare)
	if err := os.WriteFile(s.team.Definition(), []byte(definition), 0o600); err != nil {
		t.Fatal(err)
	}
	return s
}

// repository makes one that says what the team has applied.
func (s *gitStory) repository() {
	s.t.Helper()
	s.git("", "init", "-q", "--bare", "-b", "main", s.bare)
	s.git("", "clone", "-q", s.bare, s.work)
	var said []string
	for _, object := range strings.Split(s.team.Manifests, "\n---\n") {
		for _, kind := range []string{"Deployment", "Service", "PodDisruptionBudget"} {
			if strings.Contains(object, "\nkind: "+kind+"\n") {
				said = append(said, object)
			}
		}
	}
	file := s.manifests()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(strings.Join(said, "\n---\n")), 0o600); err != nil {
		s.t.Fatal(err)
	}
	s.commit("Say what runs")
}

func (s *gitStory) manifests() string { return filepath.Join(s.work, "apps", "shop", "shop.yaml") }

func (s *gitStory) commit(message string) {
	s.t.Helper()
	s.git(s.work, "add", ".")
	s.git(s.work, "-c", "user.name=Ada", "-c", "user.email=ada@example.com", "commit", "-qm", message)
	s.git(s.work, "push", "-q", "origin", "HEAD:main")
}

// edit is what a person does in the repository.
func (s *gitStory) edit(old, replacement string) {
	s.t.Helper()
	s.git(s.work, "pull", "-q", "origin", "main")
	text, err := os.ReadFile(s.manifests())
	if err != nil || !strings.Contains(string(text), old) {
		s.t.Fatalf("the repository says %s: %v", text, err)
	}
	if err := os.WriteFile(s.manifests(), []byte(strings.Replace(string(text), old, replacement, 1)), 0o600); err != nil {
		s.t.Fatal(err)
	}
	s.commit("Allow more")
}

// budget is what a person does on the cluster.
func (s *gitStory) budget(unavailable int) {
	s.t.Helper()
	path := "/apis/policy/v1/namespaces/shop/poddisruptionbudgets/shop?fieldManager=person"
	body := fmt.Appendf(nil, `{"spec": {"maxUnavailable": %d}}`, unavailable)
	if err := s.rig.Cluster.API.Do(s.ctx, "PATCH", path, "application/merge-patch+json", body, nil); err != nil {
		s.t.Fatal(err)
	}
}

// committed expects that the newest commit says the version, for people and for programs.
func (s *gitStory) committed(when, release string, v rig.Version, commits int) {
	s.t.Helper()
	message := s.git(s.bare, "log", "-1", "--format=%B", "main")
	_, digest, _ := strings.Cut(s.image(v), "@")
	for _, trailer := range []string{"Fairway-Release: " + release, "Fairway-Service: shop", "Fairway-Environment: production", "Fairway-Digest: " + digest} {
		if !strings.Contains(message, "\n"+trailer+"\n") {
			s.t.Errorf("%s the commit does not say %q:\n%s", when, trailer, message)
		}
	}
	if text := s.git(s.bare, "show", "main:apps/shop/shop.yaml"); !strings.Contains(text, "image: "+s.image(v)+"\n") {
		s.t.Errorf("%s the repository says\n%s", when, text)
	}
	if n := strings.TrimSpace(s.git(s.bare, "rev-list", "--count", "main")); n != fmt.Sprint(commits) {
		s.t.Errorf("%s there are %s commits, not %d", when, n, commits)
	}
}

// drifted expects these words of `fairway drift`, and its exit code.
func (s *gitStory) drifted(words ...string) {
	s.t.Helper()
	text, code := s.fairway("drift", "shop")
	if code != cli.ExitDrifted {
		s.t.Errorf("drift ends with %d", code)
	}
	for _, w := range append(words, "spec.maxUnavailable") {
		if !strings.Contains(text, w) {
			s.t.Errorf("drift does not say that what runs %s:\n%s", w, text)
		}
	}
}

// looked waits until the server has seen by itself that these fields are not as the release
// and as the repository say.
func (s *gitStory) looked(plan, git string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.ctx, time.Minute)
	defer cancel()
	for {
		service, err := s.rig.API.Service(ctx, "shop")
		if err != nil {
			s.t.Fatal(err)
		}
		d := service.Environments[0].Drift
		if d != nil && d.Git != nil && strings.Join(d.Fields, ", ") == plan && strings.Join(d.Git.Fields, ", ") == git {
			return
		}
		if err := pause(ctx, 200*time.Millisecond); err != nil {
			s.t.Fatalf("what was seen last is %+v, and not %q and %q", d, plan, git)
		}
	}
}

// told expects such a line in the release's history. What changes between a look at the
// cluster and one at the repository is told in two.
func (s *gitStory) told(r *rig.Release, kind, words string) {
	s.t.Helper()
	events, err := r.Events(s.ctx)
	if err != nil {
		s.t.Fatal(err)
	}
	var lines []string
	for _, e := range events {
		if e.Kind == kind && strings.Contains(e.Text, words) {
			return
		}
		if strings.HasPrefix(e.Kind, "drift.") {
			lines = append(lines, e.Kind+": "+e.Text)
		}
	}
	s.t.Errorf("it was told\n%s\nand not that it %s", strings.Join(lines, "\n"), words)
}

func (s *gitStory) image(v rig.Version) string { return s.rig.Cluster.Reference(v.Image()) }

// fairway is a person's command line: what it says, and its exit code.
func (s *gitStory) fairway(args ...string) (text string, code int) {
	s.t.Helper()
	out, err := s.rig.Command(s.ctx, args...).CombinedOutput()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return string(out), exit.ExitCode()
	}
	if err != nil {
		s.t.Fatalf("fairway %v: %v", args, err)
	}
	return string(out), 0
}

func (s *gitStory) git(dir string, args ...string) string {
	s.t.Helper()
	cmd := exec.CommandContext(s.ctx, "git", args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		s.t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return string(out)
}
