package identity

import (
	"strings"
	"testing"
)

func TestAllows(t *testing.T) {
	for _, test := range []struct {
		access    Access
		functions []string
		function  string
		want      string // the first letters of what is allowed
	}{
		{Read, nil, "f", "r"},
		{Invoke, nil, "f", "i"},
		{Deploy, nil, "f", "rid"},
		{Admin, nil, "f", "rida"},
		{"", nil, "f", ""},
		{"root", nil, "f", ""},
		{Deploy, nil, "", "rid"},
		{Deploy, []string{"f"}, "f", "rid"},
		{Deploy, []string{"f"}, "ff", ""},
		{Deploy, []string{"f"}, "", ""},
		{Invoke, []string{"a", "team-*"}, "team-x", "i"},
		{Invoke, []string{"a", "team-*"}, "team-", "i"},
		{Invoke, []string{"a", "team-*"}, "team", ""},
		{Invoke, []string{"a", "team-*"}, "", ""},
	} {
		c := Caller{Access: test.access, functions: test.functions}
		got := ""
		for _, need := range []Access{Read, Invoke, Deploy, Admin} {
			if c.Allows(need, test.function) {
				got += string(need[0])
			}
		}
		if got != test.want {
			t.Errorf("%s %q of %q: %q, want %q", test.access, test.functions, test.function, got, test.want)
		}
		if c.Allows("", test.function) || c.Allows("all", test.function) {
			t.Errorf("%s allows what is no access", test.access)
		}
		if c.limited() != (test.functions != nil) {
			t.Errorf("%q is limited: %t", test.functions, c.limited())
		}
	}
}

func TestAuthorize(t *testing.T) {
	n := newNode(t)
	ci := n.create(t, Order{Name: "ci", Access: Invoke, Functions: []string{"a"}, Secret: true})
	c, err := n.Authenticate(n.signed(t, ci.credentials(), ""))
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Authorize(c, Invoke, "a", "lambda:InvokeFunction", "arn"); err != nil {
		t.Error(err)
	}
	err = n.Authorize(c, Deploy, "a", "lambda:CreateFunction", "arn:aws:lambda:us-east-1:000000000000:function:a")
	wantCode(t, "Authorize", err, 403, CodeDenied, "User: arn:aws:iam::000000000000:user/ci is not authorized to perform: lambda:CreateFunction "+
		"on resource: arn:aws:lambda:us-east-1:000000000000:function:a because no identity-based policy allows the lambda:CreateFunction action")
	if got := n.Refusals()["access-denied"]; got != 1 {
		t.Errorf("%d refusals are counted", got)
	}
}

func TestRefusalsHaveNames(t *testing.T) {
	seen := map[string]bool{}
	for r := range refusals {
		name := r.String()
		if name == "" || seen[name] || strings.ToLower(name) != name {
			t.Errorf("refusal %d is called %q", r, name)
		}
		seen[name] = true
	}
}
