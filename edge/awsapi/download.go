package awsapi

import (
	"errors"
	"net/http"
	"net/url"

	"ledge/persist"
)

// codeLocation is Lambda's FunctionCodeLocation
// (https://docs.aws.amazon.com/lambda/latest/api/API_FunctionCodeLocation.html).
type codeLocation struct {
	RepositoryType string
	Location       string `json:",omitempty"`
}

func (a *api) locationOf(r *http.Request, fn persist.Function) codeLocation {
	query := url.Values{}
	if fn.Version != persist.Latest {
		query.Set("Qualifier", fn.Version)
	}
	return codeLocation{RepositoryType: "Ledge", Location: a.link(r, "/v1/functions/"+fn.Name+"/code", query)}
}

// getFunctionCode is GET /v1/functions/{name}/code: the function's files as a
// zip. The node keeps files and not what was uploaded, so the zip's hash is not
// CodeSha256; deployed again it is the same function.
func (a *api) getFunctionCode(w http.ResponseWriter, r *http.Request) error {
	fn, _, err := a.lookUp(r)
	if err != nil {
		return err
	}
	return a.sendZip(w, fn.Name+".zip", fn.CodeHash)
}

// sendZip streams stored code. An error after the first byte cuts the
// connection, so that half of an archive does not look like all of it.
func (a *api) sendZip(w http.ResponseWriter, name, hash string) error {
	h := w.Header()
	h.Set("Content-Type", "application/zip")
	h.Set("Content-Disposition", `attachment; filename="`+name+`"`) // names have no quotes
	err := a.Reconciler.WriteCode(w, hash)
	if errors.Is(err, persist.ErrNotFound) {
		h.Del("Content-Disposition")
		return notFound("the code of " + name + " was removed")
	}
	return err
}
