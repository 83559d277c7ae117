package stage

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/fairwayhq/fairway/internal/command"
	"github.com/fairwayhq/fairway/internal/secret"
)

// Commands run the commands of jobs and checks, as processes that outlive the
// worker; package command has them. Every verb may be repeated.
type Commands interface {
	// Start does nothing if what has the ID runs, has ended, or was stopped.
	Start(ctx context.Context, id string, spec command.Spec) error
	Observe(id string) (command.State, error)
	// Stop returns when nothing of the command is left; from then on it never starts.
	Stop(ctx context.Context, id string) error
	// Where tells the commands of this machine from those of others.
	Where() string
}

// commandID is the ID of the stage's own command: whoever has the release's task
// later finds by it what an earlier worker has begun. Each region has its own.
func commandID(task Task) string {
	return strings.Join([]string{task.Release, strings.ReplaceAll(task.place(), "/", "."), task.Stage.Name}, ".")
}

// places names the machines on which a command may have begun, with the worker that
// was there. They are remembered before the start.
type places map[string]string

func (p places) with(where, worker string) places {
	all := places{where: worker}
	maps.Copy(all, p)
	return all
}

func (p places) without(where string) places {
	rest := maps.Clone(p)
	delete(rest, where)
	return rest
}

func (p places) String() string {
	return "worker " + strings.Join(slices.Sorted(maps.Values(p)), ", worker ")
}

// moved tells that a command begins anew on another machine than before.
func moved(kind, what string, task Task, before places) Line {
	return Line{Kind: kind, Text: fmt.Sprintf("The %s of stage %s begins anew on worker %s; where it may have begun before: %s.",
		what, task.Stage.Name, task.Held, before)}
}

// elsewhere asks a person about a command that cannot be stopped from here.
func elsewhere(memory any, what string, where places) Outcome {
	return Outcome{Status: Failed, State: remember(memory), Reason: fmt.Sprintf(
		"its %s was begun on the machine of %s, and from here it is not known whether it still runs; end it there", what, where)}
}

// recallUndo reads what an undoing has to know: what the stage left, or an earlier try.
func recallUndo(task Task, memory any) error {
	if len(task.State) == 0 {
		task.State = task.Memories[task.Stage.Name]
	}
	return recall(task, memory)
}

// specOf makes a command with all that it may know: what every service inherits, the
// config and the secrets that the revision runs with, what the stage adds, and what
// it is about. A secret that cannot be read is fault.Invalid.
func specOf(task Task, args []string, own, ownSecrets map[string]string) (command.Spec, error) {
	env := secret.Inherited()
	maps.Copy(env, task.Revision.Config.Env)
	secrets, err := secret.Resolve(task.Revision.Config.Secrets)
	if err != nil {
		return command.Spec{}, err
	}
	maps.Copy(env, secrets)
	maps.Copy(env, own)
	more, err := secret.Resolve(ownSecrets)
	if err != nil {
		return command.Spec{}, err
	}
	maps.Copy(env, more)
	maps.Copy(secrets, more)
	maps.Copy(env, map[string]string{
		"FAIRWAY_RELEASE": task.Release, "FAIRWAY_SERVICE": task.Service, "FAIRWAY_ENVIRONMENT": task.Environment, "FAIRWAY_REGION": task.Region,
		"FAIRWAY_VERSION": task.Revision.Version, "FAIRWAY_REVISION": task.Revision.ID,
		"FAIRWAY_DIGEST": task.Revision.Artifact.Digest, "FAIRWAY_ARTIFACT": task.Revision.Artifact.Ref,
	})
	return command.Spec{Args: args, Env: env, Secrets: secrets, Dir: folderOf(task.Revision.Artifact.Ref)}, nil
}

// folderOf is where a command runs: the folder of an artifact that lies on this
// machine, so that what lies beside it is found by its name. Otherwise it is empty:
// the command has a folder of its own, and never the one that the worker happened to
// be started in.
func folderOf(artifact string) string {
	if u, err := url.Parse(artifact); err == nil && u.Scheme != "" {
		if u.Scheme != "file" {
			return ""
		}
		artifact = u.Path
	}
	info, err := os.Stat(artifact)
	if err != nil {
		return ""
	}
	folder, err := filepath.Abs(artifact)
	if err != nil {
		return ""
	}
	if !info.IsDir() {
		folder = filepath.Dir(folder)
	}
	return folder
}

// masked takes the values of the revision's secrets out of a text. Those that cannot
// be read here were not read by what the text is about either.
func masked(task Task, text string) string {
	values := map[string]string{}
	for name, reference := range task.Revision.Config.Secrets {
		if one, err := secret.Resolve(map[string]string{name: reference}); err == nil {
			maps.Copy(values, one)
		}
	}
	return secret.NewMask(values).Text(text)
}

// commandFailed says in a sentence how a command ended that did not end well.
func commandFailed(what string, args []string, s command.State) string {
	how := "failed: " + s.How
	if s.Phase == command.Stopped {
		how = "was stopped before it ended"
	}
	text := fmt.Sprintf("%s %q %s", what, strings.Join(args, " "), how)
	if s.Phase == command.Lost {
		text += "; look what it has done before you release again"
	}
	if printed := strings.TrimSpace(lastBytes(s.Output, mostOutput)); printed != "" {
		text += "; it printed: " + printed
	}
	return text
}

// mostOutput is how many bytes of a command's last output are told.
const mostOutput = 2000

func lastBytes(text string, most int) string {
	return strings.ToValidUTF8(text[max(0, len(text)-most):], "")
}

// running says how long a command has run, and what it printed last.
func running(what string, s command.State, now time.Time) string {
	text := what + " runs."
	if age := now.Sub(s.StartedAt).Truncate(time.Second); age > 0 {
		text = fmt.Sprintf("%s has run for %s.", what, age)
	}
	if line := lastLine(s.Output); line != "" {
		text = fmt.Sprintf("%s; last line: %s", strings.TrimSuffix(text, "."), line)
	}
	return text
}

// mostLine is how many characters of a line are told.
const mostLine = 200

// lastLine is the last line with something to see in it. What a terminal would have
// drawn over, as of a progress bar, is left out.
func lastLine(output string) string {
	rest := strings.TrimSpace(output)
	rest = rest[strings.LastIndexAny(rest, "\r\n")+1:]
	rest = strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return -1
		}
		return r
	}, rest))
	if runes := []rune(rest); len(runes) > mostLine {
		rest = string(runes[:mostLine]) + "…"
	}
	return rest
}

// The time between two looks at a command: soon for one that has just begun, so
// that a fast one costs little, then by its age.
const (
	firstLook = 50 * time.Millisecond
	laterLook = 500 * time.Millisecond
)

func nextLook(s command.State, now time.Time) time.Duration {
	return min(max(now.Sub(s.StartedAt)/4, firstLook), laterLook)
}
