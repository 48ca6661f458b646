package awsapi

import (
	"cmp"
	"net/http"
	"slices"

	"ledge/edge/awsapi/restjson"
)

// pageSize is the most that one page of a list holds, as in AWS Lambda. A
// larger MaxItems is taken and gives pages of this size.
const pageSize = 50

// pageLimit reads MaxItems.
func pageLimit(r *http.Request) (int, error) {
	limit, err := restjson.Number(r, "MaxItems", pageSize, 10000)
	return min(limit, pageSize), err
}

// pageOf returns the page of items that the parameters Marker and MaxItems ask
// for. Items are in order of their keys, which are the markers: so a list may
// change between two pages. next is empty at the end.
func pageOf[T any](r *http.Request, items []T, key func(T) string) (page []T, next string, err error) {
	limit, err := pageLimit(r)
	if err != nil {
		return nil, "", err
	}
	if marker := r.URL.Query().Get("Marker"); marker != "" {
		after, found := slices.BinarySearchFunc(items, marker, func(item T, marker string) int { return cmp.Compare(key(item), marker) })
		if found {
			after++
		}
		items = items[after:]
	}
	if len(items) <= limit {
		return items, "", nil
	}
	return items[:limit], key(items[limit-1]), nil
}
