package balancer

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestEveryServerGetsItsTurnAndOneThatIsGoneIsLeftOut(t *testing.T) {
	var servers []*httptest.Server
	var addresses []string
	for n := range 2 {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, n) }))
		defer s.Close()
		servers, addresses = append(servers, s), append(addresses, s.Listener.Addr().String())
	}
	b, err := Start(addresses...)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	answers := func(requests int) map[string]int {
		count := map[string]int{}
		fresh := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		for range requests {
			res, err := fresh.Get(b.URL())
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(res.Body)
			res.Body.Close()
			count[string(body)]++
		}
		return count
	}
	if got := answers(6); got["0"] != 3 || got["1"] != 3 {
		t.Errorf("of six connections each server should have three: %v", got)
	}
	servers[0].Close()
	if got := answers(4); got["1"] != 4 {
		t.Errorf("only one server is left, and these answered: %v", got)
	}
}

func TestClosingEndsConnectionsThatAreOpen(t *testing.T) {
	far, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer far.Close()
	b, err := Start(far.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	near, err := net.Dial("tcp", b.listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer near.Close()
	held, err := far.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	b.Close()
	if _, err := near.Read(make([]byte, 1)); err == nil {
		t.Error("the connection is still open")
	}
}
