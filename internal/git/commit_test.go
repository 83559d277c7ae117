package git_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/git"
)

// committer makes the test's program one that commits what it reads, and is killed.
const committer = "FAIRWAY_TEST_COMMITTER"

func TestMain(m *testing.M) {
	// Nothing of this machine's or person's git may matter.
	for name, value := range map[string]string{"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"} {
		_ = os.Setenv(name, value)
	}
	if os.Getenv(committer) == "" {
		os.Exit(m.Run())
	}
	var repository git.Repository
	if err := json.Unmarshal([]byte(os.Getenv(committer)), &repository); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	result, err := repository.Commit(context.Background(), release)
	fmt.Println(result, err)
}

var release = git.Change{Release: "R1", Service: "shop", Environment: "production", Image: "registry.example.com/shop:v2@" + newDigest}

// goBack is release's late rollback.
func goBack() git.Change {
	back := release
	back.Image, back.Rollback = "registry.example.com/shop@"+oldDigest, true
	return back
}

func TestAnImageIsCommittedOverEveryTransport(t *testing.T) {
	for name, url := range map[string]func(*remote) string{
		"a path":        func(r *remote) string { return r.dir },
		"a file URL":    func(r *remote) string { return "file://" + r.dir },
		"the daemon":    (*remote).overDaemon,
		"HTTP":          func(r *remote) string { return r.overHTTP("") },
		"an ssh's name": (*remote).overSSH,
	} {
		t.Run(name, func(t *testing.T) {
			r := newRemote(t, map[string]string{"apps/shop/deployment.yaml": shop, "README": "x"})
			before := r.head("main")
			repository := r.repository(url(r))
			result, err := repository.Commit(t.Context(), release)
			if err != nil {
				t.Fatal(err)
			}
			head := r.head("main")
			want := git.Result{Commit: head, Made: true, File: "apps/shop/deployment.yaml", Before: "registry.example.com/shop:v1"}
			if result != want {
				t.Errorf("Commit() = %+v, want %+v", result, want)
			}
			if parent := strings.TrimSpace(r.git("rev-parse", "main^")); parent != before {
				t.Errorf("the commit's parent is %s, and the head was %s", parent, before)
			}
			if got := r.file("main", "apps/shop/deployment.yaml"); got != strings.Replace(shop, "shop:v1", "shop:v2@"+newDigest, 1) {
				t.Errorf("the file became\n%s", got)
			}
			if files := r.git("diff", "--name-only", "main^", "main"); files != "apps/shop/deployment.yaml\n" {
				t.Errorf("the commit changes %q", files)
			}
			message := r.git("log", "-1", "--format=%an <%ae>%n%s%n%(trailers:only)", "main")
			for _, line := range []string{
				"Fairway <fairway@localhost>", "Release shop v2 (4f4f4f4f4f4f) to production",
				"Fairway-Release: R1", "Fairway-Service: shop", "Fairway-Environment: production", "Fairway-Digest: " + newDigest,
			} {
				if !strings.Contains(message, line+"\n") {
					t.Errorf("the commit's message has no line %q:\n%s", line, message)
				}
			}

			again, err := repository.Commit(t.Context(), release)
			if err != nil || again != (git.Result{Commit: head}) || r.head("main") != head {
				t.Errorf("Commit() once more = %+v, %v; the head is %s and was %s", again, err, r.head("main"), head)
			}
			if left, _ := filepath.Glob(filepath.Join(repository.Dir, "clone-*")); len(left) > 0 {
				t.Errorf("clones were left: %v", left)
			}
		})
	}
}

func TestARollbackCommitsTheOldImage(t *testing.T) {
	r := newRemote(t, map[string]string{"apps/shop/deployment.yaml": shop})
	repository := r.repository(r.dir)
	repository.Author = git.Author{Name: "Release Bot", Email: "bot@example.com"}
	for _, change := range []git.Change{release, goBack(), goBack()} {
		if _, err := repository.Commit(t.Context(), change); err != nil {
			t.Fatal(err)
		}
	}
	if got := r.file("main", "apps/shop/deployment.yaml"); !strings.Contains(got, "image: registry.example.com/shop@"+oldDigest+" # by releases\n") {
		t.Errorf("the file became\n%s", got)
	}
	subjects := r.git("log", "--format=%an: %s", "main")
	want := "Release Bot: Take shop back to 0a0a0a0a0a0a in production\nRelease Bot: Release shop v2 (4f4f4f4f4f4f) to production\nAda: Edit by hand\n"
	if subjects != want {
		t.Errorf("the commits are\n%swant\n%s", subjects, want)
	}
}

func TestWhatIsThereAlreadyIsNotCommitted(t *testing.T) {
	r := newRemote(t, map[string]string{"apps/shop/deployment.yaml": strings.Replace(shop, ":v1", "@"+newDigest, 1)})
	head := r.head("main")
	result, err := r.repository(r.dir).Commit(t.Context(), release)
	if err != nil || result != (git.Result{Commit: head}) {
		t.Errorf("Commit() = %+v, %v, want the head %s", result, err, head)
	}
}

func TestWhatSomebodyHasChangedSinceIsLeft(t *testing.T) {
	r := newRemote(t, map[string]string{"apps/shop/deployment.yaml": shop})
	repository := r.repository(r.dir)
	made, err := repository.Commit(t.Context(), release)
	if err != nil {
		t.Fatal(err)
	}
	r.push("main", map[string]string{"apps/shop/deployment.yaml": strings.Replace(shop, "v1", "v3", 1)})
	head := r.head("main")
	again, err := repository.Commit(t.Context(), release)
	if err != nil || again.Commit != made.Commit || !again.Overwritten || !strings.Contains(again.Before, "registry.example.com/shop:v3") || r.head("main") != head {
		t.Errorf("Commit() = %+v, %v, want the commit %s, overwritten", again, err, made.Commit)
	}
}

// A rollback takes its own release back, and nothing that somebody else has written.
func TestARollbackReplacesOnlyItsRelease(t *testing.T) {
	const tagged = "registry.example.com/shop:v1"
	hotfix := "registry.example.com/shop:v3@sha256:" + strings.Repeat("3c", 32)
	back := goBack()
	back.Image, back.Replaces = tagged+"@"+oldDigest, release.Image
	kustomization := func(entry string) map[string]string {
		return map[string]string{
			"apps/shop/deployment.yaml":    shop,
			"apps/shop/kustomization.yaml": "resources: [deployment.yaml]\n" + entry,
		}
	}
	manifest := func(image string) map[string]string {
		return map[string]string{"apps/shop/deployment.yaml": strings.Replace(shop, tagged, image, 1)}
	}
	for name, tc := range map[string]struct {
		files       map[string]string
		made        bool
		overwritten string
	}{
		"the release":                    {manifest(release.Image), true, ""},
		"another one":                    {manifest(hotfix), false, hotfix},
		"another one by its tag":         {manifest("registry.example.com/shop:v3"), false, "registry.example.com/shop:v3"},
		"the previous one":               {manifest(back.Image), false, ""},
		"the previous one by its tag":    {manifest(tagged), false, ""},
		"the release, by Kustomize":      {kustomization("images: [{name: registry.example.com/shop, newTag: v2, digest: '" + newDigest + "'}]\n"), true, ""},
		"another one, by Kustomize":      {kustomization("images: [{name: registry.example.com/shop, newTag: v3}]\n"), false, "registry.example.com/shop:v3"},
		"the previous one, by Kustomize": {kustomization("images: [{name: registry.example.com/shop, newTag: v1}]\n"), false, ""},
		"nothing, by Kustomize":          {kustomization(""), false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRemote(t, tc.files)
			head := r.head("main")
			result, err := r.repository(r.dir).Commit(t.Context(), back)
			if err != nil || result.Made != tc.made || result.Overwritten != (tc.overwritten != "") {
				t.Fatalf("Commit() = %+v, %v", result, err)
			}
			if tc.overwritten != "" && result.Before != tc.overwritten {
				t.Errorf("it says %q there, not %q", result.Before, tc.overwritten)
			}
			if now := r.head("main"); result.Commit != now || (now != head) != tc.made {
				t.Errorf("the head was %s and is %s, and the commit %s", head, now, result.Commit)
			}
		})
	}
	back.Replaces = "registry.example.com/shop:v2"
	if _, err := newRemote(t, manifest(hotfix)).repository("/nowhere").Commit(t.Context(), back); fault.CodeOf(err) != fault.Invalid {
		t.Errorf("an image without a digest is replaced: %v", err)
	}
}

// Somebody commits in the instant in which a rollback does.
func TestARollbackThatIsOvertakenByAnotherImageLeavesIt(t *testing.T) {
	r := newRemote(t, map[string]string{"apps/shop/deployment.yaml": strings.Replace(shop, "registry.example.com/shop:v1", release.Image, 1)})
	other := t.TempDir()
	run(t, "", "git", "clone", "--quiet", r.dir, other)
	wrapGit(t, `
if [ "$1" = push ] && [ ! -e "$mine/pushed" ]; then
  touch "$mine/pushed"
  (unset GIT_INDEX_FILE GIT_CONFIG_COUNT; cd `+other+` && sed -i 's/shop:v2@.*/shop:v3/' apps/shop/deployment.yaml && "$real" commit --quiet --all -m 'Mend it' && "$real" push --quiet origin HEAD:main)
fi`)
	back := goBack()
	back.Replaces = release.Image
	result, err := r.repository(r.dir).Commit(t.Context(), back)
	if err != nil || !result.Overwritten || result.Before != "registry.example.com/shop:v3" {
		t.Errorf("Commit() = %+v, %v", result, err)
	}
	if text := r.file("main", "apps/shop/deployment.yaml"); !strings.Contains(text, "shop:v3") {
		t.Errorf("the file became\n%s", text)
	}
}

func TestABranchThatMovesIsFollowed(t *testing.T) {
	r := newRemote(t, map[string]string{"apps/shop/deployment.yaml": shop})
	other := t.TempDir()
	run(t, "", "git", "clone", "--quiet", r.dir, other)
	wrapGit(t, `
if [ "$1" = push ] && [ ! -e "$mine/pushed" ]; then
  touch "$mine/pushed"
  (unset GIT_INDEX_FILE GIT_CONFIG_COUNT; cd `+other+` && echo more >> apps/shop/deployment.yaml.md && "$real" add --all && "$real" commit --quiet -m 'Overtake' && "$real" push --quiet origin HEAD:main)
fi`)
	result, err := r.repository(r.dir).Commit(t.Context(), release)
	if err != nil || !result.Made {
		t.Fatal(result, err)
	}
	if subjects := r.git("log", "--format=%s", "main"); subjects != "Release shop v2 (4f4f4f4f4f4f) to production\nOvertake\nEdit by hand\n" {
		t.Errorf("the commits are\n%s", subjects)
	}
}

func TestABranchThatNeverRestsIsGivenUp(t *testing.T) {
	r := newRemote(t, map[string]string{"apps/shop/deployment.yaml": shop})
	wrapGit(t, `if [ "$1" = push ]; then printf '!\tx:refs/heads/main\t[rejected] (fetch first)\n'; exit 1; fi`)
	_, err := r.repository(r.dir).Commit(t.Context(), release)
	if fault.CodeOf(err) != fault.Unavailable || !strings.Contains(err.Error(), "10 times") {
		t.Errorf("Commit() = %v", err)
	}
}

func TestManyPushAtOnce(t *testing.T) {
	const pushers = 5
	files := map[string]string{}
	for i := range pushers {
		files[fmt.Sprintf("apps/s%d/deployment.yaml", i)] = shop
	}
	r := newRemote(t, files)
	shared := filepath.Join(t.TempDir(), "git")
	var all sync.WaitGroup
	for i := range pushers {
		all.Go(func() {
			repository, change := r.repository(r.dir), release
			repository.Dir, repository.Place.Path = shared, fmt.Sprintf("apps/s%d", i)
			change.Service = fmt.Sprintf("s%d", i)
			if result, err := repository.Commit(t.Context(), change); err != nil || !result.Made {
				t.Errorf("s%d: %+v, %v", i, result, err)
			}
		})
	}
	all.Wait()
	for name := range files {
		if text := r.file("main", name); !strings.Contains(text, newDigest) {
			t.Errorf("%s is\n%s", name, text)
		}
	}
	if n := r.commits("main"); n != 1+pushers {
		t.Errorf("the branch has %d commits", n)
	}
	if merges := r.git("log", "--merges", "main"); merges != "" {
		t.Errorf("there are merges:\n%s", merges)
	}
}

// A worker that is killed around its push has either pushed or not; the next call finds
// out which, and the change is there once.
func TestAKillAroundThePushLosesAndDoublesNothing(t *testing.T) {
	for name, tc := range map[string]struct {
		script  string
		commits int // that the killed call leaves on the branch
	}{
		"before it": {`if [ "$1" = push ] && [ -n "$` + committer + `" ]; then kill -9 $PPID; exit 1; fi`, 1},
		"after it":  {`if [ "$1" = push ] && [ -n "$` + committer + `" ]; then "$real" "$@"; kill -9 $PPID; exit 1; fi`, 2},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRemote(t, map[string]string{"apps/shop/deployment.yaml": shop})
			wrapGit(t, tc.script)
			repository := r.repository(r.dir)
			told, err := json.Marshal(repository)
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), committer+"="+string(told))
			out, err := cmd.CombinedOutput()
			if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGKILL {
				t.Fatalf("it was not killed: %v\n%s", err, out)
			}
			if n := r.commits("main"); n != tc.commits {
				t.Fatalf("the killed call left %d commits", n)
			}
			if left, _ := filepath.Glob(filepath.Join(repository.Dir, "clone-*")); len(left) != 1 {
				t.Fatalf("the killed call left the clones %v", left)
			}

			result, err := repository.Commit(t.Context(), release)
			if err != nil || result.Commit != r.head("main") || result.Made != (tc.commits == 1) {
				t.Errorf("Commit() = %+v, %v", result, err)
			}
			if n := r.commits("main"); n != 2 {
				t.Errorf("the branch has %d commits", n)
			}
			if left, _ := filepath.Glob(filepath.Join(repository.Dir, "clone-*")); len(left) > 0 {
				t.Errorf("clones were left: %v", left)
			}
		})
	}
}

func TestWhatCannotBeCommittedSaysWhy(t *testing.T) {
	files := map[string]string{"apps/shop/deployment.yaml": shop}
	for name, tc := range map[string]struct {
		spoil func(*remote, *git.Repository)
		code  fault.Code
		says  string
	}{
		"a hook refuses": {func(r *remote, _ *git.Repository) {
			r.hook("pre-receive", "echo 'main is protected'; echo 'ask the owners' >&2; exit 1")
		}, fault.Denied, "(pre-receive hook declined): main is protected; ask the owners"},
		"the branch does not exist": {func(_ *remote, g *git.Repository) { g.Branch = "gone" }, fault.NotFound, "no branch gone"},
		"the path does not exist":   {func(_ *remote, g *git.Repository) { g.Place.Path = "apps/sh" }, fault.NotFound, `no "apps/sh"`},
		"the repository is not there": {func(r *remote, g *git.Repository) { g.URL = r.dir + "x" },
			fault.NotFound, "does not appear to be a git repository"},
		"a password is needed": {func(r *remote, g *git.Repository) { g.URL = r.overHTTP("hunter22") }, fault.Denied, "fetch from http://127.0.0.1"},
		"the token is wrong": {func(r *remote, g *git.Repository) {
			t.Setenv("DEPLOY_TOKEN", "hunter23")
			g.URL, g.Token = r.overHTTP("hunter22"), "env:DEPLOY_TOKEN"
		}, fault.Denied, "uthentication failed"},
		"the token is not there": {func(r *remote, g *git.Repository) { g.URL, g.Token = "https://127.0.0.1/x", "env:NO_SUCH_TOKEN" },
			fault.Invalid, "NO_SUCH_TOKEN"},
		"the token would be read by others": {func(r *remote, g *git.Repository) { g.URL, g.Token = "http://git.example.com/x", "env:HOME" },
			fault.Invalid, "readable on its way"},
		"nobody listens": {func(_ *remote, g *git.Repository) { g.URL = "http://127.0.0.1:1/x" }, fault.Unavailable, "127.0.0.1"},
		"a URL that runs a program": {func(_ *remote, g *git.Repository) { g.URL = "ext::sh -c true" },
			fault.Invalid, "transport"},
		"a URL that is an option":    {func(_ *remote, g *git.Repository) { g.URL = "--upload-pack=true" }, fault.Invalid, "no URL"},
		"a branch that is a refspec": {func(_ *remote, g *git.Repository) { g.Branch = "a:b" }, fault.Invalid, "no name of a branch"},
		"an author who is none":      {func(_ *remote, g *git.Repository) { g.Author.Name = "x" }, fault.Invalid, "author"},
		"there is no git":            {func(*remote, *git.Repository) { t.Setenv("PATH", t.TempDir()) }, fault.Unavailable, "no git"},
	} {
		t.Run(name, func(t *testing.T) {
			path := os.Getenv("PATH")
			r := newRemote(t, files)
			repository := r.repository(r.dir)
			tc.spoil(r, &repository)
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			result, err := repository.Commit(ctx, release)
			_ = os.Setenv("PATH", path)
			if fault.CodeOf(err) != tc.code || !strings.Contains(err.Error(), tc.says) {
				t.Fatalf("Commit() = %+v, %v (%s), want %s and %q", result, err, fault.CodeOf(err), tc.code, tc.says)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("it shows a password: %v", err)
			}
			if n := r.commits("main"); n != 1 {
				t.Errorf("the branch has %d commits", n)
			}
		})
	}
}

func TestATokenOpensAnHTTPRepository(t *testing.T) {
	r := newRemote(t, map[string]string{"apps/shop/deployment.yaml": shop})
	t.Setenv("DEPLOY_TOKEN", "hunter22")
	repository := r.repository(r.overHTTP("hunter22"))
	repository.Token = "env:DEPLOY_TOKEN"
	if result, err := repository.Commit(t.Context(), release); err != nil || !result.Made {
		t.Errorf("Commit() = %+v, %v", result, err)
	}
}

func TestAChangeIsOneLineEach(t *testing.T) {
	for _, spoil := range []func(*git.Change){
		func(c *git.Change) { c.Release = "" },
		func(c *git.Change) { c.Service = "a\nFairway-Release: R2" },
		func(c *git.Change) { c.Environment = " production" },
		func(c *git.Change) { c.Image = "shop:v1" },
	} {
		change := release
		spoil(&change)
		if _, err := newRemote(t, map[string]string{"a": "b"}).repository("/nowhere").Commit(t.Context(), change); fault.CodeOf(err) != fault.Invalid {
			t.Errorf("Commit(%+v) = %v", change, err)
		}
	}
}
