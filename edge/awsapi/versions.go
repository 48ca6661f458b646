package awsapi

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"

	"ledge/persist"
)

type publishVersionRequest struct {
	CodeSha256  string
	Description string
	RevisionId  string
}

func (a *api) publishVersion(w http.ResponseWriter, r *http.Request) error {
	name, err := unqualified(r)
	if err != nil {
		return err
	}
	var req publishVersionRequest
	release, err := a.readJSON(w, r, maxSettings, &req)
	if err != nil {
		return err
	}
	defer release()
	if err := setText("Description", new(string), &req.Description, maxDescription); err != nil {
		return err
	}
	fn, err := a.Reconciler.Publish(r.Context(), name, req.Description, req.RevisionId, req.CodeSha256)
	if req.CodeSha256 != "" && errors.Is(err, persist.ErrConflict) {
		return invalid(err.Error())
	}
	if err != nil {
		return a.functionNotFound(err, name, "")
	}
	return writeJSON(w, http.StatusCreated, a.configurationOf(fn, fn.Version))
}

func (a *api) listVersions(w http.ResponseWriter, r *http.Request) error {
	name, err := unqualified(r)
	if err != nil {
		return err
	}
	limit, err := wholeNumber(r, "MaxItems", pageSize, 10000)
	if err != nil {
		return err
	}
	marker := r.URL.Query().Get("Marker")
	if marker != "" && marker != persist.Latest && !numberPattern.MatchString(marker) {
		return invalid("Marker is not one that this node gave")
	}
	fns, more, err := a.Store.Versions(name, marker, min(limit, pageSize))
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
	return writeJSON(w, http.StatusOK, reply)
}

// aliasConfiguration is Lambda's
// (https://docs.aws.amazon.com/lambda/latest/api/API_AliasConfiguration.html).
type aliasConfiguration struct {
	AliasArn        string
	Name            string
	FunctionVersion string
	Description     string
	RoutingConfig   *routingConfig `json:",omitempty"`
	RevisionId      string
}

type routingConfig struct{ AdditionalVersionWeights map[string]float64 }

func (a *api) aliasOf(alias persist.Alias) aliasConfiguration {
	c := aliasConfiguration{
		AliasArn:        a.arn(alias.Function, alias.Name),
		Name:            alias.Name,
		FunctionVersion: alias.Version,
		Description:     alias.Description,
		RevisionId:      alias.RevisionID,
	}
	if len(alias.Weights) > 0 {
		c.RoutingConfig = &routingConfig{AdditionalVersionWeights: alias.Weights}
	}
	return c
}

type aliasRequest struct {
	Name            string
	FunctionVersion *string
	Description     *string
	RoutingConfig   *routingConfig
	RevisionId      string
}

var aliasPattern = regexp.MustCompile(`^[a-zA-Z0-9-_]{1,128}$`)

// check is Lambda's rules for aliases.
func (q *aliasRequest) check() error {
	if q.Description != nil {
		if err := setText("Description", new(string), q.Description, maxDescription); err != nil {
			return err
		}
	}
	if q.FunctionVersion != nil && *q.FunctionVersion != persist.Latest && !numberPattern.MatchString(*q.FunctionVersion) {
		return invalid(fmt.Sprintf("FunctionVersion %.200q is not a version; use $LATEST or a number", *q.FunctionVersion))
	}
	if q.RoutingConfig == nil {
		return nil
	}
	weights := q.RoutingConfig.AdditionalVersionWeights
	if len(weights) > 1 {
		return invalid("RoutingConfig takes one additional version")
	}
	for version, weight := range weights {
		if !numberPattern.MatchString(version) {
			return invalid(fmt.Sprintf("%.200q is not a published version", version))
		}
		if weight < 0 || weight > 1 {
			return invalid(fmt.Sprintf("the weight of version %s must be 0.0 to 1.0, not %v", version, weight))
		}
	}
	return nil
}

// checkRouting refuses what has no meaning once old and new are put together.
func checkRouting(alias persist.Alias) error {
	if len(alias.Weights) == 0 {
		return nil
	}
	if _, same := alias.Weights[alias.Version]; same {
		return invalid("the additional version must be another than FunctionVersion")
	}
	if alias.Version == persist.Latest {
		return invalid("an alias that points at $LATEST cannot split traffic; publish a version")
	}
	return nil
}

func (q *aliasRequest) apply(alias *persist.Alias) {
	set(&alias.Version, q.FunctionVersion)
	set(&alias.Description, q.Description)
	if q.RoutingConfig != nil {
		alias.Weights = maps.Clone(q.RoutingConfig.AdditionalVersionWeights)
	}
}

func (a *api) createAlias(w http.ResponseWriter, r *http.Request) error {
	name, err := unqualified(r)
	if err != nil {
		return err
	}
	var req aliasRequest
	release, err := a.readJSON(w, r, maxSettings, &req)
	if err != nil {
		return err
	}
	defer release()
	switch {
	case !aliasPattern.MatchString(req.Name) || numberPattern.MatchString(req.Name):
		return invalid(fmt.Sprintf("%.200q is not an alias name; use 1 to 128 letters, digits, - and _, and not digits only", req.Name))
	case req.FunctionVersion == nil:
		return invalid("FunctionVersion is missing")
	}
	if err := req.check(); err != nil {
		return err
	}
	alias := persist.Alias{Function: name, Name: req.Name}
	req.apply(&alias)
	if err := checkRouting(alias); err != nil {
		return err
	}
	stored, err := a.Reconciler.CreateAlias(r.Context(), alias)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusCreated, a.aliasOf(stored))
}

func (a *api) updateAlias(w http.ResponseWriter, r *http.Request) error {
	name, err := unqualified(r)
	if err != nil {
		return err
	}
	var req aliasRequest
	release, err := a.readJSON(w, r, maxSettings, &req)
	if err != nil {
		return err
	}
	defer release()
	if err := req.check(); err != nil {
		return err
	}
	stored, err := a.Reconciler.UpdateAlias(r.Context(), name, r.PathValue("alias"), req.RevisionId, func(alias *persist.Alias) error {
		req.apply(alias)
		return checkRouting(*alias)
	})
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, a.aliasOf(stored))
}

func (a *api) getAlias(w http.ResponseWriter, r *http.Request) error {
	name, err := unqualified(r)
	if err != nil {
		return err
	}
	alias, err := a.Store.GetAlias(name, r.PathValue("alias"))
	if errors.Is(err, persist.ErrNotFound) {
		return &fault{Status: http.StatusNotFound, Code: codeNotFound,
			Message: "Cannot find alias arn: " + a.arn(name, r.PathValue("alias"))}
	}
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, a.aliasOf(alias))
}

func (a *api) deleteAlias(w http.ResponseWriter, r *http.Request) error {
	name, err := unqualified(r)
	if err != nil {
		return err
	}
	if err := a.Reconciler.DeleteAlias(r.Context(), name, r.PathValue("alias")); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (a *api) listAliases(w http.ResponseWriter, r *http.Request) error {
	name, err := unqualified(r)
	if err != nil {
		return err
	}
	limit, err := wholeNumber(r, "MaxItems", pageSize, 10000)
	if err != nil {
		return err
	}
	aliases, err := a.Store.Aliases(name)
	if err != nil {
		return a.functionNotFound(err, name, "")
	}
	q := r.URL.Query()
	if version := q.Get("FunctionVersion"); version != "" {
		aliases = slices.DeleteFunc(aliases, func(alias persist.Alias) bool { return alias.Version != version })
	}
	if marker := q.Get("Marker"); marker != "" {
		aliases = slices.DeleteFunc(aliases, func(alias persist.Alias) bool { return alias.Name <= marker })
	}
	reply := struct {
		Aliases    []aliasConfiguration
		NextMarker string `json:",omitempty"`
	}{Aliases: []aliasConfiguration{}}
	for _, alias := range aliases[:min(len(aliases), limit, pageSize)] {
		reply.Aliases = append(reply.Aliases, a.aliasOf(alias))
	}
	if n := len(reply.Aliases); n < len(aliases) {
		reply.NextMarker = aliases[n-1].Name
	}
	return writeJSON(w, http.StatusOK, reply)
}
