package awsapi

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"ledge/edge/awsapi/restjson"
	"ledge/persist"
)

// maxLayers is how many layers a function may have
// (https://docs.aws.amazon.com/lambda/latest/dg/chapter-layers.html).
const maxLayers = 5

var (
	layerName       = regexp.MustCompile(`^[a-zA-Z0-9-_]+$`)
	layerArnPattern = regexp.MustCompile(`^arn:[a-zA-Z0-9-]+:lambda:[a-zA-Z0-9-]+:\d{12}:layer:([a-zA-Z0-9-_]+)$`)
	layerVersionArn = regexp.MustCompile(`^arn:[a-zA-Z0-9-]+:lambda:[a-zA-Z0-9-]+:\d{12}:layer:[a-zA-Z0-9-_]+:[0-9]+$`)
)

// maxLayerName bounds a layer's name or ARN, in characters.
const maxLayerName = 140

// parseLayer returns the name of a layer that stands for itself or in an ARN.
func parseLayer(text string) (string, error) {
	if found := layerArnPattern.FindStringSubmatch(text); found != nil && len(text) <= maxLayerName {
		return found[1], nil
	}
	var bad violations
	bad.Length(text, "layerName", 1, maxLayerName)
	if text != "" {
		bad.Matches(text, "layerName", layerName)
	}
	return text, bad.Err()
}

// parseLayerVersion splits the ARN of a layer version, which matches
// layerVersionArn. A number that no version can have is 0.
func parseLayerVersion(arn string) (name string, version uint64) {
	parts := strings.Split(arn, ":")
	version, err := strconv.ParseUint(parts[len(parts)-1], 10, 63)
	if err != nil {
		version = 0
	}
	return parts[len(parts)-2], version
}

// layerRefs returns the layers that a request names by their ARNs. Those that
// the function has already may have been deleted meanwhile.
func (a *api) layerRefs(arns []string, have []persist.LayerRef) ([]persist.LayerRef, error) {
	if len(arns) > maxLayers {
		return nil, invalid(fmt.Sprintf("Cannot reference more than %d layers.", maxLayers))
	}
	refs := make([]persist.LayerRef, 0, len(arns))
	for _, arn := range arns {
		ref := persist.LayerRef{}
		ref.Name, ref.Version = parseLayerVersion(arn)
		for _, other := range refs {
			if other.Name == ref.Name && other.Version == ref.Version {
				return nil, invalid("Two identical layer versions are not allowed to be referenced in the same function: " + arn)
			}
			if other.Name == ref.Name {
				return nil, invalid("Two different versions of the same layer are not allowed to be referenced in the same function: " +
					a.layerArn(other.Name, other.Version) + " and " + arn)
			}
		}
		i := slices.IndexFunc(have, func(h persist.LayerRef) bool { return h.Name == ref.Name && h.Version == ref.Version })
		if i >= 0 {
			ref = have[i]
		} else if _, err := a.Store.GetLayerVersion(ref.Name, ref.Version); errors.Is(err, persist.ErrNotFound) {
			return nil, invalid("Layer version " + arn + " does not exist.")
		} else if err != nil {
			return nil, err
		}
		refs = append(refs, ref)
	}
	return refs, nil
}

// layerVersion is Lambda's LayerVersionsListItem
// (https://docs.aws.amazon.com/lambda/latest/api/API_LayerVersionsListItem.html),
// and with Content and LayerArn its GetLayerVersion.
type layerVersion struct {
	Content                 *layerContent `json:",omitempty"`
	LayerArn                string        `json:",omitempty"`
	LayerVersionArn         string
	Description             string
	CreatedDate             string
	Version                 uint64
	CompatibleRuntimes      []string `json:",omitempty"`
	CompatibleArchitectures []string `json:",omitempty"`
	LicenseInfo             string   `json:",omitempty"`
}

type layerContent struct {
	Location   string `json:",omitempty"`
	CodeSha256 string
	CodeSize   int64
}

func (a *api) layerItem(l persist.LayerVersion) layerVersion {
	return layerVersion{
		LayerVersionArn: a.layerArn(l.Name, l.Version), Description: l.Description, Version: l.Version,
		CreatedDate:        l.Created.UTC().Format(lastModified),
		CompatibleRuntimes: l.Runtimes, CompatibleArchitectures: l.Architectures, LicenseInfo: l.License,
	}
}

func (a *api) layerWithContent(r *http.Request, l persist.LayerVersion) layerVersion {
	v := a.layerItem(l)
	v.LayerArn = a.layerArn(l.Name, 0)
	v.Content = &layerContent{
		Location:   a.link(r, "/v1/layers/"+l.Name+"/versions/"+strconv.FormatUint(l.Version, 10)+"/content", nil),
		CodeSha256: l.CodeSha256, CodeSize: l.CodeSize,
	}
	return v
}

type publishLayerRequest struct {
	Content                 code
	Description             string
	LicenseInfo             string
	CompatibleRuntimes      []string
	CompatibleArchitectures []string
}

func (q *publishLayerRequest) check() error {
	var bad violations
	bad.Length(q.Description, "description", 0, maxDescription)
	bad.Length(q.LicenseInfo, "licenseInfo", 0, 512)
	bad.Items(len(q.CompatibleRuntimes), "compatibleRuntimes", 0, 15)
	bad.Items(len(q.CompatibleArchitectures), "compatibleArchitectures", 0, 2)
	for _, architecture := range q.CompatibleArchitectures {
		bad.OneOf(architecture, "compatibleArchitectures", architectures()...)
	}
	if err := bad.Err(); err != nil {
		return err
	}
	if err := q.Content.check(); err != nil {
		return err
	}
	if len(q.Content.ZipFile) == 0 {
		return invalid("Please provide a source for layer content: ZipFile is missing")
	}
	return nil
}

func (a *api) publishLayerVersion(w http.ResponseWriter, r *http.Request) error {
	name, err := parseLayer(r.PathValue("layer"))
	if err != nil {
		return err
	}
	var req publishLayerRequest
	if err := restjson.ReadJSON(r, &req); err != nil {
		return err
	}
	if err := req.check(); err != nil {
		return err
	}
	restjson.About(r.Context(), "layer "+name)
	stored, err := a.Reconciler.PublishLayer(r.Context(), persist.LayerVersion{
		Name: name, Description: req.Description, License: req.LicenseInfo,
		Runtimes: req.CompatibleRuntimes, Architectures: req.CompatibleArchitectures,
	}, req.Content.ZipFile)
	if err != nil {
		return err
	}
	return restjson.WriteJSON(w, http.StatusCreated, a.layerWithContent(r, stored))
}

// layerOf returns the layer version that the path names.
func (a *api) layerOf(r *http.Request) (persist.LayerVersion, error) {
	name, err := parseLayer(r.PathValue("layer"))
	if err != nil {
		return persist.LayerVersion{}, err
	}
	version, err := layerNumber(r)
	if err != nil {
		return persist.LayerVersion{}, err
	}
	return a.storedLayer(name, version)
}

func layerNumber(r *http.Request) (uint64, error) {
	version, err := strconv.ParseUint(r.PathValue("version"), 10, 63)
	if err != nil || version == 0 {
		var bad violations
		bad.Add(r.PathValue("version"), "versionNumber", "Member must be a whole number greater than or equal to 1")
		return 0, bad.Err()
	}
	return version, nil
}

func (a *api) storedLayer(name string, version uint64) (persist.LayerVersion, error) {
	l, err := a.Store.GetLayerVersion(name, version)
	if errors.Is(err, persist.ErrNotFound) {
		return l, notFound(fmt.Sprintf("The resource you requested does not exist: %s", a.layerArn(name, version)))
	}
	return l, err
}

func (a *api) getLayerVersion(w http.ResponseWriter, r *http.Request) error {
	l, err := a.layerOf(r)
	if err != nil {
		return err
	}
	return restjson.WriteJSON(w, http.StatusOK, a.layerWithContent(r, l))
}

func (a *api) getLayerVersionByArn(w http.ResponseWriter, r *http.Request) error {
	arn := r.URL.Query().Get("Arn")
	var bad violations
	bad.Matches(arn, "arn", layerVersionArn)
	if err := bad.Err(); err != nil {
		return err
	}
	l, err := a.storedLayer(parseLayerVersion(arn))
	if err != nil {
		return err
	}
	return restjson.WriteJSON(w, http.StatusOK, a.layerWithContent(r, l))
}

// deleteLayerVersion is idempotent, as Lambda's is.
func (a *api) deleteLayerVersion(w http.ResponseWriter, r *http.Request) error {
	name, err := parseLayer(r.PathValue("layer"))
	if err != nil {
		return err
	}
	version, err := layerNumber(r)
	if err != nil {
		return err
	}
	restjson.About(r.Context(), fmt.Sprintf("layer %s:%d", name, version))
	if err := a.Reconciler.DeleteLayer(r.Context(), name, version); err != nil && !errors.Is(err, persist.ErrNotFound) {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// compatible leaves out the versions that do not say that they are for the
// runtime and the architecture that a list is asked for.
func compatible(r *http.Request, layers []persist.LayerVersion) []persist.LayerVersion {
	q := r.URL.Query()
	lacks := func(list []string, wanted string) bool { return wanted != "" && !slices.Contains(list, wanted) }
	return slices.DeleteFunc(layers, func(l persist.LayerVersion) bool {
		return lacks(l.Runtimes, q.Get("CompatibleRuntime")) || lacks(l.Architectures, q.Get("CompatibleArchitecture"))
	})
}

// listLayers shows of each layer its newest version that matches.
func (a *api) listLayers(w http.ResponseWriter, r *http.Request) error {
	all, err := a.Store.Layers()
	if err != nil {
		return err
	}
	var newest []persist.LayerVersion // by name
	for _, l := range compatible(r, all) {
		if n := len(newest); n > 0 && newest[n-1].Name == l.Name {
			newest[n-1] = l
		} else {
			newest = append(newest, l)
		}
	}
	page, next, err := pageOf(r, newest, func(l persist.LayerVersion) string { return l.Name })
	if err != nil {
		return err
	}
	type item struct {
		LayerName, LayerArn   string
		LatestMatchingVersion layerVersion
	}
	reply := struct {
		Layers     []item
		NextMarker string `json:",omitempty"`
	}{Layers: []item{}, NextMarker: next}
	for _, l := range page {
		reply.Layers = append(reply.Layers, item{l.Name, a.layerArn(l.Name, 0), a.layerItem(l)})
	}
	return restjson.WriteJSON(w, http.StatusOK, reply)
}

// listLayerVersions shows the newest first. A layer without versions has an
// empty list, as in AWS Lambda.
func (a *api) listLayerVersions(w http.ResponseWriter, r *http.Request) error {
	name, err := parseLayer(r.PathValue("layer"))
	if err != nil {
		return err
	}
	layers, err := a.Store.LayerVersions(name)
	if err != nil {
		return err
	}
	slices.Reverse(layers)
	// Markers sort as the list does: a higher version has a lower one.
	page, next, err := pageOf(r, compatible(r, layers), func(l persist.LayerVersion) string {
		return fmt.Sprintf("%016x", ^l.Version)
	})
	if err != nil {
		return err
	}
	reply := struct {
		LayerVersions []layerVersion
		NextMarker    string `json:",omitempty"`
	}{LayerVersions: []layerVersion{}, NextMarker: next}
	for _, l := range page {
		reply.LayerVersions = append(reply.LayerVersions, a.layerItem(l))
	}
	return restjson.WriteJSON(w, http.StatusOK, reply)
}

// getLayerContent is GET /v1/layers/{layer}/versions/{version}/content: the
// files as a zip, which is hardly the one that was uploaded.
func (a *api) getLayerContent(w http.ResponseWriter, r *http.Request) error {
	l, err := a.layerOf(r)
	if err != nil {
		return err
	}
	return a.sendZip(w, fmt.Sprintf("%s-%d.zip", l.Name, l.Version), l.CodeHash)
}
