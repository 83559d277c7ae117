package client

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/pipeline"
)

// at returns a client of the address that notes its pauses instead of waiting.
func at(t *testing.T, address string, onPause func(n int)) (*Client, *[]time.Duration) {
	t.Helper()
	c, err := New(Config{URL: address, Token: "secret"})
	if err != nil {
		t.Fatal(err)
	}
	var pauses []time.Duration
	c.pause = func(ctx context.Context, d time.Duration) error {
		pauses = append(pauses, d)
		if onPause != nil {
			onPause(len(pauses))
		}
		return ctx.Err()
	}
	return c, &pauses
}

// closedPort is an address where nobody listens.
func closedPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestAReadWaitsForAServerThatRestarts(t *testing.T) {
	address := closedPort(t)
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer secret" {
			t.Error("the token is missing")
		}
		fmt.Fprint(w, `{"user":"ann"}`)
	})}
	t.Cleanup(func() { _ = server.Close() })
	c, pauses := at(t, "http://"+address, func(n int) {
		if n == 2 {
			l, err := net.Listen("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			go func() { _ = server.Serve(l) }()
		}
	})
	if me, err := c.Me(t.Context()); err != nil || me.User != "ann" {
		t.Errorf("me = %+v, %v", me, err)
	}
	if len(*pauses) != 2 || (*pauses)[1] != 2*(*pauses)[0] {
		t.Errorf("pauses = %v, want two that double", *pauses)
	}
}

func TestRetriesEnd(t *testing.T) {
	c, pauses := at(t, "http://"+closedPort(t), nil)
	_, err := c.Me(t.Context())
	if fault.CodeOf(err) != fault.Unavailable || !strings.Contains(err.Error(), "does not answer") || !strings.Contains(fault.HintOf(err), "fairway server") {
		t.Errorf("error = %v (%s)", err, fault.HintOf(err))
	}
	if len(*pauses) != attempts-1 {
		t.Errorf("%d pauses, want %d", len(*pauses), attempts-1)
	}
}

func TestAChangeIsNotRepeated(t *testing.T) {
	c, pauses := at(t, "http://"+closedPort(t), nil)
	if _, err := c.Pause(t.Context(), "shop", Action{}); fault.CodeOf(err) != fault.Unavailable || len(*pauses) != 0 {
		t.Errorf("error = %v after %d pauses, want none", err, len(*pauses))
	}
}

func TestProblemsBecomeFaults(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		body   string
		code   fault.Code
		text   string
	}{
		"a problem":          {409, `{"title":"Conflict","status":409,"code":"conflict","detail":"it is paused","hint":"resume it"}`, fault.Conflict, "it is paused"},
		"a proxy's page":     {502, `<html>Bad gateway</html>`, fault.Unavailable, "502"},
		"a page of nobody":   {404, `404 page not found`, fault.NotFound, "404"},
		"an answer cut off":  {200, `{"user":`, fault.Unavailable, "read the server's answer"},
		"an internal fault":  {500, `{"title":"x","status":500,"code":"internal","detail":"the log has it"}`, fault.Internal, "the log has it"},
		"faults of the text": {422, `{"title":"x","status":422,"code":"invalid","detail":"bad","faults":[{"file":"fairway.yaml","line":3,"message":"no"}]}`, fault.Invalid, "bad"},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(c.status)
				fmt.Fprint(w, c.body)
			}))
			defer server.Close()
			cl, _ := at(t, server.URL, nil)
			_, err := cl.Me(t.Context())
			if fault.CodeOf(err) != c.code || !strings.Contains(err.Error(), c.text) {
				t.Errorf("error = %v (%s)", err, fault.CodeOf(err))
			}
			var faults pipeline.Faults
			if errors.As(err, &faults) != strings.Contains(c.body, "faults") {
				t.Errorf("faults = %v", faults)
			}
		})
	}
}

func TestAStreamThatBreaksIsTakenUpAgain(t *testing.T) {
	var asked []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.RawQuery+"|"+r.Header.Get("Last-Event-ID"))
		switch len(asked) {
		case 1: // cut off in the middle of the second event
			fmt.Fprint(w, "retry: 1000\n\nid: 1.0\nevent: event\ndata: {\"seq\":1}\n\nid: 2.0\nevent: event\ndata: {\"se")
		case 2:
			w.WriteHeader(http.StatusBadGateway)
		case 3:
			fmt.Fprint(w, ": here\n\nid: 2.0\nevent: event\ndata: {\"seq\":2}\n\n")
		default:
			fmt.Fprint(w, "event: problem\ndata: {}\n\n")
		}
	}))
	defer server.Close()
	ctx, cancel := context.WithCancel(t.Context())
	c, pauses := at(t, server.URL, func(n int) {
		if n == 4 {
			cancel()
		}
	})
	var got []int64
	err := c.Live(ctx, "shop", "0.0", Listener{Event: func(e Event) error { got = append(got, e.Seq); return nil }})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Live = %v", err)
	}
	if fmt.Sprint(got) != "[1 2]" {
		t.Errorf("heard %v, want each event once", got)
	}
	if want := "[after=0.0| |1.0 |1.0 |2.0]"; fmt.Sprint(asked) != want {
		t.Errorf("asked %v, want %s", asked, want)
	}
	if len(*pauses) != 4 {
		t.Errorf("pauses = %v", *pauses)
	}
}

func TestAStreamThatIsRefusedEnds(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, `{"title":"x","status":403,"code":"denied","detail":"not yours"}`)
	}))
	defer server.Close()
	c, pauses := at(t, server.URL, nil)
	if err := c.Follow(t.Context(), "", nil); fault.CodeOf(err) != fault.Denied || len(*pauses) != 0 {
		t.Errorf("Follow = %v after %d pauses", err, len(*pauses))
	}
}

func TestAddressesThatMakeNoSense(t *testing.T) {
	for _, address := range []string{"", "localhost:7878", "ftp://x", "http://"} {
		if _, err := New(Config{URL: address}); fault.CodeOf(err) != fault.Invalid {
			t.Errorf("New(%q) = %v, want invalid", address, err)
		}
	}
}

func TestATokenThatWasReplacedIsReadAgain(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer new" {
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprint(w, `{"status":401,"code":"denied","detail":"the token was revoked"}`)
			return
		}
		fmt.Fprint(w, `{"user":"ann"}`)
	}))
	t.Cleanup(server.Close)
	for _, c := range []struct {
		tokens string // of one reading after the other
		reads  int
		ok     bool
	}{
		{"new", 1, true},
		{"old new", 2, true},
		{"old old", 2, false}, // it is still the same, so it is not sent again
		{"old older new", 2, false},
	} {
		reads := 0
		client, err := New(Config{URL: server.URL, TokenNow: func() (string, error) {
			reads++
			return strings.Fields(c.tokens)[reads-1], nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		_, err = client.Me(t.Context())
		if (err == nil) != c.ok || reads != c.reads {
			t.Errorf("with the tokens %q: %v after %d readings", c.tokens, err, reads)
		}
	}
}
