package host_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/platform"
	"github.com/fairwayhq/fairway/internal/platform/host"
)

func TestAServiceGetsItsConfigAndNothingOfTheWorkers(t *testing.T) {
	r := newRig(t)
	t.Setenv("WORKER_TOKEN", "not for services")
	t.Setenv("DB_PASSWORD", "from the environment")
	file := filepath.Join(r.dir, "secret")
	if err := os.WriteFile(file, []byte("from a file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	v1 := r.revision("v1", "ok", with("env", map[string]string{"ADDRESS": "$HOST:$PORT", "COLOUR": "blue"}))
	v1.Config = platform.Config{
		Env:     map[string]string{"COLOUR": "green", "PRICE": "$PORT"},
		Files:   []platform.File{{Path: "greeting", Content: []byte("good day")}},
		Secrets: map[string]string{"PASSWORD": "env:DB_PASSWORD", "KEY": "file:" + file},
	}
	state := r.ready(v1, 1)
	r.route(platform.Weights{v1.ID: platform.Whole})
	for path, want := range map[string]string{
		"/env/WORKER_TOKEN": "", "/env/ADDRESS": state.Instances[0].Address, "/env/COLOUR": "green", "/env/PRICE": "$PORT",
		"/env/PASSWORD": "from the environment", "/env/KEY": "from a file", "/file/greeting": "good day", "/env/FAIRWAY_VERSION": "v1",
	} {
		if _, got, err := r.get(path); err != nil || got != want {
			t.Errorf("%s is %q, %v; want %q", path, got, err, want)
		}
	}
	for _, secret := range []string{"from the environment", "from a file"} {
		if found := holding(t, filepath.Join(r.dir, "host"), secret); len(found) > 0 {
			t.Errorf("the secret %q lies in %v", secret, found)
		}
	}
}

func TestWhatAServicePrintsOfItsSecretsStaysOnTheMachine(t *testing.T) {
	r := newRig(t)
	file := filepath.Join(r.dir, "secret")
	if err := os.WriteFile(file, []byte("hunter2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	v1 := r.revision("v1", "chatterbox")
	v1.Config.Secrets = map[string]string{"PASSWORD": "file:" + file}
	r.place(v1, 1)
	if message := r.failed(v1.ID); !strings.Contains(message, "login with [secret PASSWORD] failed") || strings.Contains(message, "hunter2") {
		t.Errorf("the failure tells %q", message)
	}
	logs, err := r.Logs(t.Context(), shop, v1.ID, 10)
	if text := strings.Join(logs, "\n"); err != nil || !strings.Contains(text, "[secret PASSWORD]") || strings.Contains(text, "hunter2") {
		t.Errorf("the logs are told as %q, %v", text, err)
	}
	if found := holding(t, filepath.Join(r.dir, "host"), "login with hunter2 failed"); len(found) != 1 || filepath.Base(found[0]) != "log" {
		t.Errorf("the log of the service is not as it was printed: %q", found)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	logs, err = r.Logs(t.Context(), shop, v1.ID, 10)
	if text := strings.Join(logs, "\n"); err != nil || strings.Contains(text, "login") || !strings.Contains(text, "PASSWORD") {
		t.Errorf("without the secret the logs are told as %q, %v", text, err)
	}
}

// holding returns the files below dir that contain the text.
func holding(t *testing.T, dir, text string) (found []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		raw, err := os.ReadFile(path)
		if strings.Contains(string(raw), text) {
			found = append(found, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestARevisionThatIsWrongInItselfIsRefused(t *testing.T) {
	r := newRig(t)
	for name, spoil := range map[string]func(*platform.Revision){
		"a secret that is not there": func(v *platform.Revision) { v.Config.Secrets = map[string]string{"A": "env:FAIRWAY_NO_SUCH"} },
		"a secret without a kind":    func(v *platform.Revision) { v.Config.Secrets = map[string]string{"A": "hunter2"} },
		"a file that leads out":      func(v *platform.Revision) { v.Config.Files = []platform.File{{Path: "../../target.json"}} },
		"a variable with an equals":  func(v *platform.Revision) { v.Config.Env = map[string]string{"A=B": "c"} },
		"a digest of another form":   func(v *platform.Revision) { v.Artifact.Digest = "sha256:../../x" },
		"no settings":                func(v *platform.Revision) { v.Settings = nil },
		"no ID":                      func(v *platform.Revision) { v.ID = "" },
	} {
		t.Run(name, func(t *testing.T) {
			v1 := r.revision("v1", "ok")
			spoil(&v1)
			err := r.Place(t.Context(), r.lease, shop, v1, platform.Capacity{Instances: 1})
			if fault.CodeOf(err) != fault.Invalid || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("got %q: %v", fault.CodeOf(err), err)
			}
		})
	}
	if s := r.observe(); len(s.Revisions) != 0 {
		t.Errorf("something was placed: %+v", s)
	}
}

func TestParseSettings(t *testing.T) {
	s, err := host.ParseSettings([]byte(`{"run":["./shop","--port","$PORT"],"listen":"127.0.0.1:8080","hosts":["shop.test"],
		"ready":{"path":"/healthz","status":200,"timeout":"45s","interval":"100ms"},"instances":2,"stopTimeout":"3s","drain":"1m","env":{"A":"b"},"sticky":{"cookie":"user"}}`))
	if err != nil || s.Ready.Timeout != host.Duration(45*time.Second) || s.Instances != 2 || s.Sticky.Cookie != "user" {
		t.Errorf("the full form: %+v, %v", s, err)
	}
	s, err = host.ParseSettings([]byte(`{"run":"./shop --name 'my shop' --port=$PORT","listen":":8080"}`))
	if want := []string{"./shop", "--name", "my shop", "--port=$PORT"}; err != nil || !slices.Equal(s.Run, want) {
		t.Errorf("the short form runs %q, %v", s.Run, err)
	}
	if s.Ready.Path != "/" || s.Ready.Timeout != host.Duration(30*time.Second) || s.Instances != 1 || s.StopTimeout != host.Duration(10*time.Second) {
		t.Errorf("the defaults are %+v", s)
	}
}

func TestSettingsNameEveryFault(t *testing.T) {
	for raw, want := range map[string][]string{
		`{"run":[],"listen":"","ready":{"path":"x","status":99,"timeout":"0s","interval":"1ms"},"instances":-1}`: {"run:", "listen:", "ready.path:", "ready.status:", "ready.timeout:", "ready.interval:", "instances:"},
		`{"run":"x","listen":"nowhere","hosts":["a b"],"stopTimeout":"-1s","drain":"-1s","env":{"A=":""},"sticky":{"cookie":"a","header":"b"}}`: {
			"listen:", "hosts[0]:", "stopTimeout:", "drain:", "env:", "sticky:"},
		`{"run":"x","listen":":1","prot":1}`:                   {`"prot"`},
		`{"run":"x","listen":":1","drain":30}`:                 {"duration"},
		`{"run":"x","listen":":1","drain":"soon"}`:             {"duration"},
		`{"run":"it's","listen":":1"}`:                         {"quote"},
		`{"run":"x\\","listen":":1"}`:                          {"backslash"},
		`{"run":7,"listen":":1"}`:                              {"run:"},
		`{"run":"x","listen":":1"} {}`:                         {"after"},
		`{"run":"x","listen":":1","ready":{"path":"/","x":1}}`: {`"x"`},
	} {
		_, err := host.ParseSettings([]byte(raw))
		if fault.CodeOf(err) != fault.Invalid {
			t.Errorf("%s: got %v", raw, err)
			continue
		}
		for _, key := range want {
			if !strings.Contains(err.Error(), key) {
				t.Errorf("%s: nothing about %s in %v", raw, key, err)
			}
		}
	}
}
