package script

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

type script = testscript.TestScript

// commands are what stories know beside the commands of testscript.
var commands = map[string]func(ts *script, neg bool, args []string){
	"server": server, "exits": exits, "until": until, "port": port, "fill": fill, "keep": keep,
	"json": isJSON, "get": get, "users": usersCommand, "hook": hookCommand, "big": big, "signal": signalCommand,
	"room": room, "router": routerCommand, "postgres": postgresCommand,
}

// server start [FLAG…] | stop | kill: the story's server; its address is in FAIRWAY_SERVER
// and LISTENS.
func server(ts *script, _ bool, args []string) {
	s := of(ts)
	switch {
	case len(args) > 0 && args[0] == "start":
		url, err := s.start(environ(ts), args[1:]...)
		ts.Check(err)
		ts.Setenv("FAIRWAY_SERVER", url)
		ts.Setenv("LISTENS", strings.TrimPrefix(url, "http://"))
	case len(args) == 1 && args[0] == "stop":
		ts.Check(s.stop(syscall.SIGTERM))
	case len(args) == 1 && args[0] == "kill":
		ts.Check(s.stop(syscall.SIGKILL))
	default:
		ts.Fatalf("usage: server start [FLAG…] | stop | kill")
	}
}

func environ(ts *script) []string {
	env := os.Environ()
	for _, name := range []string{"HOME", "TZ", "WORK", "FAIRWAY_DATA_DIR"} {
		env = append(env, name+"="+ts.Getenv(name))
	}
	return env
}

// exits CODE COMMAND…: the command ends with just that code.
func exits(ts *script, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND…")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	cmd := command(ts, args[1:])
	cmd.Stdout, cmd.Stderr = ts.Stdout(), ts.Stderr()
	ts.Check(cmd.Start())
	late := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	err = cmd.Wait()
	if !late.Stop() {
		ts.Fatalf("it did not end within %s", patience)
	}
	if got := codeOf(ts, err); got != want {
		ts.Fatalf("it ended with %d, not %d", got, want)
	}
}

// command is a command with the story's folder and environment.
func command(ts *script, args []string) *exec.Cmd {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir = ts.MkAbs(".")
	cmd.Env = append(environ(ts), "FAIRWAY_SERVER="+ts.Getenv("FAIRWAY_SERVER"), "FAIRWAY_TOKEN="+ts.Getenv("FAIRWAY_TOKEN"))
	return cmd
}

func codeOf(ts *script, err error) int {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return exit.ExitCode()
	}
	ts.Check(err)
	return -1
}

// until REGEXP COMMAND…: run the command again until its output matches.
func until(ts *script, neg bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: [!] until REGEXP COMMAND…")
	}
	want, err := regexp.Compile("(?m)" + args[0])
	ts.Check(err)
	for end := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		out, _ := output(ts, args[1:])
		if want.MatchString(out) != neg {
			fmt.Fprint(ts.Stdout(), out)
			return
		}
		if time.Now().After(end) {
			ts.Fatalf("%s: never came; the last was:\n%s", args[0], out)
		}
	}
}

// output runs a command quietly, so that a story that waits stays readable.
func output(ts *script, args []string) (string, error) {
	if args[0] == "get" {
		_, body, err := ask(args[1])
		return body, err
	}
	out, err := command(ts, args).CombinedOutput()
	return string(out), err
}

// port NAME…: puts free ports into the environment.
func port(ts *script, _ bool, names []string) {
	for _, name := range names {
		p, err := freePort()
		ts.Check(err)
		ts.Setenv(name, strconv.Itoa(p))
	}
}

var blank = regexp.MustCompile(`\$\{[A-Z_0-9]+\}`)

// fill FILE…: replaces every ${NAME} in the files by the variable.
func fill(ts *script, _ bool, files []string) {
	for _, name := range files {
		text := blank.ReplaceAllStringFunc(ts.ReadFile(name), func(v string) string { return ts.Getenv(v[2 : len(v)-1]) })
		ts.Check(os.WriteFile(ts.MkAbs(name), []byte(text), 0o644))
	}
}

// keep NAME [KEY…]: puts the last output, or what its JSON has there, into the environment.
func keep(ts *script, _ bool, args []string) {
	if len(args) == 0 {
		ts.Fatalf("usage: keep NAME [KEY…]")
	}
	text := strings.TrimSpace(ts.ReadFile("stdout"))
	if len(args) > 1 {
		text = lookUp(ts, text, args[1:])
	}
	if text == "" {
		ts.Fatalf("there is nothing to keep")
	}
	ts.Setenv(args[0], text)
}

// json [KEY… = VALUE]: every line of the last output is JSON, and the last has the value there.
func isJSON(ts *script, neg bool, args []string) {
	lines := strings.Split(strings.TrimSpace(ts.ReadFile("stdout")), "\n")
	for _, line := range lines {
		if !json.Valid([]byte(line)) {
			ts.Fatalf("this is not JSON: %s", line)
		}
	}
	if len(args) == 0 {
		return
	}
	if len(args) < 3 || args[len(args)-2] != "=" {
		ts.Fatalf("usage: [!] json [KEY… = VALUE]")
	}
	want := args[len(args)-1]
	if got := lookUp(ts, lines[len(lines)-1], args[:len(args)-2]); (got == want) == neg {
		ts.Fatalf("%s is %q", strings.Join(args[:len(args)-2], "."), got)
	}
}

func lookUp(ts *script, text string, keys []string) string {
	var v any
	ts.Check(json.Unmarshal([]byte(text), &v))
	for _, key := range keys {
		switch at := v.(type) {
		case map[string]any:
			v = at[key]
		case []any:
			n, err := strconv.Atoi(key)
			if err != nil || n >= len(at) {
				ts.Fatalf("there is no element %s", key)
			}
			v = at[n]
		default:
			ts.Fatalf("there is nothing at %s", key)
		}
	}
	if s, ok := v.(string); ok {
		return s
	}
	b, err := json.Marshal(v)
	ts.Check(err)
	return string(b)
}

// get URL [STATUS]: asks for a page; 200 is expected if nothing else is said.
func get(ts *script, neg bool, args []string) {
	if len(args) == 0 {
		ts.Fatalf("usage: [!] get URL [STATUS]")
	}
	want := http.StatusOK
	if len(args) > 1 {
		var err error
		want, err = strconv.Atoi(args[1])
		ts.Check(err)
	}
	status, body, err := ask(args[0])
	fmt.Fprint(ts.Stdout(), body)
	if ok := err == nil && status == want; ok == neg {
		ts.Fatalf("%s answered %d (%v)", args[0], status, err)
	}
}

var asker = http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}

func ask(url string) (int, string, error) {
	answer, err := asker.Get(url)
	if err != nil {
		return 0, "", err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	return answer.StatusCode, string(body), err
}

// signal NAME PIDFILE: sends a signal to the process that wrote its pid there.
func signalCommand(ts *script, _ bool, args []string) {
	signals := map[string]syscall.Signal{"KILL": syscall.SIGKILL, "TERM": syscall.SIGTERM}
	if len(args) != 2 || signals[args[0]] == 0 {
		ts.Fatalf("usage: signal KILL|TERM PIDFILE")
	}
	pid, err := strconv.Atoi(strings.TrimSpace(ts.ReadFile(args[1])))
	ts.Check(err)
	ts.Check(syscall.Kill(pid, signals[args[0]]))
}

// router end FOLDER: ends the router of a data folder, as a restart of the machine does.
func routerCommand(ts *script, neg bool, args []string) {
	if neg || len(args) != 2 || args[0] != "end" {
		ts.Fatalf("usage: router end FOLDER")
	}
	endRouter(ts.MkAbs(args[1]))
}

// big FILE BYTES TEXT: makes a file by writing the text again and again.
func big(ts *script, _ bool, args []string) {
	if len(args) != 3 {
		ts.Fatalf("usage: big FILE BYTES TEXT")
	}
	size, err := strconv.Atoi(args[1])
	ts.Check(err)
	text := args[2] + "\n"
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(strings.Repeat(text, size/len(text)+1)), 0o644))
}
