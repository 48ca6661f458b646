package persist

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// Every range is listed as a plain filter over all keys would, page by page.
func TestList(t *testing.T) {
	s, _ := dataStore(t)
	d := s.Data()
	keys := []string{"a", "a/1", "a/2", "a/2/x", "a\xff", "a\xff\xff", "b", "b/1", "c", "\xff", "\xff\xff"}
	slices.Sort(keys)
	for _, key := range keys {
		d.must(t, Write{Bucket: "b", Key: key, Value: []byte(key)})
	}
	bounds := []string{"", "a", "a/", "a/2", "a\xff", "b", "bb", "\xff", "\xff\xff\xff"}
	for _, prefix := range bounds {
		for _, from := range bounds {
			for _, to := range bounds {
				want := slices.DeleteFunc(slices.Clone(keys), func(k string) bool {
					return !strings.HasPrefix(k, prefix) || k < from || to != "" && k >= to
				})
				for _, reverse := range []bool{false, true} {
					r := Range{Prefix: prefix, From: from, To: to, Reverse: reverse, Limit: 2}
					var got []string
					for more := true; more; {
						var items []Item
						var err error
						items, more, err = d.List("b", r)
						noErr(t, err)
						for _, item := range items {
							if string(item.Value) != item.Key || item.Sequence == 0 || item.Modified.IsZero() {
								t.Errorf("listed is %+v", item)
							}
							got = append(got, item.Key)
							r.After = item.Key
						}
						if more && len(items) != 2 || len(got) > len(keys) {
							t.Fatalf("%+v: a page has %q", r, got)
						}
					}
					if reverse {
						slices.Reverse(got)
					}
					if !slices.Equal(got, want) {
						t.Errorf("prefix %q from %q to %q reverse %t: %q, want %q", prefix, from, to, reverse, got, want)
					}
				}
			}
		}
	}
	for _, after := range append(bounds, "a/1x") { // a cursor need not be there still
		items, _, err := d.List("b", Range{After: after})
		noErr(t, err)
		want := slices.DeleteFunc(slices.Clone(keys), func(k string) bool { return after != "" && k <= after })
		if len(items) != len(want) {
			t.Errorf("after %q there are %d, want %d", after, len(items), len(want))
		}
	}
}

func TestListBounds(t *testing.T) {
	s, _ := dataStore(t)
	d := s.Data()
	for i := range 12 {
		writes := make([]Write, MaxWrites)
		for j := range writes {
			writes[j] = Write{Bucket: "b", Key: fmt.Sprintf("%04d", i*MaxWrites+j), Value: make([]byte, 996)}
		}
		d.must(t, writes...)
	}
	for what, c := range map[string]struct {
		r    Range
		want int
		more bool
	}{
		"default":             {Range{}, DefaultListItems, true},
		"below zero":          {Range{Limit: -1, MaxBytes: -1}, DefaultListItems, true},
		"all":                 {Range{Limit: MaxListItems}, 1200, false},
		"more than all":       {Range{Limit: 1 << 40}, 1200, false},
		"exactly as many":     {Range{Limit: 1200}, 1200, false},
		"ten thousand bytes":  {Range{MaxBytes: 10_000}, 10, true},
		"one, however large":  {Range{MaxBytes: 1}, 1, true},
		"bytes of keys alone": {Range{MaxBytes: 400, KeysOnly: true}, 100, true},
	} {
		items, more, err := d.List("b", c.r)
		noErr(t, err)
		if len(items) != c.want || more != c.more {
			t.Errorf("%s: %d items, more %t, want %d, %t", what, len(items), more, c.want, c.more)
		}
	}
	if items, more, err := d.List("nobody", Range{}); err != nil || more || len(items) > 0 {
		t.Errorf("a bucket that is not there: %v, %t, %v", items, more, err)
	}
}
