package apigateway

import (
	"cmp"
	"encoding/base64"
	"net/http"
	"slices"
	"strconv"
)

// Sizes of pages: API Gateway's default and its greatest.
const (
	defaultPage = 25
	maxPage     = 500
)

// list is a page of REST APIs' lists.
type list[T any] struct {
	Item     []T    `json:"item"`
	Position string `json:"position,omitempty"`
}

// list2 is a page of HTTP APIs' lists.
type list2[T any] struct {
	Items     []T    `json:"items"`
	NextToken string `json:"nextToken,omitempty"`
}

// listOf returns the page of items that a request asks for, with parameters
// limit and position. key orders the items and tells them apart.
func listOf[S, T any](r *http.Request, items []S, key func(S) string, show func(S) T) (list[T], error) {
	found, next, err := page(items, key, r.URL.Query().Get("limit"), r.URL.Query().Get("position"))
	if err != nil {
		return list[T]{}, err
	}
	return list[T]{shown(found, show), next}, nil
}

// list2Of is listOf with maxResults and nextToken.
func list2Of[S, T any](r *http.Request, items []S, key func(S) string, show func(S) T) (list2[T], error) {
	found, next, err := page(items, key, r.URL.Query().Get("maxResults"), r.URL.Query().Get("nextToken"))
	if err != nil {
		return list2[T]{}, err
	}
	return list2[T]{shown(found, show), next}, nil
}

func shown[S, T any](items []S, show func(S) T) []T {
	out := make([]T, 0, len(items))
	for _, item := range items {
		out = append(out, show(item))
	}
	return out
}

// page returns at most limit items whose keys sort after that in token, and the
// token for the next page, empty where there is none.
func page[S any](items []S, key func(S) string, limit, token string) (found []S, next string, err error) {
	size := defaultPage
	if limit != "" {
		if size, err = strconv.Atoi(limit); err != nil || size < 1 {
			return nil, "", badRequest("the size of a page must be a whole number from 1 to %d, not %.100q", maxPage, limit)
		}
	}
	size = min(size, maxPage)
	after, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || slices.ContainsFunc(after, func(b byte) bool { return b <= ' ' || b > '~' }) { // keys are names and IDs
		return nil, "", badRequest("Invalid position parameter specified")
	}
	sorted := slices.SortedFunc(slices.Values(items), func(a, b S) int { return cmp.Compare(key(a), key(b)) })
	if token != "" {
		sorted = sorted[afterKey(sorted, key, string(after)):]
	}
	if len(sorted) <= size {
		return sorted, "", nil
	}
	return sorted[:size], base64.RawURLEncoding.EncodeToString([]byte(key(sorted[size-1]))), nil
}

// afterKey returns the index of the first item whose key sorts after last.
func afterKey[S any](sorted []S, key func(S) string, last string) int {
	i, found := slices.BinarySearchFunc(sorted, last, func(item S, last string) int { return cmp.Compare(key(item), last) })
	if found {
		i++
	}
	return i
}
