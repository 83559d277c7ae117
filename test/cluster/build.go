package cluster

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/fairwayhq/fairway/internal/process"
)

// built says where what a cluster runs lies.
type built struct {
	cache      string // the folder that all of it is in
	kubernetes string // the program that is every component, by its first argument
	traefik    string // empty where no gateway is asked for, or nothing to run it on
	crds       string // the folder with the Gateway API's resource definitions, or empty
}

// part is what comes out of one nested module.
type part struct {
	name  string // the module's folder, and the file that it becomes
	flags []string
	make  func(ctx context.Context, module, target string) error
}

var (
	// goFlags make programs that do not depend on who builds them, nor on a C library:
	// they must run in an image that has none.
	goFlags = []string{"-trimpath", "-buildvcs=false"}

	kubernetes = part{name: "kubernetes", flags: goFlags, make: makeKubernetes}
	traefik    = part{name: "traefik", flags: goFlags, make: makeTraefik}
	gateway    = part{name: "gateway", make: makeCRDs}
)

// build builds what is not in the cache. It is safe to be called by several processes:
// one builds, the others wait for it.
func build(ctx context.Context, o Options, say func(format string, args ...any)) (built, error) {
	root, err := projectRoot(ctx)
	if err != nil {
		return built{}, err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return built{}, fmt.Errorf("find a place for what is built once: %w", err)
	}
	b := built{cache: filepath.Join(cache, "fairway", "cluster")}
	if err := os.MkdirAll(b.cache, 0o755); err != nil {
		return built{}, err
	}
	get := func(p part) (string, error) {
		return p.get(ctx, b.cache, filepath.Join(root, "test", "cluster", p.name), say)
	}
	if b.kubernetes, err = get(kubernetes); err != nil {
		return built{}, err
	}
	if o.Gateway {
		if b.crds, err = get(gateway); err != nil {
			return built{}, err
		}
	}
	if o.Gateway && o.Node {
		if b.traefik, err = get(traefik); err != nil {
			return built{}, err
		}
	}
	return b, nil
}

// get returns where the part lies in the cache, after building it if need be.
func (p part) get(ctx context.Context, cache, module string, say func(string, ...any)) (string, error) {
	key, err := p.key(module)
	if err != nil {
		return "", fmt.Errorf("find out what %s is built from: %w", p.name, err)
	}
	target := filepath.Join(cache, p.name+"-"+key)
	if exists(target) {
		return target, nil
	}
	unlock, err := process.WaitLock(ctx, filepath.Join(cache, "lock"), syscall.LOCK_EX)
	if err != nil {
		return "", fmt.Errorf("wait for another build: %w", err)
	}
	defer unlock()
	if exists(target) {
		return target, nil
	}
	half, err := freshFolder(cache)
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(half)
	say("Building %s, once; this takes some minutes.", p.name)
	begin, used := time.Now(), childrensTime()
	made := filepath.Join(half, p.name)
	if err := p.make(ctx, module, made); err != nil {
		return "", fmt.Errorf("build %s: %w", p.name, err)
	}
	say("Built %s in %.0f s (%.0f s of processor time).", p.name, time.Since(begin).Seconds(), (childrensTime() - used).Seconds())
	return target, os.Rename(made, target)
}

// freshFolder makes the folder to build in. Who calls has the lock, so what lies there
// of others was left by a build that was killed; whatever of it still runs may go on and
// finds no folder to write to.
func freshFolder(cache string) (string, error) {
	const pattern = "half-built-*"
	left, _ := filepath.Glob(filepath.Join(cache, pattern))
	for _, dir := range left {
		if err := os.RemoveAll(dir); err != nil {
			return "", err
		}
	}
	return os.MkdirTemp(cache, pattern)
}

// key tells one state of a module and of the way that it is built from another.
func (p part) key(module string) (string, error) {
	hash := sha256.New()
	fmt.Fprintln(hash, runtime.GOARCH, p.flags)
	err := filepath.WalkDir(module, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		fmt.Fprintln(hash, d.Name(), len(text))
		_, _ = hash.Write(text)
		return err
	})
	return hex.EncodeToString(hash.Sum(nil))[:12], err
}

func makeKubernetes(ctx context.Context, module, target string) error {
	version, err := goCommand(ctx, module, "list", "-m", "-f", "{{.Version}}", "k8s.io/kubernetes")
	if err != nil {
		return err
	}
	return compile(ctx, module, target, ".", stamp(version))
}

// stamp writes the version into the program, as Kubernetes' own build does: clients read
// what the server says it is, and cannot do with nothing.
func stamp(version string) string {
	major, rest, _ := strings.Cut(strings.TrimPrefix(version, "v"), ".")
	minor, _, _ := strings.Cut(rest, ".")
	var flags strings.Builder
	for _, pkg := range []string{"k8s.io/component-base/version", "k8s.io/client-go/pkg/version"} {
		for _, v := range [][2]string{
			{"gitVersion", version}, {"gitMajor", major}, {"gitMinor", minor},
			{"gitTreeState", "clean"}, {"gitCommit", "unknown"}, {"buildDate", "1970-01-01T00:00:00Z"},
		} {
			fmt.Fprintf(&flags, " -X %s.%s=%s", pkg, v[0], v[1])
		}
	}
	return flags.String()
}

func makeTraefik(ctx context.Context, module, target string) error {
	return compile(ctx, module, target, "github.com/traefik/traefik/v3/cmd/traefik", "")
}

// makeCRDs takes the manifests out of the module that has the Gateway API's Go types.
func makeCRDs(ctx context.Context, module, target string) error {
	said, err := goCommand(ctx, module, "mod", "download", "-json", "sigs.k8s.io/gateway-api")
	if err != nil {
		return err
	}
	var downloaded struct{ Dir string }
	if err := json.Unmarshal([]byte(said), &downloaded); err != nil {
		return err
	}
	return os.CopyFS(target, os.DirFS(filepath.Join(downloaded.Dir, "config", "crd", "standard")))
}

func compile(ctx context.Context, module, target, pkg, ldflags string) error {
	args := append([]string{"build", "-o", target, "-ldflags", "-s -w" + ldflags}, goFlags...)
	_, err := goCommand(ctx, module, append(args, pkg)...)
	return err
}

// goCommand runs go in a nested module, whatever the project around it is built with.
func goCommand(ctx context.Context, dir string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off")
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		err = fmt.Errorf("go %s: %w: %s", args[0], err, exit.Stderr)
	}
	return strings.TrimSpace(string(out)), err
}

// projectRoot is the folder of the project, of whose module the caller is a part.
func projectRoot(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("find the project's folder: %w", err)
	}
	return filepath.Dir(strings.TrimSpace(string(out))), nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// childrensTime is the processor time of all ended children of this process.
func childrensTime() time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_CHILDREN, &used); err != nil {
		return 0
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
