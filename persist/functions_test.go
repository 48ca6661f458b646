package persist

import (
	"strings"
	"testing"
)

func TestPutFunctionRevisions(t *testing.T) {
	s := openStore(t, t.TempDir(), Options{})
	_, err := s.PutFunction(testFunction("f"), "some-revision", nil)
	wantErr(t, "revision of a function that is not there", err, ErrNotFound)
	first, err := s.PutFunction(testFunction("f"), MustNotExist, nil)
	noErr(t, err)
	_, err = s.PutFunction(testFunction("f"), MustNotExist, nil)
	wantErr(t, "create again", err, ErrExists)
	second, err := s.PutFunction(testFunction("f"), first.RevisionID, nil)
	noErr(t, err)
	if second.RevisionID == first.RevisionID {
		t.Error("the revision did not change with the write")
	}
	if !second.Created.Equal(first.Created) || second.LastModified.Before(first.LastModified) {
		t.Errorf("created %v then %v, modified %v then %v", first.Created, second.Created, first.LastModified, second.LastModified)
	}
	_, err = s.PutFunction(testFunction("f"), first.RevisionID, nil)
	wantErr(t, "old revision", err, ErrConflict)
	_, err = s.PutFunction(testFunction("f"), "", nil)
	noErr(t, err)
}

func TestRoutesHaveOneOwner(t *testing.T) {
	s := openStore(t, t.TempDir(), Options{})
	r := Route{Method: "GET", Path: "/x"}
	_, err := s.PutFunction(testFunction("f"), "", []Route{r})
	noErr(t, err)
	_, err = s.PutFunction(testFunction("g"), "", []Route{{Method: "GET", Path: "/y"}, r})
	wantErr(t, "deploy with a route of another", err, ErrConflict)
	if err != nil && !strings.Contains(err.Error(), "function f") {
		t.Errorf("%q does not name the owner", err)
	}
	_, err = s.GetFunction("g", "")
	wantErr(t, "the function of the refused deploy", err, ErrNotFound)
	_, err = s.PutFunction(testFunction("g"), "", nil)
	noErr(t, err)
	r.Function = "g"
	wantErr(t, "add what is there", s.PutRoute(r, false), ErrExists)
	noErr(t, s.PutRoute(r, true))
	routes, err := s.FunctionRoutes("g")
	noErr(t, err)
	if len(routes) != 1 || routes[0].Key() != "GET /x" {
		t.Errorf("routes of g: %+v", routes)
	}
	noErr(t, s.DeleteRoute("GET /x"))
	if routes, err = s.Routes(); err != nil || len(routes) != 0 {
		t.Errorf("routes: %+v, %v", routes, err)
	}
}

func TestDeleteFunctionTakesAllOfItAndNothingElse(t *testing.T) {
	s := openStore(t, t.TempDir(), Options{})
	for _, name := range []string{"f", "f-", "g"} {
		_, err := s.PutFunction(testFunction(name), "", []Route{{Method: "GET", Path: "/" + name}})
		noErr(t, err)
		_, _, err = s.Publish(name, "", "")
		noErr(t, err)
		_, err = s.PutAlias(Alias{Function: name, Name: "live", Version: "1"}, "")
		noErr(t, err)
		noErr(t, s.putOwn(name, "k", []byte(name)))
	}
	removed, err := s.DeleteFunction("f")
	noErr(t, err)
	if len(removed.Functions) != 2 || len(removed.Aliases) != 1 || len(removed.Routes) != 1 || removed.Routes[0].Path != "/f" {
		t.Errorf("removed %+v", removed)
	}
	left, err := s.Load()
	noErr(t, err)
	if len(left.Functions) != 4 || len(left.Aliases) != 2 || len(left.Routes) != 2 {
		t.Errorf("left %+v", left)
	}
	for name, want := range map[string]string{"f-": "f-", "g": "g"} {
		if v, err := s.getOwn(name, "k"); err != nil || string(v) != want {
			t.Errorf("data of %s: %q, %v", name, v, err)
		}
	}
	_, err = s.PutFunction(testFunction("f"), "", nil)
	noErr(t, err)
	if v, err := s.getOwn("f", "k"); err != nil || v != nil {
		t.Errorf("a new function of the old name finds data %q, %v", v, err)
	}
}
