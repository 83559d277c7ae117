package host

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"
)

// loopback is where instances listen; only the router is open to users.
const loopback = "127.0.0.1"

// checkTimeout is how long one readiness check may take.
const checkTimeout = 2 * time.Second

// check asks the instance once whether it is ready and returns "" or what is
// wrong. An instance that was ready before gets a second chance, so that one
// lost packet of time does not count as an outage. So does one that is late: the
// time limit of the question may have passed while this process stood still.
func (p *Platform) check(ctx context.Context, l life) string {
	problem := p.ask(ctx, l)
	if problem != "" && (l.answered || l.late) && ctx.Err() == nil {
		problem = p.ask(ctx, l)
	}
	if problem != "" || l.answered {
		return problem
	}
	if owner := stranger(l.record.Port, l.record.PID); owner != 0 {
		return fmt.Sprintf("port %d is taken by process %d (%s), which answers in its place", l.record.Port, owner, commandName(owner))
	}
	return ""
}

func (p *Platform) ask(ctx context.Context, l life) string {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	ready := l.settings.Ready
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+l.record.address()+ready.Path, nil)
	if err != nil {
		return fmt.Sprintf("the readiness path %q cannot be asked for", ready.Path)
	}
	request.Header.Set("User-Agent", "fairway-ready")
	response, err := p.probe.Do(request)
	if err != nil {
		return p.silence(l, err)
	}
	_ = response.Body.Close()
	if ready.Status == response.StatusCode || ready.Status == 0 && response.StatusCode/100 == 2 {
		return ""
	}
	want := "2xx"
	if ready.Status != 0 {
		want = fmt.Sprint(ready.Status)
	}
	return fmt.Sprintf("GET %s answers %d, not %s", ready.Path, response.StatusCode, want)
}

// silence explains why there was no answer.
func (p *Platform) silence(l life, err error) string {
	if ports := portsOf(l.record.PID); len(ports) > 0 && !slices.Contains(ports, l.record.Port) {
		return fmt.Sprintf("it listens on port %d, not on $PORT (%d)", ports[0], l.record.Port)
	}
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	return fmt.Sprintf("GET %s does not answer: %s", l.settings.Ready.Path, err)
}

// newProbe makes the client for readiness checks: a connection for each, no redirects.
func newProbe() *http.Client {
	return &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
