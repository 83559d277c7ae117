// Package postgres runs a real PostgreSQL for tests and benchmarks, in a folder of its
// own, on a free port of the loopback, and takes it away with the process that started
// it, however that ends.
//
//	server, err := postgres.Start(dir)
//	defer server.Stop()
//	url, err := server.Create("fairway")
//	err = server.Kill()    // by SIGKILL, as a machine that goes down
//	err = server.Restart() // it recovers from its log
//
// It knows nothing of Fairway.
package postgres

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Server is one PostgreSQL. It is not for several goroutines.
type Server struct {
	dir, bin string
	port     int
	as       *syscall.Credential
	options  []string

	keeper *exec.Cmd
	leash  io.Closer // the keeper ends the server when it is closed
	pid    int
}

// Missing says why no server can be started here; empty where one can.
func Missing() string {
	if _, err := programs(); err != nil {
		return err.Error()
	}
	if _, err := owner(); err != nil {
		return err.Error()
	}
	return ""
}

// ForTest starts a server that ends with the test, and skips the test where there is
// no PostgreSQL.
func ForTest(t testing.TB, options ...string) *Server {
	t.Helper()
	if why := Missing(); why != "" {
		t.Skip(why)
	}
	// Not below the test's own folder, which only root may enter.
	dir, err := os.MkdirTemp("", "fairway-postgres-")
	if err != nil {
		t.Fatal(err)
	}
	s, err := Start(dir, options...)
	if err != nil {
		_ = os.RemoveAll(dir)
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Stop()
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return s
}

// Start makes a database cluster in the folder, which must be empty, and starts it. The
// options are settings such as "fsync=off".
func Start(dir string, options ...string) (*Server, error) {
	bin, err := programs()
	if err != nil {
		return nil, err
	}
	as, err := owner()
	if err != nil {
		return nil, err
	}
	s := &Server{dir: dir, bin: bin, as: as, options: options}
	if err := os.Chmod(dir, 0o755); err != nil {
		return nil, err
	}
	if as != nil {
		if err := os.Chown(dir, int(as.Uid), int(as.Gid)); err != nil {
			return nil, err
		}
	}
	if s.port, err = freePort(); err != nil {
		return nil, err
	}
	init := s.command("initdb", "--pgdata", s.data(), "--auth", "trust", "--username", "fairway", "--no-sync", "--encoding", "UTF8", "--locale", "C.UTF-8")
	if out, err := init.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w: %s", err, out)
	}
	return s, s.Restart()
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

func (s *Server) command(program string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(s.bin, program), args...)
	cmd.Dir = s.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.as, Setpgid: true}
	return cmd
}

// keep runs the server and ends it when its own input ends, as it does with the
// process that holds the other end. The server says its pid first.
const keep = `"$@" </dev/null >>log 2>&1 & pid=$!; echo $pid; read -r _; kill -INT $pid 2>/dev/null; wait $pid`

// Restart starts the server where it does not run, and returns once it answers.
func (s *Server) Restart() error {
	end := time.Now().Add(30 * time.Second)
	for {
		err := s.start()
		if err == nil || time.Now().After(end) {
			return err
		}
		// What a killed server left behind may take a moment to be gone.
		s.Stop()
		time.Sleep(50 * time.Millisecond)
	}
}

func (s *Server) start() error {
	args := []string{"-c", keep, "keep", filepath.Join(s.bin, "postgres"), "-D", s.data(), "-p", strconv.Itoa(s.port),
		"-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="}
	for _, o := range s.options {
		args = append(args, "-c", o)
	}
	s.keeper = exec.Command("/bin/sh", args...)
	s.keeper.Dir = s.dir
	s.keeper.SysProcAttr = &syscall.SysProcAttr{Credential: s.as, Setpgid: true}
	leash, err := s.keeper.StdinPipe()
	if err != nil {
		return err
	}
	out, err := s.keeper.StdoutPipe()
	if err != nil {
		return err
	}
	if err := s.keeper.Start(); err != nil {
		return err
	}
	s.leash = leash
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return fmt.Errorf("start PostgreSQL: %w", err)
	}
	if s.pid, err = strconv.Atoi(strings.TrimSpace(line)); err != nil {
		return err
	}
	return s.answers()
}

func (s *Server) answers() error {
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	for {
		conn, err := pgx.Connect(ctx, s.URL("postgres"))
		if err == nil {
			return conn.Close(ctx)
		}
		if ctx.Err() != nil || syscall.Kill(s.pid, 0) != nil {
			log, _ := os.ReadFile(filepath.Join(s.dir, "log"))
			return fmt.Errorf("PostgreSQL does not answer: %w: %s", err, log[max(0, len(log)-2000):])
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// Kill ends the server by SIGKILL.
func (s *Server) Kill() error {
	err := syscall.Kill(s.pid, syscall.SIGKILL)
	s.Stop()
	return err
}

// Freeze stops the server's processes where they are until Thaw, as a machine does that
// hangs: connections stay open and nothing answers.
func (s *Server) Freeze() error { return s.signal(syscall.SIGSTOP) }

// Thaw lets a frozen server go on.
func (s *Server) Thaw() error { return s.signal(syscall.SIGCONT) }

func (s *Server) signal(sig syscall.Signal) error {
	// The server's own processes are in sessions of their own.
	out, err := exec.Command("ps", "-o", "pid=", "--ppid", strconv.Itoa(s.pid)).Output()
	if err != nil {
		return err
	}
	errs := []error{syscall.Kill(s.pid, sig)}
	for _, field := range strings.Fields(string(out)) {
		pid, err := strconv.Atoi(field)
		if err == nil {
			err = syscall.Kill(pid, sig)
		}
		if !errors.Is(err, syscall.ESRCH) { // a connection's process may have ended since
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// Stop ends the server and waits for it. Stopping again does nothing.
func (s *Server) Stop() {
	if s.keeper == nil {
		return
	}
	_ = s.leash.Close()
	_ = s.keeper.Wait()
	s.keeper = nil
}

// PID is the server's main process.
func (s *Server) PID() int { return s.pid }

// URL leads to the database of that name.
func (s *Server) URL(database string) string {
	return fmt.Sprintf("postgres://fairway@127.0.0.1:%d/%s?sslmode=disable", s.port, database)
}

// Create makes an empty database and returns its URL.
func (s *Server) Create(database string) (string, error) {
	return s.URL(database), s.Exec("postgres", "CREATE DATABASE "+pgx.Identifier{database}.Sanitize())
}

// Copy makes a database that is as the other one, to which nobody may be connected.
func (s *Server) Copy(database, of string) (string, error) {
	return s.URL(database), s.Exec("postgres", "CREATE DATABASE "+pgx.Identifier{database}.Sanitize()+" TEMPLATE "+pgx.Identifier{of}.Sanitize())
}

// CopyTo brings a database into another server's, which must be empty, as people restore a
// backup: by pg_dump and psql.
func (s *Server) CopyTo(other *Server, of, database string) error {
	dump := s.command("pg_dump", "--no-owner", "--dbname", s.URL(of))
	load := other.command("psql", "--no-psqlrc", "--quiet", "--output", os.DevNull, "--set", "ON_ERROR_STOP=1", "--dbname", other.URL(database))
	var trouble, more strings.Builder
	dump.Stderr, load.Stderr = &trouble, &more
	text, err := dump.StdoutPipe()
	if err != nil {
		return err
	}
	load.Stdin = text
	if err := dump.Start(); err != nil {
		return err
	}
	err = load.Run()
	if err := errors.Join(err, dump.Wait()); err != nil {
		return fmt.Errorf("copy the database %s: %w: %s%s", of, err, trouble.String(), more.String())
	}
	return nil
}

// CreateIn makes an empty database whose tables are in the folder, while the server's log stays
// with the server.
func (s *Server) CreateIn(folder, database string) (string, error) {
	if s.as != nil {
		if err := os.Chown(folder, int(s.as.Uid), int(s.as.Gid)); err != nil {
			return "", err
		}
	}
	name := pgx.Identifier{database}.Sanitize()
	if err := s.Exec("postgres", "CREATE TABLESPACE "+name+" LOCATION '"+folder+"'"); err != nil {
		return "", err
	}
	return s.URL(database), s.Exec("postgres", "CREATE DATABASE "+name+" TABLESPACE "+name)
}

// Exec runs one statement in the database.
func (s *Server) Exec(database, statement string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.URL(database))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	_, err = conn.Exec(ctx, statement)
	return err
}

// Scan reads the one value that the query gives in the database at the URL.
func (s *Server) Scan(ctx context.Context, url string, value any, query string, args ...any) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	return conn.QueryRow(ctx, query, args...).Scan(value)
}

// Deadlocks is how often transactions on the database had locked each other out and one of them
// was ended. Connections write down what they have counted when they end, so it waits for that.
func (s *Server) Deadlocks(database string) (n int, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.URL("postgres"))
	if err != nil {
		return 0, err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	for connected := 1; connected > 0; time.Sleep(10 * time.Millisecond) {
		err := conn.QueryRow(ctx, "SELECT count(*) FROM pg_stat_activity WHERE datname = $1", database).Scan(&connected)
		if err != nil {
			return 0, err
		}
	}
	err = conn.QueryRow(ctx, "SELECT deadlocks FROM pg_stat_database WHERE datname = $1", database).Scan(&n)
	return n, err
}

// Program is the path of one of PostgreSQL's programs.
func Program(name string) (string, error) {
	bin, err := programs()
	return filepath.Join(bin, name), err
}

// programs is the folder of PostgreSQL's programs, of the newest version that is there.
func programs() (string, error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		path, err = filepath.EvalSymlinks(path) // where the other programs are too
		return filepath.Dir(path), err
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(found) == 0 {
		return "", errors.New("there is no PostgreSQL on this machine")
	}
	return filepath.Dir(slices.Max(found)), nil
}

// owner is whom the server runs as: PostgreSQL refuses root.
func owner() (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
		if err1 == nil && err2 == nil {
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
		}
	}
	return nil, errors.New("PostgreSQL does not run as root, and there is no other user")
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}
