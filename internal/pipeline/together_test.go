package pipeline_test

import (
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/fairwayhq/fairway/internal/fault"
	"github.com/fairwayhq/fairway/internal/pipeline"
)

const (
	shopWith = `service: shop
with: [payments, ledger]
host: {run: ./shop, listen: "127.0.0.1:8080"}
environments:
  - {name: production, stages: [deploy]}
`
	paymentsWith = `service: payments
with: [ledger]
host: {run: ./payments, listen: "127.0.0.1:9080"}
environments:
  - {name: production, stages: [deploy]}
`
	ledgerAlone = `service: ledger
host: {run: ./ledger, listen: "127.0.0.1:9081"}
environments:
  - {name: production, stages: [deploy]}
`
)

// drawOthers are the definitions of services that are released with that of drawWaves.
func drawOthers(t *rapid.T) (others [][]byte) {
	stages := rapid.SampledFrom([]string{"[deploy]", "[canary, promote]", "[{job: {run: ./up, undo: ./down}}, deploy]", "[{gate: latest.tests.status == 'passed'}, deploy]"})
	for _, name := range []string{"payments", "ledger"}[:rapid.IntRange(0, 2).Draw(t, "others")] {
		others = append(others, []byte("service: "+name+"\nhost: {run: ./it, listen: \"127.0.0.1:9080\"}\nenvironments:\n"+
			"  - {name: production, regions: [e, d, c, b, a], stages: "+stages.Draw(t, "stages of "+name)+"}\n"))
	}
	return others
}

// legalSteps checks what holds for the services in an environment after each event.
func legalSteps(t *rapid.T, was, is pipeline.Run) {
	for i, e := range is.Environments {
		p := &is.Plan.Environments[i]
		if p.Step() == 0 {
			continue
		}
		undoing := e.State == pipeline.EnvironmentRollingBack && e.Stages[e.Stage].State == pipeline.StageUndoing
		before := was.Environments[i]
		began := before.StartedAt.IsZero() && !e.StartedAt.IsZero()
		turned := undoing && before.Stages[before.Stage].State != pipeline.StageUndoing
		for j, o := range is.Environments {
			q := &is.Plan.Environments[j]
			if i == j || q.In() != p.In() || q.Step() == 0 {
				continue
			}
			ended := o.State == pipeline.EnvironmentSucceeded || o.State == pipeline.EnvironmentSkipped
			if began && q.Wave() == p.Wave() && q.Step() < p.Step() && !ended {
				t.Fatalf("%s began while %s was %s", e.Name, o.Name, o.State)
			}
			if turned && q.Place() == p.Place() && q.Step() > p.Step() && o.State == pipeline.EnvironmentRollingBack {
				t.Fatalf("%s goes back before %s, which needs it", e.Name, o.Name)
			}
			if e.State == pipeline.EnvironmentRunning && o.State == pipeline.EnvironmentRunning && q.Step() != p.Step() {
				t.Fatalf("%s and %s advance at the same time", e.Name, o.Name)
			}
		}
	}
}

func TestServicesGoInTheOrderInWhichTheyNeedEachOther(t *testing.T) {
	plan := planOf(t, []byte(shopWith), []byte(paymentsWith), []byte(ledgerAlone))
	if got := plan.Services(); !slices.Equal(got, []string{"ledger", "payments", "shop"}) {
		t.Errorf("they go as %v", got)
	}
	var names []string
	for _, e := range plan.Environments {
		names = append(names, e.Name)
	}
	if want := []string{"production:ledger", "production:payments", "production:shop"}; !slices.Equal(names, want) {
		t.Errorf("the entries are %v", names)
	}
	if got := plan.Title(); got != "shop v2 with ledger v3 and payments v3" {
		t.Errorf("it is called %q", got)
	}
	for _, e := range plan.Environments {
		if c := plan.ComponentOf(&e); c.Service != e.Service || c.Artifact != "./"+e.Service {
			t.Errorf("%s places %s", e.Name, c.Artifact)
		}
	}
}

func TestAServiceHasTheRevisionThatItHasWhenItIsReleasedAlone(t *testing.T) {
	plan := planOf(t, []byte(shopWith), []byte(ledgerAlone))
	alone, err := pipeline.Compile(parsed(t, []byte(ledgerAlone)), pipeline.Request{Version: "v9", Artifact: "./ledger", Digest: digestOf("ledger")})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := plan.Revision(plan.At("ledger", "production")), alone.Revision(&alone.Environments[0]); got != want {
		t.Errorf("it is %s together and %s alone", got, want)
	}
}

func TestAPlanOfSeveralServicesIsReadAsItWas(t *testing.T) {
	plan := planOf(t, []byte(shopWith), []byte(paymentsWith), []byte(ledgerAlone))
	b, err := plan.Encode()
	if err != nil {
		t.Fatal(err)
	}
	back, err := pipeline.ReadPlan(b)
	if err != nil || !reflect.DeepEqual(plan, back) || plan.Hash() != back.Hash() || plan.Version != 3 {
		t.Errorf("it has version %d and came back as another one: %v", plan.Version, err)
	}
}

func TestAReleaseOfOneServiceIsWrittenAsEverWhateverItsDefinitionNames(t *testing.T) {
	alone := planOf(t, []byte(strings.Replace(shopWith, "with: [payments, ledger]\n", "", 1)))
	if with := planOf(t, []byte(shopWith)); with.Hash() != alone.Hash() || with.Version != 1 {
		t.Errorf("it has version %d and another hash", with.Version)
	}
}

func TestServicesShareTheFalseAlarmsOfAnEnvironment(t *testing.T) {
	judged := strings.NewReplacer(", stages: [deploy]", "")
	plan := planOf(t, []byte(judged.Replace(shopWith)), []byte(judged.Replace(paymentsWith)), []byte(judged.Replace(ledgerAlone)))
	if sum, judges := spent(plan); judges != 6 || math.Abs(sum-0.005) > 1e-12 {
		t.Errorf("%d judges may spend %v of 0.005", judges, sum)
	}
}

func TestTheTrafficToPlanWithIsThatOfTheEntrysService(t *testing.T) {
	lead := strings.Replace(shopWith, "host:", "expect: {rate: 100/s, errors: 1%}\nhost:", 1)
	other := strings.Replace(paymentsWith, "host:", "expect: {rate: 30/s, errors: 2%}\nhost:", 1)
	plan := planOf(t, []byte(lead), []byte(other), []byte(ledgerAlone))
	for service, want := range map[string][2]float64{"shop": {100, 0.01}, "payments": {30, 0.02}, "ledger": {}} {
		e := plan.At(service, "production")
		if got := [2]float64{plan.Rate(e), plan.Errors(e)}; got != want {
			t.Errorf("%s has %v", service, got)
		}
	}
}

func TestEachDefinitionsRulesCount(t *testing.T) {
	lead := `service: shop
with: [payments]
host: {run: ./shop}
environments:
  - {name: staging, host: {listen: "127.0.0.1:8081"}, stages: [deploy]}
  - name: production
    needs: {staging: 10m}
    skip: {roles: [sre, qa]}
    host: {listen: "127.0.0.1:8080"}
    stages: [{approval: {roles: [sre]}}, deploy]
`
	other := `service: payments
supersede: false
host: {run: ./payments}
environments:
  - {name: staging, host: {listen: "127.0.0.1:9081"}, stages: [deploy]}
  - name: production
    needs: {staging: 1h}
    skip: {roles: [qa, security]}
    host: {listen: "127.0.0.1:9080"}
    stages: [{approval: {roles: [sre]}}, {approval: {roles: [security]}}, deploy]
`
	plan := planOf(t, []byte(lead), []byte(other))
	head := plan.Environment("production")
	var stages []string
	for _, s := range head.Stages {
		stages = append(stages, s.Name)
	}
	if want := []string{"approval-2:payments", "approval"}; !slices.Equal(stages, want) {
		t.Errorf("what is done once is %v", stages)
	}
	for _, i := range plan.Entries("production") {
		e := plan.Environments[i]
		if len(e.Needs) != 1 || e.Needs[0].For.String() != "1h" || !slices.Equal(e.SkipRoles, []string{"qa"}) {
			t.Errorf("%s needs %v and is skipped by %v", e.Name, e.Needs, e.SkipRoles)
		}
	}
	if plan.Supersede {
		t.Error("a newer release may take its place, although payments forbids that")
	}
}

func TestWhatCannotGoTogetherIsRefused(t *testing.T) {
	change := func(text, old, to string) []byte {
		if !strings.Contains(text, old) {
			t.Fatalf("%q is not there", old)
		}
		return []byte(strings.Replace(text, old, to, 1))
	}
	cases := map[string]struct {
		lead   []byte
		others [][]byte
		want   string
	}{
		"a service that nobody names": {
			change(shopWith, "with: [payments, ledger]", "with: [payments]"), [][]byte{[]byte(ledgerAlone)}, "nothing says that ledger is released together with shop"},
		"a circle": {
			[]byte(shopWith), [][]byte{[]byte(paymentsWith), change(ledgerAlone, "host:", "with: [payments]\nhost:")}, "payments needs ledger needs payments"},
		"the leading service needed by another": {
			[]byte(shopWith), [][]byte{change(ledgerAlone, "host:", "with: [shop]\nhost:")}, "shop needs ledger needs shop"},
		"a service twice": {
			[]byte(shopWith), [][]byte{[]byte(ledgerAlone), []byte(ledgerAlone)}, "ledger is in the release twice"},
		"other regions": {
			[]byte(shopWith), [][]byte{change(ledgerAlone, "name: production,", "name: production, regions: [eu, us],")}, "ledger and shop have other regions in production"},
		"no environment in common": {
			[]byte(shopWith), [][]byte{change(ledgerAlone, "production", "elsewhere")}, "ledger has no environment that shop goes to"},
		"a need that is gone around": {
			[]byte(shopWith), [][]byte{change(ledgerAlone, "  - {name: production,", "  - {name: staging, host: {listen: \"127.0.0.1:1\"}, stages: [deploy]}\n  - {name: production, needs: [staging],")},
			"ledger needs staging before production, and shop does not go there"},
		"a need that is gone around by the order": {
			append([]byte(shopWith), "  - {name: staging, host: {listen: \"127.0.0.1:1\"}, stages: [deploy]}\n"...),
			[][]byte{change(ledgerAlone, "  - {name: production,", "  - {name: staging, host: {listen: \"127.0.0.1:1\"}, stages: [deploy]}\n  - {name: production, needs: {staging: 24h},")},
			"ledger needs staging before production, and shop goes there after it"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			ask := pipeline.Request{Version: "v2", Artifact: "./shop", Digest: digest}
			for _, other := range c.others {
				def := parsed(t, other)
				ask.With = append(ask.With, pipeline.ComponentRequest{Definition: def, Artifact: "./it", Digest: digestOf(def.Service)})
			}
			_, err := pipeline.Compile(parsed(t, c.lead), ask)
			if fault.CodeOf(err) != fault.Invalid || !strings.Contains(err.Error(), c.want) || fault.HintOf(err) == "" {
				t.Errorf("got %v (hint %q), want %q", err, fault.HintOf(err), c.want)
			}
		})
	}
}

func TestTheNameOfAnEntryMeansAllServicesThere(t *testing.T) {
	plan := planOf(t, []byte(shopWith), []byte(ledgerAlone))
	for _, name := range []string{"production", "production:ledger", "production:shop"} {
		if got := plan.Entries(name); !slices.Equal(got, []int{0, 1}) {
			t.Errorf("%s is %v", name, got)
		}
	}
	if got := plan.Entries("production:nothing"); got != nil {
		t.Errorf("a service that is not there is %v", got)
	}
}

// A second approval after a gate is asked for also where another service is along.
func TestAServicesOwnApprovalsAreAllAskedFor(t *testing.T) {
	lead := `service: shop
with: [payments]
host: {run: ./shop, listen: "127.0.0.1:8080"}
environments:
  - name: production
    stages: [{approval: {roles: [sre]}}, {gate: latest.tests.status == 'passed'}, {name: again, approval: {roles: [sre]}}, deploy]
`
	other := `service: payments
host: {run: ./payments, listen: "127.0.0.1:9080"}
environments:
  - name: production
    stages: [{approval: {roles: [sre]}}, deploy]
`
	head := planOf(t, []byte(lead), []byte(other)).Environment("production")
	var approvals int
	for _, s := range head.Stages {
		if s.Kind == pipeline.KindApproval {
			approvals++
		}
	}
	if approvals != 2 {
		t.Errorf("%d approvals are asked for, want 2", approvals)
	}
}
