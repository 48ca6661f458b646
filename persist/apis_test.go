package persist

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestAPIRecordsSurviveARestart(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir, Options{})
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	rate, burst := 1.5, 0
	ch := APIChange{
		PutAPIs: []API{{ID: "a", Protocol: ProtocolREST, Name: "n", Created: at, CORS: &CORS{AllowOrigins: []string{"*"}}}},
		PutDeployments: []APIDeployment{
			{API: "a", Created: at, Definition: APIDefinition{Resources: []APIResource{{ID: "r", Methods: map[string]APIMethod{
				"GET": {AuthorizationType: "NONE", Integration: &APIIntegration{Type: "MOCK", Responses: map[string]APIIntegrationResponse{"200": {Templates: map[string]string{"x": "y"}}}}},
			}}}}},
			{API: "a", ID: "d", Created: at, Definition: APIDefinition{Routes: []APIRoute{{ID: "r", Key: "$default"}}, Authorizers: []APIAuthorizer{{ID: "z", TTLSeconds: 3}}}},
		},
		PutStages:  []APIStage{{API: "a", Name: "$default", Deployment: "d", Created: at, Updated: at, Settings: map[string]MethodSettings{"*": {Rate: &rate, Burst: &burst}}}},
		PutKeys:    []APIKey{{ID: "k", Value: "v", Enabled: true, Created: at, Updated: at}},
		PutPlans:   []UsagePlan{{ID: "p", Name: "n", Stages: []RootAPI{{"a", "$default"}}, Keys: []string{"k"}, Rate: &rate}},
		PutKeySets: []KeySet{{Issuer: "https://x", Keys: []byte("{}"), Updated: at}},
		Root:       &RootAPI{API: "a", Stage: "$default"},
	}
	noErr(t, s.ChangeAPIs(ch))
	closeStore(t, s)
	s = openStore(t, dir, Options{})
	api, err := s.API("a")
	noErr(t, err)
	draft, err := s.APIDeployment("a", "")
	noErr(t, err)
	stage, err := s.APIStage("a", "$default")
	noErr(t, err)
	key, err := s.APIKey("k")
	noErr(t, err)
	plan, err := s.UsagePlan("p")
	noErr(t, err)
	set, err := s.KeySet("https://x")
	noErr(t, err)
	root, err := s.RootAPI()
	noErr(t, err)
	deployments, err := s.APIDeployments("a")
	noErr(t, err)
	for _, pair := range [][2]any{
		{api, ch.PutAPIs[0]}, {draft, ch.PutDeployments[0]}, {stage, ch.PutStages[0]}, {key, ch.PutKeys[0]},
		{plan, ch.PutPlans[0]}, {set, ch.PutKeySets[0]}, {root, *ch.Root}, {deployments, ch.PutDeployments[1:]},
	} {
		if !reflect.DeepEqual(pair[0], pair[1]) {
			t.Errorf("read %+v, wrote %+v", pair[0], pair[1])
		}
	}
	live, err := s.LiveAPIs(APIChange{})
	noErr(t, err)
	want := LiveAPIs{
		APIs: ch.PutAPIs, Stages: ch.PutStages, Deployments: ch.PutDeployments[1:],
		Keys: ch.PutKeys, Plans: ch.PutPlans, KeySets: ch.PutKeySets, Root: *ch.Root,
	}
	if !reflect.DeepEqual(live, want) {
		t.Errorf("live is %+v, want %+v", live, want)
	}
}

func TestChangeAPIsRefuses(t *testing.T) {
	s := openStore(t, t.TempDir(), Options{})
	noErr(t, s.ChangeAPIs(APIChange{PutAPIs: []API{{ID: "a"}}, PutDeployments: []APIDeployment{{API: "a", ID: "d"}}}))
	for name, c := range map[string]struct {
		change APIChange
		want   error
	}{
		"no such API to delete":       {APIChange{DeleteAPIs: []string{"b"}}, ErrNotFound},
		"deployment without an API":   {APIChange{PutDeployments: []APIDeployment{{API: "b"}}}, ErrNotFound},
		"deployment of a deleted API": {APIChange{DeleteAPIs: []string{"a"}, PutDeployments: []APIDeployment{{API: "a"}}}, ErrNotFound},
		"stage without an API":        {APIChange{PutStages: []APIStage{{API: "b", Name: "s"}}}, ErrNotFound},
		"stage without a deployment":  {APIChange{PutStages: []APIStage{{API: "a", Name: "s", Deployment: "e"}}}, ErrNotFound},
		"stage of a deleted one":      {APIChange{DeleteDeployments: []APIDeployment{{API: "a", ID: "d"}}, PutStages: []APIStage{{API: "a", Name: "s", Deployment: "d"}}}, ErrNotFound},
		"empty ID":                    {APIChange{PutAPIs: []API{{}}}, ErrInvalid},
		"zero byte in a key":          {APIChange{PutKeys: []APIKey{{ID: "a\x00b"}}}, ErrInvalid},
		"too large":                   {APIChange{PutAPIs: []API{{ID: "a", Description: strings.Repeat("x", maxRecordBytes)}}}, ErrInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			before := s.Generation()
			c.change.PutKeys = append(c.change.PutKeys, APIKey{ID: "k"})
			wantErr(t, name, s.ChangeAPIs(c.change), c.want)
			if s.Generation() != before {
				t.Error("something was written")
			}
		})
	}
	for what, err := range map[string]error{
		"API":        errOf(s.API("x")),
		"deployment": errOf(s.APIDeployment("a", "x")),
		"stage":      errOf(s.APIStage("a", "x")),
		"key":        errOf(s.APIKey("x")),
		"plan":       errOf(s.UsagePlan("x")),
		"key set":    errOf(s.KeySet("x")),
	} {
		wantErr(t, what, err, ErrNotFound)
	}
}

func errOf[T any](_ T, err error) error { return err }

func TestDeleteAPITakesAllOfIt(t *testing.T) {
	s := openStore(t, t.TempDir(), Options{})
	for _, id := range []string{"a", "a0", "b"} {
		noErr(t, s.ChangeAPIs(APIChange{
			PutAPIs:        []API{{ID: id}},
			PutDeployments: []APIDeployment{{API: id}, {API: id, ID: "d"}},
			PutStages:      []APIStage{{API: id, Name: "s", Deployment: "d"}},
		}))
	}
	noErr(t, s.ChangeAPIs(APIChange{DeleteAPIs: []string{"a"}}))
	for _, id := range []string{"a", "a0", "b"} {
		stages, err := s.APIStages(id)
		noErr(t, err)
		deployments, err := s.APIDeployments(id)
		noErr(t, err)
		_, err = s.APIDeployment(id, "")
		if gone := err != nil; gone != (id == "a") || gone != (len(stages) == 0) || gone != (len(deployments) == 0) {
			t.Errorf("%s has %d stages, %d deployments, and the draft: %v", id, len(stages), len(deployments), err)
		}
	}
}

// What LiveAPIs says of a change beforehand is what is live after it.
func TestLiveAPIsForesees(t *testing.T) {
	s := openStore(t, t.TempDir(), Options{})
	random := rand.New(rand.NewPCG(1, 2))
	name := func() string { return fmt.Sprint("n", random.IntN(4)) }
	for round := range 300 {
		var ch APIChange
		live, err := s.LiveAPIs(ch)
		noErr(t, err)
		for range 1 + random.IntN(3) {
			switch id := name(); random.IntN(10) {
			case 0:
				if slices.ContainsFunc(live.APIs, func(a API) bool { return a.ID == id }) && !slices.Contains(ch.DeleteAPIs, id) {
					ch.DeleteAPIs = append(ch.DeleteAPIs, id)
				}
			case 1, 2:
				ch.PutAPIs = append(ch.PutAPIs, API{ID: id, Description: fmt.Sprint(round)})
			case 3, 4:
				d := APIDeployment{API: id, ID: name(), Description: fmt.Sprint(round)}
				ch.PutDeployments = append(ch.PutDeployments, d)
				ch.PutStages = append(ch.PutStages, APIStage{API: id, Name: name(), Deployment: d.ID})
			case 5:
				ch.PutStages = append(ch.PutStages, APIStage{API: id, Name: name(), Description: fmt.Sprint(round)})
			case 6:
				ch.DeleteDeployments = append(ch.DeleteDeployments, APIDeployment{API: name(), ID: name()})
				ch.DeleteStages = append(ch.DeleteStages, APIStage{API: id, Name: name()})
			case 7:
				ch.PutKeys = append(ch.PutKeys, APIKey{ID: id, Name: fmt.Sprint(round)})
				ch.PutPlans = append(ch.PutPlans, UsagePlan{ID: id, Name: fmt.Sprint(round)})
			case 8:
				ch.DeleteKeys, ch.DeletePlans = append(ch.DeleteKeys, id), append(ch.DeletePlans, name())
				ch.DeleteKeySets = append(ch.DeleteKeySets, id)
			case 9:
				ch.PutKeySets = append(ch.PutKeySets, KeySet{Issuer: id, Keys: []byte{byte(round)}})
				ch.Root = &RootAPI{API: id, Stage: name()}
			}
		}
		foreseen, err := s.LiveAPIs(ch)
		noErr(t, err)
		if err := s.ChangeAPIs(ch); err != nil {
			wantErr(t, "change", err, ErrNotFound) // it put what belongs to an API that is not there
			continue
		}
		after, err := s.LiveAPIs(APIChange{})
		noErr(t, err)
		if fmt.Sprint(foreseen) != fmt.Sprint(after) { // nil is as good as empty
			t.Fatalf("round %d: %+v\nforeseen %+v\nis       %+v", round, ch, foreseen, after)
		}
	}
}

func TestDraftsOnly(t *testing.T) {
	for _, c := range []struct {
		change APIChange
		want   bool
	}{
		{APIChange{PutDeployments: []APIDeployment{{API: "a"}}}, true},
		{APIChange{PutDeployments: []APIDeployment{{API: "a"}, {API: "a", ID: "d"}}}, false},
		{APIChange{PutDeployments: []APIDeployment{{API: "a"}}, DeleteStages: []APIStage{{}}}, false},
		{APIChange{PutDeployments: []APIDeployment{{API: "a"}}, Root: new(RootAPI)}, false},
	} {
		if got := c.change.DraftsOnly(); got != c.want {
			t.Errorf("%+v: %v", c.change, got)
		}
	}
}

// A record that cannot be read costs itself, and not the other APIs.
func TestDamagedAPIsAreSetAside(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir, Options{})
	noErr(t, s.ChangeAPIs(APIChange{
		PutAPIs:        []API{{ID: "a"}, {ID: "b"}},
		PutDeployments: []APIDeployment{{API: "a", ID: "d"}},
		PutStages:      []APIStage{{API: "a", Name: "s", Deployment: "d"}, {API: "a", Name: "t", Deployment: "d"}},
		PutKeys:        []APIKey{{ID: "k"}}, PutPlans: []UsagePlan{{ID: "p"}}, PutKeySets: []KeySet{{Issuer: "i"}},
	}))
	noErr(t, s.PutSetting(keyRootAPI, "?"))
	noErr(t, s.update(0, func(c *change) error {
		for bucket, key := range map[string]string{
			bucketAPIs: "b", bucketAPIDeployments: "a\x00d", bucketAPIStages: "a\x00t",
			bucketAPIKeys: "k", bucketUsagePlans: "p", bucketKeySets: "i",
		} {
			if err := c.putBytes(bucket, []byte(key), []byte("{")); err != nil {
				return err
			}
		}
		return nil
	}))
	closeStore(t, s)
	s = openStore(t, dir, Options{})
	live, err := s.LiveAPIs(APIChange{})
	noErr(t, err)
	if len(live.APIs) != 1 || len(live.Stages) != 1 || len(live.Deployments)+len(live.Keys)+len(live.Plans)+len(live.KeySets) != 0 || live.Root != (RootAPI{}) {
		t.Errorf("left is %+v", live)
	}
	if s.Recovered() == "" {
		t.Error("nobody is told")
	}
}
