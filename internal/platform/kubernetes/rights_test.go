package kubernetes

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"github.com/fairwayhq/fairway/internal/fault"
)

// The question is left out only where it cannot be asked: an API server in trouble says
// nothing about rights.
func TestRightsThatCannotBeAskedForAreNotTakenForGranted(t *testing.T) {
	for status, want := range map[int]fault.Code{
		http.StatusForbidden: "", http.StatusNotFound: "", http.StatusMethodNotAllowed: "",
		http.StatusInternalServerError: fault.Unavailable, http.StatusTooManyRequests: fault.Unavailable, http.StatusUnauthorized: fault.Denied,
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			fmt.Fprintf(w, `{"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": %d, "reason": %q}`, status, reasonOf[status])
		}))
		client, err := dynamic.NewForConfig(&rest.Config{Host: server.URL})
		if err != nil {
			t.Fatal(err)
		}
		p := &Platform{cluster: &cluster{client: client}, settings: Settings{Namespace: "shop"}}
		err = p.permitted(t.Context(), nil)
		if want == "" && err != nil || want != "" && fault.CodeOf(err) != want {
			t.Errorf("an answer of %d is told as %v", status, err)
		}
		server.Close()
	}
}

var reasonOf = map[int]string{
	http.StatusForbidden: "Forbidden", http.StatusNotFound: "NotFound", http.StatusMethodNotAllowed: "MethodNotAllowed",
	http.StatusInternalServerError: "InternalError", http.StatusTooManyRequests: "TooManyRequests", http.StatusUnauthorized: "Unauthorized",
}

// What a worker may is what these rules say; the namespace has monitors or not.
func TestALackOfWhatAReleaseWillNeedIsToldBefore(t *testing.T) {
	config, account := placedObject{resource: configMaps}, placedObject{resource: serviceAccounts}
	monitor, budget := placedObject{resource: serviceMonitors}, placedObject{resource: budgets}
	for name, c := range map[string]struct {
		lacks    []string // "VERB RESOURCE"
		objects  []placedObject
		first    bool
		monitors string
		want     string
	}{
		"all that a release takes":             {[]string{"get configmaps"}, []placedObject{config, account}, false, "", ""},
		"an account that cannot be looked for": {[]string{"get serviceaccounts"}, []placedObject{config, account}, false, "", "get serviceaccounts"},
		"config that a first release brings":   {[]string{"get configmaps"}, []placedObject{config, account}, true, "", "get configmaps"},
		"a monitor that a first one brings":    {[]string{"get servicemonitors", "list servicemonitors"}, []placedObject{monitor, budget}, true, "", "list servicemonitors.monitoring.coreos.com"},
		"no monitor that is to be copied":      {[]string{"create servicemonitors"}, nil, false, "", ""},
		"a monitor of another service":         {[]string{"create servicemonitors"}, nil, false, `{"metadata": {"name": "mail"}, "spec": {"selector": {"matchLabels": {"app": "mail"}}}}`, ""},
		"a monitor that is to be copied":       {[]string{"create servicemonitors"}, nil, false, `{"metadata": {"name": "shop"}, "spec": {"selector": {"matchLabels": {"app": "shop"}}}}`, "create servicemonitors.monitoring.coreos.com"},
	} {
		p := &Platform{cluster: &cluster{client: reviewing(t, c.lacks, c.monitors)}, settings: Settings{Namespace: "shop", Service: "shop", Route: RouteName{Kind: "HTTPRoute", Name: "shop"}}}
		err := p.permitted(t.Context(), rightsTo(c.objects, c.first))
		if c.want == "" && err != nil || c.want != "" && (fault.CodeOf(err) != fault.Denied || !strings.Contains(err.Error(), "may not "+c.want+" in the namespace shop")) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// reviewing is an API server that lets its user do all but what it lacks.
func reviewing(t *testing.T, lacks []string, monitors string) dynamic.Interface {
	var rules []authorizationv1.ResourceRule
	for _, verb := range []string{"get", "list", "watch", "create", "update", "patch", "delete"} {
		for _, r := range []schema.GroupVersionResource{httpRoutes, deployments, replicaSets, pods, services, autoscalers, budgets, networkPolicies, serviceMonitors, configMaps, serviceAccounts} {
			if !slices.Contains(lacks, verb+" "+r.Resource) {
				rules = append(rules, authorizationv1.ResourceRule{Verbs: []string{verb}, APIGroups: []string{r.Group}, Resources: []string{r.Resource}})
			}
		}
	}
	review := authorizationv1.SelfSubjectRulesReview{
		TypeMeta: metav1.TypeMeta{APIVersion: "authorization.k8s.io/v1", Kind: "SelfSubjectRulesReview"},
		Status:   authorizationv1.SubjectRulesReviewStatus{ResourceRules: rules},
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		switch {
		case strings.HasSuffix(r.URL.Path, "/services/shop"):
			fmt.Fprint(w, `{"kind": "Service", "apiVersion": "v1", "metadata": {"name": "shop", "labels": {"app": "shop"}}}`)
			return
		case strings.HasSuffix(r.URL.Path, "/servicemonitors"):
			fmt.Fprintf(w, `{"kind": "ServiceMonitorList", "apiVersion": "monitoring.coreos.com/v1", "items": [%s]}`, monitors)
			return
		}
		if err := json.NewEncoder(w).Encode(review); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(server.Close)
	client, err := dynamic.NewForConfig(&rest.Config{Host: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	return client
}
