package awsapi

import (
	"fmt"
	"net/http"
	"testing"
)

func TestReservedConcurrency(t *testing.T) {
	n := newNode(t)
	n.create("hello")
	n.want(http.StatusCreated, "POST", functions+"/hello/versions", nil)
	put, get := "/2017-10-31/functions/hello/concurrency", "/2019-09-30/functions/hello/concurrency"
	if r := n.want(http.StatusOK, "GET", get, nil); string(r.body) != "{}" {
		t.Errorf("without a reservation: %s", r.body)
	}
	for _, test := range []struct{ given, engine int }{{7, 7}, {0, -1}, {1000, 1000}} {
		want := fmt.Sprintf(`{"ReservedConcurrentExecutions":%d}`, test.given)
		if r := n.want(http.StatusOK, "PUT", put, object{"ReservedConcurrentExecutions": test.given}); string(r.body) != want {
			t.Errorf("put %s, want %s", r.body, want)
		}
		if r := n.want(http.StatusOK, "GET", get, nil); string(r.body) != want {
			t.Errorf("got %s, want %s", r.body, want)
		}
		if of := n.want(http.StatusOK, "GET", functions+"/hello:1", nil); of.text(t, "Concurrency.ReservedConcurrentExecutions") != fmt.Sprint(test.given) {
			t.Errorf("version 1 has %s", of.body)
		}
		if want := fmt.Sprint("hello ", test.engine); n.engine.concurrency != want {
			t.Errorf("the engine was told %q, want %q", n.engine.concurrency, want)
		}
	}
	n.want(http.StatusOK, "PUT", put, object{"ReservedConcurrentExecutions": 300})
	if r := n.want(http.StatusOK, "GET", "/2016-08-19/account-settings", nil); r.text(t, "AccountLimit.UnreservedConcurrentExecutions") != "700" {
		t.Errorf("account settings %s", r.body)
	}
	n.unchanged(func() {
		n.refused(400, codeValidation, "Value null at 'reservedConcurrentExecutions'", "PUT", put, object{})
		n.refused(400, codeInvalid, "decreases account's UnreservedConcurrentExecution below its minimum value of [0]", "PUT", put, object{"ReservedConcurrentExecutions": 1001})
		n.refused(400, codeValidation, "greater than or equal to 0", "PUT", put, object{"ReservedConcurrentExecutions": -1})
		n.refused(400, codeInvalid, "Aliases and versions do not support", "PUT", "/2017-10-31/functions/hello:1/concurrency", object{"ReservedConcurrentExecutions": 1})
		n.refused(404, codeNotFound, "Function not found", "PUT", "/2017-10-31/functions/nobody/concurrency", object{"ReservedConcurrentExecutions": 1})
		n.refused(404, codeNotFound, "Function not found", "DELETE", "/2017-10-31/functions/nobody/concurrency", nil)
		n.refused(404, codeNotFound, "Function not found", "GET", "/2019-09-30/functions/nobody/concurrency", nil)
	})
	n.want(http.StatusNoContent, "DELETE", put, nil)
	if r := n.want(http.StatusOK, "GET", get, nil); string(r.body) != "{}" || n.engine.concurrency != "hello 0" {
		t.Errorf("after the deletion: %s, %q", r.body, n.engine.concurrency)
	}
}

func TestProvisionedConcurrency(t *testing.T) {
	n := newNode(t)
	n.create("hello")
	n.want(http.StatusCreated, "POST", functions+"/hello/versions", nil)
	n.want(http.StatusCreated, "POST", functions+"/hello/aliases", object{"Name": "live", "FunctionVersion": "1"})
	n.want(http.StatusCreated, "POST", functions+"/hello/aliases", object{"Name": "next", "FunctionVersion": "$LATEST"})
	const path = "/2019-09-30/functions/hello/provisioned-concurrency"
	r := n.want(http.StatusAccepted, "PUT", path+"?Qualifier=live", object{"ProvisionedConcurrentExecutions": 3})
	for member, want := range map[string]string{
		"RequestedProvisionedConcurrentExecutions": "3", "AvailableProvisionedConcurrentExecutions": "1",
		"AllocatedProvisionedConcurrentExecutions": "2", "Status": "IN_PROGRESS", "StatusReason": "<nil>",
	} {
		if got := r.text(t, member); got != want {
			t.Errorf("%s is %s, want %s", member, got, want)
		}
	}
	n.engine.stuck = "no memory"
	if r := n.want(http.StatusOK, "GET", path+"?Qualifier=live", nil); r.text(t, "Status") != "FAILED" || r.text(t, "StatusReason") != "no memory" {
		t.Errorf("stuck: %s", r.body)
	}
	n.want(http.StatusAccepted, "PUT", path+"?Qualifier=live", object{"ProvisionedConcurrentExecutions": 1})
	if r := n.want(http.StatusOK, "GET", path+"?Qualifier=live", nil); r.text(t, "Status") != "READY" {
		t.Errorf("ready: %s", r.body)
	}
	n.want(http.StatusAccepted, "PUT", path+"?Qualifier=1", object{"ProvisionedConcurrentExecutions": 2})
	if n.engine.provisioned["1"] != 3 {
		t.Errorf("the version and its alias have %d together", n.engine.provisioned["1"])
	}
	const reserved = "/2017-10-31/functions/hello/concurrency"
	n.unchanged(func() {
		n.refused(400, codeInvalid, "should not be lower than function's total provisioned concurrency [3].", "PUT", reserved, object{"ReservedConcurrentExecutions": 2})
		n.refused(400, codeInvalid, "provisioned concurrency [3].", "PUT", "/v1/functions/hello", object{"Concurrency": 2})
	})
	for _, enough := range []int{3, 0} {
		n.want(http.StatusOK, "PUT", reserved, object{"ReservedConcurrentExecutions": enough})
	}
	n.want(http.StatusNoContent, "DELETE", reserved, nil)
	list := n.want(http.StatusOK, "GET", path+"?List=ALL&MaxItems=1", nil)
	if list.text(t, "NextMarker") != "1" {
		t.Errorf("list %s", list.body)
	}
	list = n.want(http.StatusOK, "GET", path+"?List=ALL&Marker=1", nil)
	var page struct {
		ProvisionedConcurrencyConfigs []provisioned
		NextMarker                    string
	}
	list.into(t, &page)
	if len(page.ProvisionedConcurrencyConfigs) != 1 || page.NextMarker != "" ||
		page.ProvisionedConcurrencyConfigs[0].FunctionArn != "arn:aws:lambda:eu-north-1:000000000000:function:hello:live" {
		t.Errorf("second page %s", list.body)
	}
	n.unchanged(func() {
		n.refused(400, codeValidation, "Value null at 'qualifier'", "PUT", path, object{"ProvisionedConcurrentExecutions": 1})
		n.refused(400, codeValidation, "Value null at 'provisionedConcurrentExecutions'", "PUT", path+"?Qualifier=live", object{})
		n.refused(400, codeValidation, "greater than or equal to 1", "PUT", path+"?Qualifier=live", object{"ProvisionedConcurrentExecutions": 0})
		n.refused(400, codeInvalid, "unpublished", "PUT", path+"?Qualifier=$LATEST", object{"ProvisionedConcurrentExecutions": 1})
		n.refused(400, codeInvalid, "$LATEST", "PUT", path+"?Qualifier=next", object{"ProvisionedConcurrentExecutions": 1})
		n.refused(404, codeNotFound, "function:hello:9", "PUT", path+"?Qualifier=9", object{"ProvisionedConcurrentExecutions": 1})
		n.refused(404, codeNotFound, "function:hello:9", "GET", path+"?Qualifier=9", nil)
		n.refused(404, codeNoProvisioned, "No Provisioned Concurrency Config found", "GET", path+"?Qualifier=next", nil)
		n.want(http.StatusNoContent, "DELETE", path+"?Qualifier=next", nil)
		n.refused(404, codeNotFound, "function:hello:9", "DELETE", path+"?Qualifier=9", nil)
		n.refused(404, codeNotFound, "Function not found", "GET", "/2019-09-30/functions/nobody/provisioned-concurrency?List=ALL", nil)
	})
	if r := n.call("PUT", path+"?Qualifier=live", object{"ProvisionedConcurrentExecutions": 65}); r.StatusCode != 400 || r.Header.Get("X-Amzn-Errortype") != codeInvalid {
		t.Errorf("more than the function may run: %s", r.body)
	}
	if r := n.want(http.StatusOK, "GET", path+"?Qualifier=live", nil); r.text(t, "RequestedProvisionedConcurrentExecutions") != "1" || n.engine.provisioned["1"] != 3 {
		t.Errorf("a refusal changed it: %s, %v", r.body, n.engine.provisioned)
	}
	// An alias that goes, or points elsewhere, takes its share with it.
	n.want(http.StatusOK, "PUT", functions+"/hello/code", object{"ZipFile": command("2"), "Publish": true})
	n.want(http.StatusOK, "PUT", functions+"/hello/aliases/live", object{"FunctionVersion": "2"})
	if n.engine.provisioned["1"] != 2 || n.engine.provisioned["2"] != 1 {
		t.Errorf("after the alias moved: %v", n.engine.provisioned)
	}
	n.want(http.StatusNoContent, "DELETE", functions+"/hello/aliases/live", nil)
	n.want(http.StatusNoContent, "DELETE", path+"?Qualifier=1", nil)
	if n.engine.provisioned["1"] != 0 || n.engine.provisioned["2"] != 0 || len(n.state().Provisioned) != 0 {
		t.Errorf("left over: %v, %v", n.engine.provisioned, n.state().Provisioned)
	}
}
