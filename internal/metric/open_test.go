package metric

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/fault"
)

func TestOpen(t *testing.T) {
	good := `{"url":"http://p:9090/prometheus","requests":"a{r=\"$revision\"}","errors":"b{r=\"$arm\"}","histogram":"c{r=~\"$revision\"}","interval":"5s","instance":"node"}`
	src, err := Open("prometheus", json.RawMessage(good), Deps{})
	if err != nil {
		t.Fatal(err)
	}
	if got := src.(Paced).Interval(); got != 5*time.Second {
		t.Errorf("the interval is %s", got)
	}
	if _, err := Open("router", nil, Deps{Router: &fakeRouter{}}); err != nil {
		t.Errorf("router: %v", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	for _, tc := range []struct{ kind, config, want string }{
		{"graphite", `{}`, `there is no metric source "graphite"`},
		{"router", `{}`, "needs a router, and this worker has none"},
		{"router", `{"url":"x"}`, `unknown field "url"`},
		{"prometheus", `{"URI":"x"}`, `unknown field "URI"`},
		{"prometheus", `{} {}`, "more follows the object"},
		{"prometheus", `{"interval":5}`, "a duration is text such as"},
		{"prometheus", `{"interval":"5"}`, "missing unit"},
		{"prometheus", `{"url":"ftp://x"}`, "url: it must be like http://prometheus:9090"},
		{"prometheus", `{"url":"http://x","interval":"1ms"}`, "interval: 1ms is not between"},
		{"prometheus", `{"url":"http://x","unit":"ms"}`, `unit: it is seconds or milliseconds, not "ms"`},
		{"prometheus", `{"url":"http://x","requests":"rate(a[5m])"}`, "requests: "},
		{"prometheus", `{"url":"http://x","requests":"a{r=\"$version\"}"}`, "requests: there is no $version, only [$arm"},
		{"prometheus", `{"url":"http://x","requests":"a{r=\"v1\"}"}`, "requests: it selects the same for both arms"},
		{"prometheus", `{"url":"http://x","requests":"a{r=\"$revision\"}"}`, "errors: the selector is empty"},
	} {
		_, err := Open(tc.kind, json.RawMessage(tc.config), Deps{})
		if fault.CodeOf(err) != fault.Invalid || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s %s: %v, want %q", tc.kind, tc.config, err, tc.want)
		}
	}
	if _, err := Open("graphite", nil, Deps{}); !strings.Contains(fault.HintOf(err), "prometheus, router") {
		t.Errorf("the hint is %q", fault.HintOf(err))
	}
}

func TestAnAskThatCompareNothing(t *testing.T) {
	p := openFake(t, &fakeStore{})
	for _, tc := range []struct {
		ask  Ask
		want string
	}{
		{Ask{Environment: "e", Stable: "a", Canary: "b"}, "needs a service"},
		{Ask{Service: "s", Environment: "e", Stable: "a", Canary: "a"}, "nothing to compare"},
		{Ask{Service: "s", Environment: "e", Stable: "a", Canary: "b", WarmUp: -1}, "warm-up is negative"},
	} {
		if _, _, err := p.Sample(t.Context(), tc.ask, nil); fault.CodeOf(err) != fault.Invalid || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%+v: %v, want %q", tc.ask, err, tc.want)
		}
	}
	s, _, err := p.Sample(t.Context(), Ask{Service: "s", Environment: "e", Canary: "b", Now: start}, nil)
	if err != nil || s.Missing != "there is no stable revision" {
		t.Errorf("got %q, %v", s.Missing, err)
	}
}
