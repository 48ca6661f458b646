package schedules

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"ledge/edge/awsapi/restjson"
	"ledge/persist"
)

// fakeExpressions knows three expressions and two zones.
type fakeExpressions struct{}

func (fakeExpressions) Check(expression, zone string) error {
	switch expression {
	case "rate(5 minutes)", "cron(0 8 * * ? *)", "at(2030-01-01T00:00:00)":
	default:
		return errors.New("no such expression")
	}
	if zone != "" && zone != "UTC" && zone != "Europe/Berlin" {
		return errors.New("no such time zone")
	}
	return nil
}

// api is the service behind a mux, on a real store.
type api struct {
	testing.TB
	store   *persist.Store
	mux     *http.ServeMux
	changed []string
	caller  restjson.Caller
}

// Changed is part of Runner.
func (a *api) Changed(group, name string) { a.changed = append(a.changed, group+"/"+name) }

// nextRun is what the fake Runner says, but for schedules that are paused.
var nextRun = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

// Next is part of Runner.
func (a *api) Next(status persist.ScheduleStatus) time.Time {
	if status.Schedule.State != persist.ScheduleEnabled {
		return time.Time{}
	}
	return nextRun
}

// RunNow is part of Runner.
func (a *api) RunNow(group, name string) (string, error) {
	schedule, err := a.store.GetSchedule(group, name)
	if err != nil {
		return "", err
	}
	const id = "00000000-0000-0000-0000-000000000001"
	return id, a.store.RunSchedule(group, name, schedule.Revision, persist.Job{ID: id, Function: "f"}, persist.DefaultQueueLimits())
}

// everyone may do everything.
type everyone struct{}

func (everyone) ARN() string                         { return "arn:aws:iam::000000000000:root" }
func (everyone) Allows(restjson.Access, string) bool { return true }

// restricted is a key for one function.
type restricted string

func (restricted) ARN() string { return "arn:aws:iam::000000000000:user/mine" }
func (r restricted) Allows(_ restjson.Access, function string) bool {
	return function == string(r)
}

func newTestAPI(t testing.TB) *api {
	t.Helper()
	store, err := persist.Open(t.TempDir(), persist.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	a := &api{TB: t, store: store, mux: http.NewServeMux(), caller: everyone{}}
	operations := Operations(Config{
		Store: store, Expressions: fakeExpressions{}, Region: "eu-north-1",
		Runner: a,
	})
	for i := range operations {
		op := &operations[i]
		a.mux.HandleFunc(op.Method+" "+op.Path, func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				t.Error(err)
			}
			if op.Matches != nil && !op.Matches(r) {
				http.NotFound(w, r)
				return
			}
			if !op.InBody && !a.caller.Allows(op.Access, "") {
				restjson.Denied(a.caller, op, "").Write(w)
				return
			}
			err = op.Serve(w, restjson.WithRequest(r, a.caller, body, op))
			var fault *restjson.Fault
			switch {
			case errors.As(err, &fault):
				fault.Write(w)
			case err != nil:
				t.Errorf("%s %s: %v", r.Method, r.URL, err)
				http.Error(w, err.Error(), http.StatusInternalServerError)
			}
		})
	}
	return a
}

// do sends a request and returns the reply.
func (a *api) do(method, path, body string) *httptest.ResponseRecorder {
	a.Helper()
	w := httptest.NewRecorder()
	a.mux.ServeHTTP(w, httptest.NewRequest(method, path, strings.NewReader(body)))
	return w
}

// ok sends a request that must succeed and returns the reply's members.
func (a *api) ok(method, path, body string) map[string]any {
	a.Helper()
	w := a.do(method, path, body)
	var reply map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &reply); err != nil || w.Code != http.StatusOK {
		a.Fatalf("%s %s: status %d, %s", method, path, w.Code, w.Body)
	}
	return reply
}

// refused sends a request that must be refused with a code and a message that
// holds text.
func (a *api) refused(method, path, body string, status int, code, text string) {
	a.Helper()
	w := a.do(method, path, body)
	var reply struct{ Message string }
	if err := json.Unmarshal(w.Body.Bytes(), &reply); err != nil {
		a.Errorf("%s %s %.200s: %v in %s", method, path, body, err, w.Body)
	}
	if w.Code != status || w.Header().Get("X-Amzn-Errortype") != code || !strings.Contains(reply.Message, text) {
		a.Errorf("%s %s %.200s: got %d, %s, %q; want %d, %s, %q",
			method, path, body, w.Code, w.Header().Get("X-Amzn-Errortype"), reply.Message, status, code, text)
	}
}

const arn = "arn:aws:lambda:us-east-1:123456789012:function:f"

// minimal is the least that a schedule must say.
func minimal(expression string) string {
	return `{"FlexibleTimeWindow":{"Mode":"OFF"},"ScheduleExpression":"` + expression + `","Target":{"Arn":"` + arn + `"}}`
}

func tagsPath(group string) string {
	return "/tags/" + url.PathEscape("arn:aws:scheduler:eu-north-1:000000000000:schedule-group/"+group)
}
