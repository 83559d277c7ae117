package app_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fairwayhq/fairway/internal/app"
	"github.com/fairwayhq/fairway/internal/cli"
	"github.com/fairwayhq/fairway/internal/fault"
)

// planned is what `fairway plan` says of a service that is counted at the address.
func planned(t *testing.T, address string, args ...string) (string, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "fairway.yaml")
	definition := fmt.Sprintf(`service: shop
metrics:
  prometheus:
    url: %s
    preset: app
    requests: requests_total{revision="$revision",service="$service"}
    errors: errors_total{revision="$revision"}
    histogram: seconds{revision="$revision"}
host: {run: ./shop}
environments:
- {name: staging, host: {listen: "127.0.0.1:8080"}}
- {name: production, host: {listen: "127.0.0.1:8081"}}
- {name: canary-less, host: {listen: "127.0.0.1:8082"}, metrics: router}
`, address)
	if err := os.WriteFile(file, []byte(definition), 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	root := cli.New("test", app.Past, app.Find)
	root.SetOut(&out)
	root.SetErr(&out)
	root.SetArgs(append([]string{"plan", "-f", file}, args...))
	err := root.Execute()
	return out.String(), err
}

// store answers count() of the selector with how many there are of it.
func store(series map[string]int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		selector := strings.TrimSuffix(strings.TrimPrefix(r.FormValue("query"), "count("), ")")
		result := ""
		if n := series[selector]; n > 0 {
			result = fmt.Sprintf(`{"metric":{},"value":[1,"%d"]}`, n)
		}
		fmt.Fprintf(w, `{"status":"success","data":{"resultType":"vector","result":[%s]}}`, result)
	}
}

func TestAPlanShowsItsQueriesAndWhatTheyFind(t *testing.T) {
	server := httptest.NewServer(store(map[string]int{`requests_total{revision=~".+",service="shop"}`: 12}))
	defer server.Close()
	text, err := planned(t, server.URL)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"What is counted in staging, production, at " + server.URL + ", by the preset app",
		`  requests   12          requests_total{revision="$revision",service="$service"}`,
		`  errors     0           errors_total{revision="$revision"}`,
		`warning: {revision=~".+",__name__=~"seconds|seconds_bucket"} finds nothing now`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("it does not say %q:\n%s", want, text)
		}
	}
	if strings.Contains(text, "errors_total{revision=~") {
		t.Errorf("that there is no error is no fault:\n%s", text)
	}
}

func TestAPlanIsMadeWhereItsPrometheusIsOutOfReach(t *testing.T) {
	server := httptest.NewServer(store(nil))
	server.Close()
	address := strings.Replace(server.URL, "http://", "http://reader:hunter2@", 1)
	text, err := planned(t, address)
	if err != nil || !strings.Contains(text, "not tried   requests_total{") || !strings.Contains(text, "The queries were not tried from here: ") {
		t.Errorf("%v:\n%s", err, text)
	}
	if strings.Contains(text, "hunter2") {
		t.Errorf("the password is shown:\n%s", text)
	}
	text, err = planned(t, address, "-o", "json")
	var all struct {
		Metrics []struct {
			Environments []string
			Found        []cli.FoundSeries
			Unreached    string
		}
	}
	if err != nil || json.Unmarshal([]byte(text), &all) != nil || len(all.Metrics) != 1 || all.Metrics[0].Unreached == "" || len(all.Metrics[0].Found) != 0 {
		t.Errorf("%v: %s", err, text)
	}
}

func TestAPlanThatIsMadeOfflineAsksNobody(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("somebody was asked") }))
	defer server.Close()
	text, err := planned(t, server.URL, "--offline", "--server", server.URL)
	if err != nil || !strings.Contains(text, "not tried   requests_total{") || strings.Contains(text, "tried from here") {
		t.Errorf("%v:\n%s", err, text)
	}
}

func TestAQueryThatPrometheusRefusesIsAFaultOfThePlan(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"status":"error","errorType":"bad_data","error":"no such thing"}`)
	}))
	defer server.Close()
	if _, err := planned(t, server.URL); fault.CodeOf(err) != fault.Invalid || !strings.Contains(err.Error(), "no such thing") {
		t.Errorf("the query is wrong, and the plan says %v", err)
	}
}
