package app

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/api/client"
	"github.com/fairwayhq/fairway/test/postgres"
)

// quiet is a way to a PostgreSQL on which rings get lost, and nothing else.
type quiet struct {
	listener net.Listener
	to       string
	lost     atomic.Int64
	mu       sync.Mutex
	open     []net.Conn
	all      sync.WaitGroup
}

// newQuiet returns the way, and the URL by it.
func newQuiet(t *testing.T, direct string) (*quiet, string) {
	t.Helper()
	u, err := url.Parse(direct)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	q := &quiet{listener: l, to: u.Host}
	q.all.Go(q.accept)
	t.Cleanup(q.close)
	u.Host = l.Addr().String()
	return q, u.String()
}

func (q *quiet) accept() {
	for {
		in, err := q.listener.Accept()
		if err != nil {
			return
		}
		out, err := net.Dial("tcp", q.to)
		if err != nil {
			_ = in.Close()
			continue
		}
		q.mu.Lock()
		q.open = append(q.open, in, out)
		q.mu.Unlock()
		q.all.Go(func() { _, _ = io.Copy(out, in); _ = out.Close() })
		q.all.Go(func() { q.answer(in, out); _ = in.Close() })
	}
}

// answer passes on what PostgreSQL says: messages of a type and a length, which counts itself.
func (q *quiet) answer(in io.Writer, out io.Reader) {
	const ring = 'A'
	for head := make([]byte, 5); ; {
		if _, err := io.ReadFull(out, head); err != nil {
			return
		}
		body := make([]byte, binary.BigEndian.Uint32(head[1:])-4)
		if _, err := io.ReadFull(out, body); err != nil {
			return
		}
		if head[0] == ring {
			q.lost.Add(1)
			continue
		}
		if _, err := in.Write(append(head, body...)); err != nil {
			return
		}
	}
}

func (q *quiet) close() {
	_ = q.listener.Close()
	q.mu.Lock()
	for _, c := range q.open {
		_ = c.Close()
	}
	q.mu.Unlock()
	q.all.Wait()
}

// startServer runs a server until the test ends. secret is that of its first token; the second
// server on a database has none.
func startServer(t *testing.T, database string) (address, secret string) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	dir := t.TempDir()
	ready, ended := make(chan string, 1), make(chan error, 1)
	go func() {
		ended <- Server(ctx, ServerConfig{
			DataDir: dir, Listen: "127.0.0.1:0", Database: database, NoWorker: true, DatabaseWait: time.Second,
			Log: slog.New(slog.DiscardHandler), Out: io.Discard, Ready: func(url string) { ready <- url },
		})
	}()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	select {
	case address = <-ready:
	case err := <-ended:
		ended <- nil
		t.Fatal(err)
	}
	token, err := os.ReadFile(filepath.Join(dir, "admin-token"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return address, strings.TrimSpace(string(token))
}

// A ring may be lost while the connection stays: what one server commits is then seen on the
// other by a look every second.
func TestWhatAServerIsNotToldOfItSeesWithinSeconds(t *testing.T) {
	direct, err := postgres.ForTest(t, "fsync=off").Create("fairway")
	if err != nil {
		t.Fatal(err)
	}
	way, deaf := newQuiet(t, direct)
	one, secret := startServer(t, direct)
	two, _ := startServer(t, deaf)
	speaks, err := client.New(client.Config{URL: one, Token: secret})
	if err != nil {
		t.Fatal(err)
	}
	hears, err := client.New(client.Config{URL: two, Token: secret})
	if err != nil {
		t.Fatal(err)
	}

	ctx, stop := context.WithCancel(t.Context())
	heard, ended := make(chan string, 100), make(chan error, 1)
	go func() {
		ended <- hears.Follow(ctx, "", func(e client.Event) error { heard <- e.Text; return nil })
	}()
	defer func() { stop(); <-ended }()
	create := func(service string) {
		t.Helper()
		definition := fmt.Sprintf("service: %s\nhost: {run: ./shop, listen: \"127.0.0.1:8080\"}\nenvironments: [{name: production, stages: [{approval: {roles: [sre]}}, deploy]}]\n", service)
		if _, err := speaks.Create(ctx, client.NewRelease{Definition: definition, Artifact: "/bin/true", Digest: "sha256:" + strings.Repeat("0", 64), Version: "v1"}, ""); err != nil {
			t.Fatal(err)
		}
	}
	for n, begun := 0, false; !begun; n++ { // until the stream has begun
		if n == 20 {
			t.Fatal("who follows the releases at the other server has heard of none")
		}
		create(fmt.Sprint("early", n))
		select {
		case <-heard:
			begun = true
		case <-time.After(time.Second):
		}
	}
	for n := range 3 {
		before, service := way.lost.Load(), fmt.Sprint("shop", n)
		create(service)
		for limit, said := time.After(10*time.Second), ""; !strings.Contains(said, service); {
			select {
			case said = <-heard:
			case <-limit:
				t.Fatalf("who follows the releases at the other server has not heard of %s", service)
			}
		}
		if way.lost.Load() == before {
			t.Error("no ring was lost, so nothing was tried")
		}
	}
}

// Two workers of one name would take each other's tasks back when one begins.
func TestServersOfOneMachineHaveWorkersOfTheirOwnNames(t *testing.T) {
	name := func(database, folder string) string {
		return ServerConfig{Database: database, DataDir: folder}.nameInside()
	}
	const database = "postgres://db/fairway"
	if one, other := name(database, "/srv/a"), name(database, "/srv/b"); one == other || one != name(database, "/srv/./a") {
		t.Errorf("the workers are called %q and %q, and the first one anew %q", one, other, name(database, "/srv/./a"))
	}
	if alone := name("", "/srv/a"); alone != "built-in" {
		t.Errorf("one without others is called %q", alone)
	}
}
