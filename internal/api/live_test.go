package api_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairwayhq/fairway/internal/api/client"
	"github.com/fairwayhq/fairway/internal/auth"
	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/judge"
	"github.com/fairwayhq/fairway/internal/pipeline"
	"github.com/fairwayhq/fairway/internal/stage"
)

// points are n samples, one a second.
func points(from, n int) []stage.Point {
	list := make([]stage.Point, n)
	for i := range list {
		at := time.Date(2026, 3, 1, 12, 0, from+i, 0, time.UTC)
		h := judge.Histogram{Bounds: []float64{0.05, 0.1, 1}, Counts: []int64{150, 49, 1, 0}}
		list[i] = stage.Point{Evidence: float64(from + i), Sample: judge.Sample{At: at, Weight: 0.1,
			Stable: judge.Arm{Requests: 200, Errors: 2, Latency: h, Instances: 1},
			Canary: judge.Arm{Requests: 20, Instances: 1},
		}}
	}
	return list
}

func TestPointsAreReadyForACharts(t *testing.T) {
	r := newRig(t)
	ann, worker := r.person("ann", auth.Developer), r.worker("w1")
	d := ship(t, ann, newRelease("v1", digest1))
	task := lease(t, worker)
	report(t, worker, task, stage.Outcome{Status: stage.Continue, Points: points(0, 100)})
	whole, err := ann.Points(t.Context(), d.ID, "staging", 0, 500)
	if err != nil || len(whole.Items) != 100 || whole.Next != "" {
		t.Fatalf("%d points, next %q, %v", len(whole.Items), whole.Next, err)
	}
	p := whole.Items[99]
	if p.Stage != "deploy" || p.Weight != 0.1 || p.Evidence != 99 || p.Stable.Requests != 200 || p.Canary.P99.Known {
		t.Errorf("the last point is %+v", p)
	}
	if e := p.Stable.Error; !e.Known || e.Value != 0.01 || e.Low >= 0.01 || e.High <= 0.01 || e.High > 0.02 {
		t.Errorf("its error rate is %+v, want 0.01 over 30 s of 200 requests", e)
	}
	// A later page must show the same as the whole, window included.
	page, err := ann.Points(t.Context(), d.ID, "staging", whole.Items[59].ID, 20)
	if err != nil || len(page.Items) != 20 || page.Items[0] != whole.Items[60] || page.Items[19] != whole.Items[79] {
		t.Errorf("the page differs from the whole: %+v, %v", page.Items, err)
	}
	if page.Next != fmt.Sprint(whole.Items[79].ID) {
		t.Errorf("next = %q", page.Next)
	}
	if none, err := ann.Points(t.Context(), d.ID, "production", 0, 10); err != nil || len(none.Items) != 0 {
		t.Errorf("production has %d points, %v", len(none.Items), err)
	}
}

// told gathers what a stream tells.
type told struct {
	releases []client.ReleaseDetail
	events   []client.Event
	points   []client.Point
}

func (l *told) listener(enough func() bool) client.Listener {
	stop := func() error {
		if enough() {
			return client.ErrStop
		}
		return nil
	}
	return client.Listener{
		Release: func(d client.ReleaseDetail) error { l.releases = append(l.releases, d); return stop() },
		Event:   func(e client.Event) error { l.events = append(l.events, e); return stop() },
		Point:   func(p client.Point) error { l.points = append(l.points, p); return stop() },
	}
}

func TestALiveStreamTellsEverythingInOrder(t *testing.T) {
	r := newRig(t)
	ann, sue, worker := r.person("ann", auth.Developer), r.person("sue", auth.SRE), r.worker("w1")
	d := ship(t, ann, newRelease("v1", digest1))
	var l told
	ended := make(chan error, 1)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	go func() {
		ended <- ann.Live(ctx, "shop@v1", "", l.listener(func() bool {
			n := len(l.releases)
			return n > 0 && l.releases[n-1].State.Final() && len(l.points) == 40 && l.events[len(l.events)-1].Kind == "release.succeeded"
		}))
	}()
	task := lease(t, worker)
	report(t, worker, task, stage.Outcome{Status: stage.Continue, Points: points(0, 40)})
	report(t, worker, task, passed)
	if _, err := sue.Approve(t.Context(), d.ID, client.Approval{}); err != nil {
		t.Fatal(err)
	}
	work(t, worker, passed)
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	inOrder(t, &l)
	if l.releases[0].ID != d.ID || len(l.releases[0].Actions) == 0 {
		t.Errorf("the first message is %+v", l.releases[0])
	}
}

// inOrder ends the test unless events have no gap and points come once.
func inOrder(t *testing.T, l *told) {
	t.Helper()
	for i, e := range l.events {
		if e.Seq != int64(i+1) {
			t.Fatalf("event %d has the number %d", i+1, e.Seq)
		}
	}
	for i := 1; i < len(l.points); i++ {
		if l.points[i].ID <= l.points[i-1].ID {
			t.Fatalf("point %d comes after %d", l.points[i].ID, l.points[i-1].ID)
		}
	}
}

// The connection is cut again and again while the release moves.
func TestAStreamGoesOnWithoutGaps(t *testing.T) {
	r := newRig(t)
	ann, worker := r.person("ann", auth.Developer), r.worker("w1")
	d := ship(t, ann, newRelease("v1", digest1))
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var l told
	ended := make(chan error, 1)
	progress := make(chan int, 1000)
	go func() {
		ended <- ann.Live(ctx, d.ID, "", l.listener(func() bool {
			progress <- len(l.points)
			return len(l.points) == 60
		}))
	}()
	task := lease(t, worker)
	for i := range 6 {
		report(t, worker, task, stage.Outcome{Status: stage.Continue, Points: points(10*i, 10)})
		for n := 0; n < 10*i+1; {
			select {
			case n = <-progress:
			case <-ctx.Done():
				t.Fatalf("the stream stood still in round %d", i)
			}
		}
		r.server.CloseClientConnections()
	}
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	inOrder(t, &l)
	if len(l.points) != 60 || l.points[59].Evidence != 59 {
		t.Errorf("%d points, the last %+v", len(l.points), l.points[len(l.points)-1])
	}
	// The window of the charts must not have suffered from the breaks.
	page, err := ann.Points(t.Context(), d.ID, "", 0, 500)
	if err != nil || page.Items[59] != l.points[59] {
		t.Errorf("the stream told %+v, the list %+v, %v", l.points[59], page.Items[59], err)
	}
}

func TestTheStreamOfAllReleasesGoesOnWithoutGaps(t *testing.T) {
	r := newRig(t)
	ann := r.person("ann", auth.Developer)
	ship(t, ann, newRelease("v0", digest1))
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	begun, ended := make(chan struct{}), make(chan error, 1)
	var events []client.Event
	heard := make(chan struct{}, 1000)
	go func() {
		close(begun)
		ended <- ann.Follow(ctx, "0", func(e client.Event) error {
			events = append(events, e)
			heard <- struct{}{}
			if e.Kind == "release.paused" {
				return client.ErrStop
			}
			return nil
		})
	}()
	<-begun
	var last client.ReleaseDetail
	for i := range 5 {
		last = ship(t, ann, newRelease(fmt.Sprintf("v%d", i+1), digest1))
		<-heard
		r.server.CloseClientConnections()
	}
	if _, err := ann.Pause(t.Context(), last.ID, client.Action{}); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	seen := map[string]int64{}
	for _, e := range events {
		if e.Seq != seen[e.Release]+1 {
			t.Fatalf("release %s: line %d comes after %d", e.Release, e.Seq, seen[e.Release])
		}
		seen[e.Release] = e.Seq
	}
	if len(seen) != 6 {
		t.Errorf("%d releases told of, want 6", len(seen))
	}
}

func TestAStreamFromNowOnTellsNoHistory(t *testing.T) {
	r := newRig(t)
	ann := r.person("ann", auth.Developer)
	d := ship(t, ann, newRelease("v1", digest1))
	lines := r.stream("/v1/events", r.bearer("bob", auth.Viewer))
	if got := <-lines; got != "retry: 1000" {
		t.Fatalf("the first line is %q", got)
	}
	next(t, lines, "id: ")
	if _, err := ann.Pause(t.Context(), d.ID, client.Action{}); err != nil {
		t.Fatal(err)
	}
	next(t, lines, "id: ")
	next(t, lines, "event: event")
	if data := next(t, lines, "data: "); !strings.Contains(data, `"release.paused"`) {
		t.Errorf("the first event is %s", data)
	}
	next(t, lines, ": here")
}

// stream reads the lines of a stream until the test ends.
func (r *rig) stream(path string, header map[string]string) <-chan string {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), http.MethodGet, r.server.URL+path, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	for name, value := range header {
		req.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "text/event-stream" {
		r.t.Fatalf("GET %s = %d", path, resp.StatusCode)
	}
	lines := make(chan string, 1000)
	go func() {
		defer resp.Body.Close()
		defer close(lines)
		for s := bufio.NewScanner(resp.Body); s.Scan(); {
			lines <- s.Text()
		}
	}()
	return lines
}

// next skips to the line with the prefix.
func next(t *testing.T, lines <-chan string, prefix string) string {
	t.Helper()
	end := time.After(10 * time.Second)
	for {
		select {
		case line, ok := <-lines:
			if !ok {
				t.Fatalf("the stream ended before a line %q", prefix)
			}
			if strings.HasPrefix(line, prefix) {
				return line
			}
		case <-end:
			t.Fatalf("no line %q came", prefix)
		}
	}
}

func TestAShutdownEndsStreams(t *testing.T) {
	r := newRig(t)
	ann := r.person("ann", auth.Developer)
	d := ship(t, ann, newRelease("v1", digest1))
	lines := r.stream("/v1/releases/"+d.ID+"/live", r.bearer("bob", auth.Viewer))
	next(t, lines, "data: ")
	close(r.closing)
	if resp, body := r.call(http.MethodGet, "/readyz", "", nil); resp.StatusCode != http.StatusServiceUnavailable || !strings.Contains(body, "the server is stopping") {
		t.Errorf("a server that stops is ready: %d %s", resp.StatusCode, body)
	}
	for range lines {
	}
	r.closing = make(chan struct{})
	eventually(t, func() bool {
		_, body := r.call(http.MethodGet, "/metrics", "", nil)
		return strings.Contains(body, "fairway_http_streams 0")
	})
}

func TestAReaderThatDoesNotReadIsDropped(t *testing.T) {
	r := newRig(t)
	ann, worker := r.person("ann", auth.Developer), r.worker("w1")
	d := ship(t, ann, newRelease("v1", digest1))
	conn, err := net.Dial("tcp", r.server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.(*net.TCPConn).SetReadBuffer(4 << 10); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(conn, "GET /v1/releases/%s/live HTTP/1.1\r\nHost: x\r\nAuthorization: %s\r\n\r\n", d.ID, r.bearer("bob", auth.Viewer)["Authorization"])
	streams := func(n string) bool {
		_, body := r.call(http.MethodGet, "/metrics", "", nil)
		return strings.Contains(body, "fairway_http_streams "+n)
	}
	eventually(t, func() bool { return streams("1") })
	task := lease(t, worker)
	for i := 0; !streams("0"); i++ {
		if i == 60 {
			t.Fatal("60 MB later the reader is still there")
		}
		report(t, worker, task, stage.Outcome{Status: stage.Continue, Points: points(1000*i, 1000)})
	}
}

func TestAStreamOfNothingIsRefused(t *testing.T) {
	r := newRig(t)
	ann := r.person("ann", auth.Developer)
	err := ann.Live(t.Context(), "nothing", "", client.Listener{})
	if fault.CodeOf(err) != fault.NotFound {
		t.Errorf("Live = %v, want not found", err)
	}
	ship(t, ann, newRelease("v1", digest1))
	err = ann.Live(t.Context(), "shop", "x", client.Listener{})
	refused(t, err, fault.Invalid, "not a cursor")
	err = ann.Live(t.Context(), "shop", client.Cursor(0, 0), client.Listener{Release: func(d client.ReleaseDetail) error {
		if d.State != pipeline.RunRunning {
			t.Errorf("state = %s", d.State)
		}
		return fmt.Errorf("enough of %s", d.Service)
	}})
	if err == nil || err.Error() != "enough of shop" {
		t.Errorf("the listener's error came back as %v", err)
	}
}

func TestSamplesComeAsTheyWereJudged(t *testing.T) {
	r := newRig(t)
	ann, worker := r.person("ann", auth.Developer), r.worker("w1")
	d := ship(t, ann, newRelease("v1", digest1))
	task := lease(t, worker)
	given := points(0, 3)
	for i := range given {
		given[i].Looked = given[i].Sample.At.Add(17 * time.Second)
	}
	report(t, worker, task, stage.Outcome{Status: stage.Continue, Points: given})
	first, err := ann.Samples(t.Context(), d.ID, "staging", 0, 2)
	if err != nil || len(first.Items) != 2 || first.Next != fmt.Sprint(first.Items[1].ID) {
		t.Fatalf("%+v, %v", first, err)
	}
	rest, err := ann.Samples(t.Context(), d.ID, "", first.Items[1].ID, 2)
	if err != nil || len(rest.Items) != 1 || rest.Next != "" {
		t.Fatalf("%+v, %v", rest, err)
	}
	for i, s := range append(first.Items, rest.Items...) {
		if diff := cmp.Diff(given[i], s.Point); diff != "" || s.Environment != "staging" || s.Stage != "deploy" {
			t.Errorf("sample %d of %s, %s differs:\n%s", i, s.Environment, s.Stage, diff)
		}
	}
}
