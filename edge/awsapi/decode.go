package awsapi

import (
	"net/http"

	"ledge/edge/awsapi/restjson"
)

// readJSON decodes the body of r into v. See restjson.ReadJSON.
func readJSON(r *http.Request, v any) error { return restjson.ReadJSON(r, v) }

// writeJSON sends v. Values of this package always marshal.
func writeJSON(w http.ResponseWriter, status int, v any) error {
	return restjson.WriteJSON(w, status, v)
}

// wholeNumber reads a query parameter between 1 and max; absent gives missing.
func wholeNumber(r *http.Request, name string, missing, max int) (int, error) {
	return restjson.Number(r, name, missing, max)
}
