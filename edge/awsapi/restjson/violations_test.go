package restjson

import (
	"errors"
	"regexp"
	"strings"
	"testing"
)

func TestViolations(t *testing.T) {
	word := regexp.MustCompile(`^[a-z]+$`)
	for name, test := range map[string]struct {
		find func(*Violations)
		want string
	}{
		"none": {func(v *Violations) {
			v.Between(1, "n", 1, 2)
			v.Between(2, "n", 1, 2)
			v.Length("é", "t", 1, 1)
			v.Items(0, "l", 0, 1)
			v.Matches("a", "t", word)
			v.OneOf("a", "t", "b", "a")
			v.Required(true, "t")
		}, ""},
		"small number":  {func(v *Violations) { v.Between(0, "n", 1, 2) }, "1 validation error detected: Value '0' at 'n' failed to satisfy constraint: Member must have value greater than or equal to 1"},
		"large number":  {func(v *Violations) { v.Between(3, "n", 1, 2) }, "1 validation error detected: Value '3' at 'n' failed to satisfy constraint: Member must have value less than or equal to 2"},
		"short text":    {func(v *Violations) { v.Length("", "t", 1, 2) }, "1 validation error detected: Value '' at 't' failed to satisfy constraint: Member must have length greater than or equal to 1"},
		"long text":     {func(v *Violations) { v.Length("ééé", "t", 1, 2) }, "1 validation error detected: Value 'ééé' at 't' failed to satisfy constraint: Member must have length less than or equal to 2"},
		"very long":     {func(v *Violations) { v.Length(strings.Repeat("x", 201), "t", 0, 200) }, "1 validation error detected: Value '" + strings.Repeat("x", 200) + "' at 't' failed to satisfy constraint: Member must have length less than or equal to 200"},
		"long list":     {func(v *Violations) { v.Items(3, "l", 0, 2) }, "1 validation error detected: Value '[3 items]' at 'l' failed to satisfy constraint: Member must have length less than or equal to 2"},
		"pattern":       {func(v *Violations) { v.Matches("1", "t", word) }, "1 validation error detected: Value '1' at 't' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-z]+"},
		"another value": {func(v *Violations) { v.OneOf("c", "t", "a", "b") }, "1 validation error detected: Value 'c' at 't' failed to satisfy constraint: Member must satisfy enum value set: [a, b]"},
		"missing":       {func(v *Violations) { v.Required(false, "t") }, "1 validation error detected: Value null at 't' failed to satisfy constraint: Member must not be null"},
		"two":           {func(v *Violations) { v.Required(false, "a"); v.Required(false, "b") }, "2 validation errors detected: Value null at 'a' failed to satisfy constraint: Member must not be null; Value null at 'b' failed to satisfy constraint: Member must not be null"},
	} {
		var found Violations
		test.find(&found)
		err := found.Err()
		var fault *Fault
		switch {
		case test.want == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case test.want != "" && (!errors.As(err, &fault) || fault.Message != test.want || fault.Code != CodeValidation || fault.Status != 400):
			t.Errorf("%s: %#v, want %s", name, err, test.want)
		}
	}
	var many Violations
	for range 1000 {
		many.Add("x", "list", "no")
		many.Required(false, "list")
	}
	if len(many) != maxViolations {
		t.Errorf("%d of many are told, want %d", len(many), maxViolations)
	}
}
