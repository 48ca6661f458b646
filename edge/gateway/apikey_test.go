package gateway

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// keyedAPIs has a route that needs a key, on two stages, and two keys.
func keyedAPIs(t testing.TB, plan Plan) Published {
	keyed := v1(route(t, "GET /a"))
	keyed.KeyRequired = true
	covers := func(stage string) Plan {
		p := plan
		p.ID, p.API, p.Stage = "gold", "rest1", stage
		return p
	}
	return Published{
		APIs: []API{{ID: "rest1", Kind: KindREST, Stages: []Stage{
			{Name: "p", Routes: []Route{keyed, v1(route(t, "GET /free"))}}, {Name: "q", Routes: []Route{keyed}}, {Name: "z", Routes: []Route{keyed}},
		}}},
		Keys: []Key{
			{ID: "k1", Name: "one", Value: "value-1", Plans: []Plan{covers("p"), covers("q")}},
			{ID: "k2", Name: "two", Value: "value-2", Plans: []Plan{covers("p")}},
			{ID: "k3", Name: "idle", Value: "value-3"},
		},
	}
}

// asker asks one server and compares status and text.
type asker struct {
	t *testing.T
	s *Server
}

func (a asker) get(request, want string) {
	a.t.Helper()
	status, _, body := ask(a.t, a.s, wireOf("rest1", "GET "+request))
	if got := strings.TrimSpace(fmt.Sprint(status, " ", body)); got != want {
		a.t.Errorf("%s: got %s, want %s", request, got, want)
	}
}

const (
	shutText  = `403 {"message":"Forbidden"}`
	busyText  = `429 {"message":"Too Many Requests"}`
	spentText = `429 {"message":"Limit Exceeded"}`
)

func TestAPIKeys(t *testing.T) {
	s := publish(t, Config{Invoker: replies(`{"statusCode":200}`)}, keyedAPIs(t, Plan{}))
	a := asker{t, s}
	a.get("/p/free", "200")
	a.get("/p/a", shutText)
	a.get("/p/a|X-Api-Key: ", shutText)
	a.get("/p/a|X-Api-Key: value-0", shutText)
	a.get("/p/a|X-Api-Key: value-1x", shutText)
	a.get("/p/a|X-Api-Key: k1", shutText)
	a.get("/p/a|X-Api-Key: value-3", shutText) // in no plan
	a.get("/z/a|X-Api-Key: value-1", shutText) // in no plan for this stage
	a.get("/q/a|X-Api-Key: value-2", shutText)
	a.get("/p/a|X-Api-Key: "+strings.Repeat("x", 200), shutText)
	a.get("/p/a|x-api-key: value-1", "200")
	a.get("/q/a|X-Api-Key: value-1", "200")
	event, _ := eventOf(t, s, wireOf("rest1", "GET /p/a|X-Api-Key: value-1"))
	if !strings.Contains(string(event), `"apiKey":"value-1","apiKeyId":"k1"`) {
		t.Errorf("%s", event)
	}
	event, _ = eventOf(t, s, wireOf("rest1", "GET /p/free|X-Api-Key: value-1"))
	if !strings.Contains(string(event), `"apiKey":null,"apiKeyId":null`) {
		t.Errorf("a route that needs no key: %s", event)
	}
}

// TestUsagePlans: what a key may use is shared by the stages of its plan, not by
// its keys, and goes on when APIs are published again.
func TestUsagePlans(t *testing.T) {
	plan := Plan{Throttle: Throttle{1, 2}, Quota: 3, Period: "DAY"}
	s := publish(t, Config{Invoker: replies(`{"statusCode":200}`)}, keyedAPIs(t, plan))
	now := testTime // not the real one: a day may end while the test runs
	s.started, s.now = now, func() time.Time { return now }
	a := asker{t, s}
	used := func(want int) {
		t.Helper()
		if n, ok := s.Used("k1", "gold"); n != want || !ok {
			t.Errorf("%d used, %v; want %d", n, ok, want)
		}
	}
	used(0)
	a.get("/p/a|X-Api-Key: value-1", "200")
	a.get("/q/a|X-Api-Key: value-1", "200")
	a.get("/p/a|X-Api-Key: value-1", busyText) // takes nothing of the quota
	used(2)
	a.get("/p/a|X-Api-Key: value-2", "200") // the other key's own
	s.SetAPIs(mustAPIs(t, keyedAPIs(t, plan)))
	a.get("/p/a|X-Api-Key: value-1", busyText)
	now = now.Add(time.Second)
	a.get("/p/a|X-Api-Key: value-1", "200")
	now = now.Add(time.Second)
	a.get("/p/a|X-Api-Key: value-1", spentText)
	used(3)
	plan.Quota = 4
	s.SetAPIs(mustAPIs(t, keyedAPIs(t, plan)))
	now = now.Add(time.Second)
	a.get("/p/a|X-Api-Key: value-1", "200")
	now = now.Add(time.Second)
	a.get("/p/a|X-Api-Key: value-1", spentText)
	now = now.Add(24 * time.Hour)
	used(0)
	a.get("/p/a|X-Api-Key: value-1", "200")
	used(1)
	now = time.Date(now.Year(), now.Month()+1, 1, 12, 0, 0, 0, time.UTC) // where a day and a month begin together
	a.get("/p/a|X-Api-Key: value-1", "200")
	used(1)
	plan.Period = "MONTH"
	s.SetAPIs(mustAPIs(t, keyedAPIs(t, plan)))
	used(0)
	if _, ok := s.Used("k1", "silver"); ok {
		t.Error("a plan that is none was used")
	}
	if _, ok := s.Used("k3", "gold"); ok {
		t.Error("a key outside of the plan used it")
	}
	s.SetAPIs(nil)
	if _, ok := s.Used("k1", "gold"); ok {
		t.Error("a plan was used without APIs")
	}
}

// TestKeyFromAuthorizer: apiKeySource AUTHORIZER.
func TestKeyFromAuthorizer(t *testing.T) {
	p := keyedAPIs(t, Plan{})
	p.APIs[0].KeyFromAuthorizer = true
	for i := range p.APIs[0].Stages {
		p.APIs[0].Stages[i].Routes[0].Authorizer = &Authorizer{ID: "au", Lambda: &LambdaAuthorizer{Function: "auth", Payload: PayloadV1}}
	}
	fake := &asking{}
	s := publish(t, Config{Invoker: fake}, p)
	const answer = `{"principalId":"u","policyDocument":{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}},"usageIdentifierKey":"%s"}`
	for key, want := range map[string]string{"value-1": "200", "value-3": shutText, "": shutText} {
		fake.answer = fmt.Sprintf(answer, key)
		asker{t, s}.get("/p/a|X-Api-Key: value-2", want)
	}
}
