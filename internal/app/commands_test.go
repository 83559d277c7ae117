package app

import (
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/fairwayhq/fairway/internal/fault"
)

func TestTheWorkersEnvironmentsAreNamed(t *testing.T) {
	got, err := named([]string{"staging", " production"})
	if want := []string{"staging", "production"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("named = %q, %v; want %q", got, err, want)
	}
	for _, bad := range []string{"", "staging,", " ", ",production"} {
		cmd := serverCommand()
		cmd.SetArgs([]string{"--data-dir", t.TempDir(), "--listen", "127.0.0.1:0", "--worker-environments", bad})
		cmd.SetOut(io.Discard)
		cmd.SetErr(io.Discard)
		if err := cmd.ExecuteContext(t.Context()); fault.CodeOf(err) != fault.Invalid {
			t.Errorf("--worker-environments %q: %v, want it refused", bad, err)
		}
	}
	cmd := serverCommand()
	cmd.SetArgs([]string{"--no-worker", "--worker-environments", "staging"})
	cmd.SetOut(io.Discard)
	cmd.SetErr(io.Discard)
	if err := cmd.ExecuteContext(t.Context()); err == nil || !strings.Contains(err.Error(), "worker-environments") {
		t.Errorf("without a worker the flag makes no sense, but the error is %v", err)
	}
}

func TestAWorkerIsNotStartedWithoutPlaces(t *testing.T) {
	for flag, values := range map[string][]string{"parallel": {"0", "-1", "10001"}, "parallel-jobs": {"0", "-1"}} {
		for _, value := range values {
			inside := serverCommand()
			inside.SetArgs([]string{"--data-dir", t.TempDir(), "--listen", "127.0.0.1:0", "--worker-" + flag, value})
			beside := workerCommand()
			beside.Flags().String("server", "http://127.0.0.1:1", "")
			beside.SetArgs([]string{"--data-dir", t.TempDir(), "--token-file", "none", "--" + flag, value})
			for name, cmd := range map[string]*cobra.Command{"--worker-" + flag: inside, "--" + flag: beside} {
				cmd.SetOut(io.Discard)
				cmd.SetErr(io.Discard)
				if err := cmd.ExecuteContext(t.Context()); fault.CodeOf(err) != fault.Invalid || !strings.Contains(err.Error(), name+" is "+value) {
					t.Errorf("%s %s: %v", name, value, err)
				}
			}
		}
	}
}
