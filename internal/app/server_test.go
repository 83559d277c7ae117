package app

import (
	"bytes"
	"io"
	"log/slog"
	"net"
	"runtime"
	"strings"
	"testing"

	"github.com/fairwayhq/fairway/internal/fault"
)

func TestAStartThatFailsLateLeavesNothingRunning(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for range 5 {
		var log bytes.Buffer
		err := Server(t.Context(), ServerConfig{
			DataDir: t.TempDir(), Listen: "127.0.0.1:0", NoWorker: true, Pprof: taken.Addr().String(),
			Log: slog.New(slog.NewTextHandler(&log, nil)), Out: io.Discard,
		})
		if fault.CodeOf(err) != fault.Unavailable {
			t.Fatalf("the server ended with %v", err)
		}
		stacks := make([]byte, 1<<20)
		stacks = stacks[:runtime.Stack(stacks, true)]
		for _, part := range []string{"drive.(*Drive).Run", "app.watchClock", "(*housekeeping).run"} {
			if bytes.Contains(stacks, []byte(part)) {
				t.Fatalf("%s still runs", part)
			}
		}
		if strings.Contains(log.String(), "level=ERROR") {
			t.Fatalf("a part met a store that was closed: %s", log.String())
		}
	}
}
