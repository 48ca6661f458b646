package awsapi

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"strings"
)

// Where data is in the API. Behind the bucket's name, all of the path is the key.
const dataPath = "/v1/kv/"

// withKey returns r as http.ServeMux must see it, which cleans paths: "a//b" and
// "a/../b" are keys, and not those of "a/b" and "b". Where there is a key, the
// copy has it in its context, for keyOf, and another word in its path. Any other
// request is returned as it is, and with ok false one whose bucket has no name:
// the mux would clean that away, and take the key for a bucket.
func withKey(r *http.Request) (seen *http.Request, ok bool) {
	rest, isData := strings.CutPrefix(r.URL.EscapedPath(), dataPath)
	if !isData {
		return r, true
	}
	bucket, escaped, found := strings.Cut(rest, "/")
	if !found || bucket != "" && escaped == "" {
		return r, true
	}
	if bucket == "" || bucket == "." || bucket == ".." {
		return r, false
	}
	key, err := url.PathUnescape(escaped)
	if err != nil { // net/http has read the path
		return r, false
	}
	name, err := url.PathUnescape(bucket)
	if err != nil {
		return r, false
	}
	seen = r.WithContext(context.WithValue(r.Context(), keyOfPath{}, key))
	seen.URL = new(url.URL)
	*seen.URL = *r.URL
	seen.URL.Path, seen.URL.RawPath = dataPath+name+"/key", dataPath+bucket+"/key"
	return seen, true
}

type keyOfPath struct{}

// keyOf returns the key that withKey found in the path.
func keyOf(r *http.Request) string {
	key, _ := r.Context().Value(keyOfPath{}).(string)
	return key
}

// sentPath is the path of a request as it was sent.
func sentPath(r *http.Request) string {
	if path, _, _ := strings.Cut(r.RequestURI, "?"); strings.HasPrefix(path, "/") {
		return path
	}
	return cmp.Or(r.URL.RawPath, r.URL.Path) // the absolute form
}
