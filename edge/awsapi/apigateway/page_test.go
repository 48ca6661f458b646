package apigateway

import (
	"fmt"
	"strings"
	"testing"
)

// TestPage: pages have API Gateway's sizes, and going on needs no item to be
// there still.
func TestPage(t *testing.T) {
	items := make([]string, 600)
	for i := range items {
		items[i] = fmt.Sprintf("%03d", i)
	}
	key := func(item string) string { return item }
	for _, test := range []struct {
		limit string
		size  int
	}{{"", 25}, {"1", 1}, {"500", 500}, {"501", 500}, {"99999", 500}} {
		found, next, err := page(items, key, test.limit, "")
		if err != nil || len(found) != test.size || next == "" {
			t.Errorf("limit %q: %d items, next %q, %v", test.limit, len(found), next, err)
			continue
		}
		rest := append([]string{}, items[test.size:]...) // the last that was sent is gone
		found, _, err = page(rest, key, "1", next)
		if err != nil || len(found) != 1 || found[0] != items[test.size] {
			t.Errorf("limit %q: the next page begins with %q, %v", test.limit, found, err)
		}
	}
	found, next, err := page(items, key, "500", "NTk4") // after 598
	if err != nil || len(found) != 1 || next != "" {
		t.Errorf("the last page is %q, next %q, %v", found, next, err)
	}
	for _, bad := range []struct{ limit, token string }{{"0", ""}, {"-1", ""}, {"x", ""}, {"", "!"}} {
		if _, _, err := page(items, key, bad.limit, bad.token); err == nil {
			t.Errorf("limit %q and token %q are accepted", bad.limit, bad.token)
		}
	}
}

func TestCheckTags(t *testing.T) {
	many := func(n int) map[string]string {
		tags := map[string]string{}
		for i := range n {
			tags[fmt.Sprint(i)] = ""
		}
		return tags
	}
	for _, test := range []struct {
		name string
		tags map[string]string
		ok   bool
	}{
		{"none", nil, true},
		{"as many as there may be", many(maxTags), true},
		{"one more", many(maxTags + 1), false},
		{"a long key", map[string]string{strings.Repeat("k", 128): ""}, true},
		{"a longer key", map[string]string{strings.Repeat("k", 129): ""}, false},
		{"a long value", map[string]string{"k": strings.Repeat("v", 256)}, true},
		{"a longer value", map[string]string{"k": strings.Repeat("v", 257)}, false},
		{"no key", map[string]string{"": "v"}, false},
		{"AWS's", map[string]string{"Aws:k": "v"}, false},
	} {
		if err := checkTags(test.tags); (err == nil) != test.ok {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}
