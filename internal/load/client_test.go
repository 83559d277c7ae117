package load

import (
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"
)

func TestAConnectionThatWasIdleForLongIsNotUsedAgain(t *testing.T) {
	var opened atomic.Int64
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	s.Start()
	defer s.Close()
	req, err := http.NewRequest(http.MethodGet, s.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	c, err := newClient(req, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	ask := func(want int64) {
		t.Helper()
		if _, err := c.do(); err != nil {
			t.Fatal(err)
		}
		if n := opened.Load(); n != want {
			t.Errorf("%d connections were opened, not %d", n, want)
		}
	}
	ask(1)
	ask(1)
	c.idle[0].since = time.Now().Add(-mostIdle - time.Second)
	ask(2)
}
