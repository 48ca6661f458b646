package awsapi

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"

	"ledge/edge/awsapi/restjson"
	"ledge/persist"
)

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

var (
	aliasPattern   = regexp.MustCompile(`^[a-zA-Z0-9-_]+$`)
	versionPattern = regexp.MustCompile(`^(\$LATEST|[0-9]+)$`)
)

// check is Lambda's rules for aliases.
func (q *aliasRequest) check() error {
	if err := checkDescription(q.Description); err != nil {
		return err
	}
	if q.FunctionVersion != nil {
		var bad violations
		bad.Length(*q.FunctionVersion, "functionVersion", 1, 1024)
		bad.Matches(*q.FunctionVersion, "functionVersion", versionPattern)
		if err := bad.Err(); err != nil {
			return err
		}
	}
	if q.RoutingConfig == nil {
		return nil
	}
	weights := q.RoutingConfig.AdditionalVersionWeights
	if len(weights) > 1 {
		return invalid(fmt.Sprintf("Number of items in AdditionalVersionWeights cannot be greater than 1. Keys: %v", slices.Sorted(maps.Keys(weights))))
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
	if err := restjson.ReadJSON(r, &req); err != nil {
		return err
	}
	var bad violations
	bad.Length(req.Name, "name", 1, 128)
	if !aliasPattern.MatchString(req.Name) || numberPattern.MatchString(req.Name) {
		bad.Add(req.Name, "name", `Member must satisfy regular expression pattern: (?!^[0-9]+$)([a-zA-Z0-9-_]+)`)
	}
	bad.Required(req.FunctionVersion != nil, "functionVersion")
	if err := bad.Err(); err != nil {
		return err
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
	if errors.Is(err, persist.ErrExists) {
		return conflict("Alias already exists: " + a.arn(name, req.Name))
	}
	if err != nil {
		return a.versionNotFound(err, name, alias)
	}
	return restjson.WriteJSON(w, http.StatusCreated, a.aliasOf(stored))
}

func (a *api) updateAlias(w http.ResponseWriter, r *http.Request) error {
	name, err := unqualified(r)
	if err != nil {
		return err
	}
	var req aliasRequest
	if err := restjson.ReadJSON(r, &req); err != nil {
		return err
	}
	if err := req.check(); err != nil {
		return err
	}
	var changed persist.Alias
	stored, err := a.Reconciler.UpdateAlias(r.Context(), name, r.PathValue("alias"), req.RevisionId, func(alias *persist.Alias) error {
		req.apply(alias)
		changed = *alias
		return checkRouting(changed)
	})
	switch {
	case err != nil && changed.Version != "": // the alias exists
		return a.versionNotFound(err, name, changed)
	case err != nil:
		return a.aliasNotFound(err, name, r.PathValue("alias"))
	}
	return restjson.WriteJSON(w, http.StatusOK, a.aliasOf(stored))
}

func (a *api) getAlias(w http.ResponseWriter, r *http.Request) error {
	name, err := unqualified(r)
	if err != nil {
		return err
	}
	alias, err := a.Store.GetAlias(name, r.PathValue("alias"))
	if err != nil {
		return a.aliasNotFound(err, name, r.PathValue("alias"))
	}
	return restjson.WriteJSON(w, http.StatusOK, a.aliasOf(alias))
}

// versionNotFound names the version that an alias should point at and that does
// not exist, or the function where that does not.
func (a *api) versionNotFound(err error, name string, alias persist.Alias) error {
	if !errors.Is(err, persist.ErrNotFound) {
		return err
	}
	for _, version := range append([]string{"", alias.Version}, slices.Sorted(maps.Keys(alias.Weights))...) {
		if _, missing := a.Store.GetFunction(name, version); missing != nil {
			return a.functionNotFound(missing, name, version)
		}
	}
	return err
}

// aliasNotFound says which of alias and function is missing.
func (a *api) aliasNotFound(err error, name, alias string) error {
	return a.lacking(err, name, "", notFound("Cannot find alias arn: "+a.arn(name, alias)))
}

// deleteAlias is idempotent, as Lambda's is.
func (a *api) deleteAlias(w http.ResponseWriter, r *http.Request) error {
	name, err := unqualified(r)
	if err != nil {
		return err
	}
	if err := a.Reconciler.DeleteAlias(r.Context(), name, r.PathValue("alias")); err != nil {
		if _, missing := a.Store.GetFunction(name, ""); missing != nil || !errors.Is(err, persist.ErrNotFound) {
			return a.functionNotFound(err, name, "")
		}
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (a *api) listAliases(w http.ResponseWriter, r *http.Request) error {
	name, err := unqualified(r)
	if err != nil {
		return err
	}
	aliases, err := a.Store.Aliases(name)
	if err != nil {
		return a.functionNotFound(err, name, "")
	}
	if version := r.URL.Query().Get("FunctionVersion"); version != "" {
		aliases = slices.DeleteFunc(aliases, func(alias persist.Alias) bool {
			_, shares := alias.Weights[version]
			return alias.Version != version && !shares
		})
	}
	page, next, err := pageOf(r, aliases, func(alias persist.Alias) string { return alias.Name })
	if err != nil {
		return err
	}
	reply := struct {
		Aliases    []aliasConfiguration
		NextMarker string `json:",omitempty"`
	}{Aliases: []aliasConfiguration{}, NextMarker: next}
	for _, alias := range page {
		reply.Aliases = append(reply.Aliases, a.aliasOf(alias))
	}
	return restjson.WriteJSON(w, http.StatusOK, reply)
}
