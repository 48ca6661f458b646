package awsapi

import (
	"errors"
	"fmt"
	"net/http"

	"ledge/edge/awsapi/restjson"
	"ledge/persist"
)

type publishVersionRequest struct {
	CodeSha256  string
	Description string
	RevisionId  string
	PublishTo   string
}

func (a *api) publishVersion(w http.ResponseWriter, r *http.Request) error {
	name, err := unqualified(r)
	if err != nil {
		return err
	}
	var req publishVersionRequest
	if err := restjson.ReadJSON(r, &req); err != nil {
		return err
	}
	if err := checkDescription(&req.Description); err != nil {
		return err
	}
	if req.PublishTo != "" {
		return unsupported("PublishTo", "a node has no capacity providers")
	}
	fn, err := a.Reconciler.Publish(r.Context(), name, req.Description, req.RevisionId, req.CodeSha256)
	if req.CodeSha256 != "" && errors.Is(err, persist.ErrConflict) {
		return invalid(fmt.Sprintf("CodeSHA256 (%.100s) is different from current CodeSHA256 in $LATEST. Please try again with the CodeSHA256 in $LATEST.", req.CodeSha256))
	}
	if err != nil {
		return a.functionNotFound(err, name, "")
	}
	return restjson.WriteJSON(w, http.StatusCreated, a.configurationOf(fn, fn.Version))
}

func (a *api) listVersions(w http.ResponseWriter, r *http.Request) error {
	name, err := unqualified(r)
	if err != nil {
		return err
	}
	limit, err := pageLimit(r)
	if err != nil {
		return err
	}
	marker := r.URL.Query().Get("Marker")
	if marker != "" && marker != persist.Latest && !numberPattern.MatchString(marker) {
		return invalid("Marker is not one that this node gave")
	}
	fns, more, err := a.Store.Versions(name, marker, limit)
	if err != nil {
		return a.functionNotFound(err, name, "")
	}
	reply := struct {
		Versions   []configuration
		NextMarker string `json:",omitempty"`
	}{Versions: make([]configuration, 0, len(fns))}
	for _, fn := range fns {
		reply.Versions = append(reply.Versions, a.configurationOf(fn, fn.Version))
	}
	if more {
		reply.NextMarker = fns[len(fns)-1].Version
	}
	return restjson.WriteJSON(w, http.StatusOK, reply)
}
