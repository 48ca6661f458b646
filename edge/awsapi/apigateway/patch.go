package apigateway

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// maxPatches bounds the operations of one request.
const maxPatches = 500

// patchOperation changes one member of something
// (https://docs.aws.amazon.com/apigateway/latest/api/API_PatchOperation.html).
type patchOperation struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value string `json:"value"`
}

// patchRule says what may be done to a path
// (https://docs.aws.amazon.com/apigateway/latest/api/patch-operations.html).
type patchRule struct {
	// path is that of the operation. A last segment * stands for any one segment.
	path string
	// ops are the operations that may be done, separated by spaces.
	ops string
	// apply does it. key is what * stands for, decoded.
	apply func(op, key, value string) error
}

// Operations of a rule.
const (
	opReplace = "replace"
	opAny     = "add replace remove"
)

// readPatches returns the operations in a request's body.
func readPatches(r *http.Request) ([]patchOperation, error) {
	var req struct {
		PatchOperations []patchOperation `json:"patchOperations"`
	}
	if err := read(r, &req); err != nil {
		return nil, err
	}
	if len(req.PatchOperations) > maxPatches {
		return nil, badRequest("%d patch operations are too many: use at most %d in one request", len(req.PatchOperations), maxPatches)
	}
	for _, p := range req.PatchOperations {
		if !slices.Contains([]string{"add", "remove", "replace", "move", "copy", "test"}, p.Op) {
			return nil, badRequest("Invalid patch operation specified. Must be 'add'|'remove'|'replace'|'move'|'copy'|'test', not %.100q", p.Op)
		}
	}
	return req.PatchOperations, nil
}

// patch applies operations by rules, in order.
func patch(operations []patchOperation, rules []patchRule) error {
	for _, p := range operations {
		rule, key := ruleFor(rules, p.Path)
		if rule == nil || !slices.Contains(strings.Fields(rule.ops), p.Op) {
			paths := pathsFor(rules, p.Op)
			if paths == "" {
				return badRequest("Invalid patch operation '%s' specified: no path here takes it", p.Op)
			}
			return badRequest("Invalid patch path '%.200s' specified for op '%s'. Must be one of: [%s]", p.Path, p.Op, paths)
		}
		if err := rule.apply(p.Op, key, p.Value); err != nil {
			return err
		}
	}
	return nil
}

// ruleFor returns the rule for a path, and what its * stands for there.
func ruleFor(rules []patchRule, path string) (*patchRule, string) {
	for i := range rules {
		prefix, wild := strings.CutSuffix(rules[i].path, "*")
		if !wild && path == rules[i].path {
			return &rules[i], ""
		}
		if key, ok := strings.CutPrefix(path, prefix); wild && ok && key != "" && !strings.Contains(key, "/") {
			return &rules[i], pointerSegment(key)
		}
	}
	return nil, ""
}

// pointerSegment decodes one segment of a JSON pointer (RFC 6901, section 4).
func pointerSegment(text string) string {
	return strings.ReplaceAll(strings.ReplaceAll(text, "~1", "/"), "~0", "~")
}

func pathsFor(rules []patchRule, op string) string {
	var paths []string
	for _, rule := range rules {
		if slices.Contains(strings.Fields(rule.ops), op) {
			paths = append(paths, strings.Replace(rule.path, "*", "{name}", 1))
		}
	}
	return strings.Join(paths, ", ")
}

// text is a rule that replaces a string.
func text(path string, to *string) patchRule {
	return patchRule{path, opAny, func(op, _, value string) error {
		if *to = value; op == "remove" {
			*to = ""
		}
		return nil
	}}
}

// flag is a rule that replaces a boolean.
func flag(path string, to *bool) patchRule {
	return patchRule{path, opReplace, func(_, _, value string) error {
		switch strings.ToLower(value) {
		case "true":
			*to = true
		case "false":
			*to = false
		default:
			return badRequest("Invalid value '%.100s' specified for %s: it must be true or false", value, path)
		}
		return nil
	}}
}

// number is a rule that replaces a whole number.
func number(path string, to *int) patchRule {
	return patchRule{path, opReplace, func(_, _, value string) error {
		n, err := strconv.Atoi(value)
		if err != nil {
			return badRequest("Invalid value '%.100s' specified for %s: it must be a whole number", value, path)
		}
		*to = n
		return nil
	}}
}

// texts is a rule for the entries of a map; path ends in *.
func texts(path string, to *map[string]string) patchRule {
	return entries(path, to, func(value string) (string, error) { return value, nil })
}

// flags is the same for booleans.
func flags(path string, to *map[string]bool) patchRule {
	return entries(path, to, func(value string) (bool, error) { return strings.ToLower(value) == "true", nil })
}

func entries[V any](path string, to *map[string]V, parse func(string) (V, error)) patchRule {
	return patchRule{path, opAny, func(op, key, value string) error {
		if op == "remove" {
			delete(*to, key)
			return nil
		}
		v, err := parse(value)
		if err != nil {
			return err
		}
		if *to == nil {
			*to = make(map[string]V)
		}
		(*to)[key] = v
		return nil
	}}
}

// members is a rule for the entries of a list; path ends in *.
func members(path string, to *[]string) patchRule {
	return patchRule{path, opAny, func(op, key, value string) error {
		*to = slices.DeleteFunc(*to, func(have string) bool { return have == key })
		switch op {
		case "add":
			*to = append(*to, key)
		case opReplace:
			*to = append(*to, value)
		}
		return nil
	}}
}

// refused is a rule for what this node does not support. Setting it to off, or
// removing it, is no change and allowed.
func refused(path, why string, off ...string) patchRule {
	return patchRule{path, opAny, func(op, _, value string) error {
		if op == "remove" || value == "" || slices.Contains(off, value) {
			return nil
		}
		return notImplemented("%s is not supported by this node: %s", path, why)
	}}
}

// parseRate reads a rate of requests a second.
func parseRate(value string) (*float64, error) {
	rate, err := strconv.ParseFloat(value, 64)
	if err != nil || !(rate >= unlimited && rate <= maxRate) { // NaN too
		return nil, badRequest("Invalid rate limit '%.100s' specified: it must be a number from 0 to %d, or -1 for none", value, int(maxRate))
	}
	return &rate, nil
}

// parseBurst reads a number of requests at once.
func parseBurst(value string) (*int, error) {
	burst, err := strconv.Atoi(value)
	if err != nil || burst < unlimited || burst > maxRate {
		return nil, badRequest("Invalid burst limit '%.100s' specified: it must be a whole number from 0 to %d, or -1 for none", value, int(maxRate))
	}
	return &burst, nil
}

// Bounds of rates and bursts: unlimited is AWS's way to say that there is none.
const (
	unlimited = -1
	maxRate   = 1e9
)

// checkThrottle returns what is wrong with limits that came as numbers.
func checkThrottle(rate *float64, burst *int) error {
	if rate != nil {
		if _, err := parseRate(fmt.Sprint(*rate)); err != nil {
			return err
		}
	}
	if burst != nil {
		if _, err := parseBurst(strconv.Itoa(*burst)); err != nil {
			return err
		}
	}
	return nil
}
