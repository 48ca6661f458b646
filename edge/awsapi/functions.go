package awsapi

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"ledge/edge"
	"ledge/edge/awsapi/restjson"
	"ledge/engine"
	"ledge/persist"
)

// maxZip bounds what is uploaded directly, in bytes
// (https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html).
const maxZip = 50 << 20

// code is Lambda's FunctionCode and LayerVersionContentInput. This node takes
// code only in the request.
type code struct {
	ZipFile                          []byte // a zip, or a Wasm module as it is
	S3Bucket, S3Key, S3ObjectVersion string
	ImageUri                         string
	SourceKMSKeyArn                  string
}

func (c *code) check() error {
	switch {
	case c.S3Bucket != "" || c.S3Key != "" || c.S3ObjectVersion != "" || c.ImageUri != "":
		return invalid("this node takes code only as ZipFile, not from S3 or as an image")
	case c.SourceKMSKeyArn != "":
		return unsupported("SourceKMSKeyArn", "there is no KMS")
	case len(c.ZipFile) > maxZip:
		return &fault{Status: http.StatusRequestEntityTooLarge, Code: codeEntityTooLarge,
			Message: fmt.Sprintf("ZipFile has %d bytes, and at most %d can be uploaded", len(c.ZipFile), maxZip)}
	}
	return nil
}

type createFunctionRequest struct {
	FunctionName         string
	Code                 code
	Publish              bool
	PublishTo            string
	PackageType          string
	Architectures        []string
	CodeSigningConfigArn string
	Tags                 map[string]string
	settings
}

func (q *createFunctionRequest) check() error {
	if q.PackageType != "" && q.PackageType != "Zip" {
		var bad violations
		bad.OneOf(q.PackageType, "packageType", "Zip", "Image")
		if err := bad.Err(); err != nil {
			return err
		}
		return unsupported("PackageType Image", "there are no container images; use Zip")
	}
	switch {
	case q.CodeSigningConfigArn != "":
		return unsupported("CodeSigningConfigArn", "there is no AWS Signer")
	case q.PublishTo != "":
		return unsupported("PublishTo", "a node has no capacity providers; use Publish")
	}
	if err := checkArchitectures(q.Architectures); err != nil {
		return err
	}
	if err := q.Code.check(); err != nil {
		return err
	}
	if len(q.Code.ZipFile) == 0 {
		return invalid("Please provide a source for function code: ZipFile is missing")
	}
	return checkTags(q.Tags)
}

func (a *api) createFunction(w http.ResponseWriter, r *http.Request) error {
	var req createFunctionRequest
	if err := restjson.ReadJSON(r, &req); err != nil {
		return err
	}
	name, qualifier, err := parseName(req.FunctionName)
	if err != nil {
		return err
	}
	if err := restjson.Permit(r.Context(), name); err != nil {
		return err
	}
	if qualifier != "" {
		return invalid("FunctionName must not have a qualifier")
	}
	if err := req.check(); err != nil {
		return err
	}
	if err := req.Ledge.permit(r.Context()); err != nil {
		return err
	}
	done, err := a.Reconciler.Deploy(r.Context(), edge.Change{
		Name: name,
		Mode: edge.CreateOnly,
		Code: req.Code.ZipFile,
		Edit: func(fn *persist.Function) error {
			set(&fn.Tags, &req.Tags)
			set(&fn.Architectures, &req.Architectures)
			return a.apply(&req.settings, fn)
		},
		Publish: req.Publish,
	})
	if errors.Is(err, persist.ErrExists) {
		return conflict("Function already exist: " + name)
	}
	if err != nil {
		return mandatory(err)
	}
	// The ARN is the function's even where a version was published, as Lambda's is.
	return restjson.WriteJSON(w, http.StatusCreated, a.configurationOf(done.Function, ""))
}

// mandatory words the lack of a runtime or a handler as Lambda does. Here a Wasm
// module needs neither, so that it is known only from the code that they lack.
func mandatory(err error) error {
	var archive *persist.ArchiveError
	var deploy *engine.DeployError
	if errors.As(err, &archive) && archive.NoModule || errors.As(err, &deploy) && deploy.Op == "handler" {
		return invalid(fmt.Sprintf("Runtime and Handler are mandatory parameters for functions created with deployment packages. (%s)", err))
	}
	return err
}

// published is the qualifier that Lambda shows in the ARN of an update's reply:
// none for $LATEST.
func published(fn persist.Function) string {
	if fn.Version == persist.Latest {
		return ""
	}
	return fn.Version
}

type updateFunctionCodeRequest struct {
	code
	Architectures []string
	RevisionId    string
	Publish       bool
	PublishTo     string
	DryRun        bool
}

func (a *api) updateFunctionCode(w http.ResponseWriter, r *http.Request) error {
	name, err := unqualified(r)
	if err != nil {
		return err
	}
	var req updateFunctionCodeRequest
	if err := restjson.ReadJSON(r, &req); err != nil {
		return err
	}
	if err := req.check(); err != nil {
		return err
	}
	if err := checkArchitectures(req.Architectures); err != nil {
		return err
	}
	if req.PublishTo != "" {
		return unsupported("PublishTo", "a node has no capacity providers; use Publish")
	}
	if len(req.ZipFile) == 0 {
		return invalid("Please provide a source for function code: ZipFile is missing; send a zip or a Wasm module in base64")
	}
	return a.update(w, r, edge.Change{
		Name:     name,
		Revision: req.RevisionId,
		Code:     req.ZipFile,
		Edit: func(fn *persist.Function) error {
			if req.Architectures != nil {
				fn.Architectures = req.Architectures
			}
			return nil
		},
		Publish: req.Publish,
		DryRun:  req.DryRun,
	})
}

type updateFunctionConfigurationRequest struct {
	RevisionId string
	settings
}

func (a *api) updateFunctionConfiguration(w http.ResponseWriter, r *http.Request) error {
	name, err := unqualified(r)
	if err != nil {
		return err
	}
	var req updateFunctionConfigurationRequest
	if err := restjson.ReadJSON(r, &req); err != nil {
		return err
	}
	if err := req.Ledge.permit(r.Context()); err != nil {
		return err
	}
	return a.update(w, r, edge.Change{Name: name, Revision: req.RevisionId,
		Edit: func(fn *persist.Function) error { return a.apply(&req.settings, fn) }})
}

func (a *api) update(w http.ResponseWriter, r *http.Request, c edge.Change) error {
	c.Mode = edge.UpdateOnly
	done, err := a.Reconciler.Deploy(r.Context(), c)
	if err != nil {
		return a.functionNotFound(err, c.Name, "")
	}
	return restjson.WriteJSON(w, http.StatusOK, a.configurationOf(done.Function, published(done.Function)))
}

func (a *api) getFunction(w http.ResponseWriter, r *http.Request) error {
	fn, qualifier, err := a.lookUp(r)
	if err != nil {
		return err
	}
	reply := struct {
		Configuration configuration
		Code          codeLocation
		Tags          map[string]string    `json:",omitempty"`
		Concurrency   *reservedConcurrency `json:",omitempty"`
	}{
		Configuration: a.configurationOf(fn, qualifier),
		Code:          a.locationOf(r, fn),
		Tags:          fn.Tags,
		Concurrency:   reservedOf(fn),
	}
	if fn.Version != persist.Latest { // tags are the function's
		latest, err := a.Store.GetFunction(fn.Name, persist.Latest)
		if err != nil {
			return a.functionNotFound(err, fn.Name, qualifier)
		}
		reply.Tags = latest.Tags
	}
	return restjson.WriteJSON(w, http.StatusOK, reply)
}

func (a *api) getFunctionConfiguration(w http.ResponseWriter, r *http.Request) error {
	fn, qualifier, err := a.lookUp(r)
	if err != nil {
		return err
	}
	return restjson.WriteJSON(w, http.StatusOK, a.configurationOf(fn, qualifier))
}

// lookUp returns the stored function that r names, and the qualifier it used.
func (a *api) lookUp(r *http.Request) (persist.Function, string, error) {
	name, qualifier, err := function(r)
	if err != nil {
		return persist.Function{}, "", err
	}
	fn, err := a.Store.GetFunction(name, qualifier)
	if err != nil {
		return fn, "", a.functionNotFound(err, name, qualifier)
	}
	return fn, qualifier, nil
}

// listFunctions shows $LATEST of each function, or with FunctionVersion=ALL
// every version.
func (a *api) listFunctions(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	if q.Get("MasterRegion") != "" {
		return unsupported("MasterRegion", "functions are not replicated")
	}
	var bad violations
	if q.Get("FunctionVersion") != "" {
		bad.OneOf(q.Get("FunctionVersion"), "functionVersion", "ALL")
	}
	if err := bad.Err(); err != nil {
		return err
	}
	limit, err := pageLimit(r)
	if err != nil {
		return err
	}
	var fns []persist.Function
	var more bool
	name, version, marked := strings.Cut(q.Get("Marker"), ":")
	all := q.Get("FunctionVersion") != ""
	switch {
	case name != "" && !qualifierPattern.MatchString(name), marked && (!all || !qualifierPattern.MatchString(version)):
		return invalid("Marker is not one that this node gave")
	case all:
		fns, more, err = a.Store.AllVersions(name, version, limit)
	default:
		fns, more, err = a.Store.Functions(name, limit)
	}
	if err != nil {
		return err
	}
	reply := struct {
		Functions  []configuration
		NextMarker string `json:",omitempty"`
	}{Functions: make([]configuration, 0, len(fns))}
	for _, fn := range fns {
		qualifier := ""
		if all {
			qualifier = fn.Version
		}
		reply.Functions = append(reply.Functions, a.configurationOf(fn, qualifier))
	}
	if more {
		last := fns[len(fns)-1]
		if reply.NextMarker = last.Name; all {
			reply.NextMarker += ":" + last.Version
		}
	}
	return restjson.WriteJSON(w, http.StatusOK, reply)
}

func (a *api) deleteFunction(w http.ResponseWriter, r *http.Request) error {
	name, qualifier, err := function(r)
	if err != nil {
		return err
	}
	switch {
	case qualifier == "":
		var told func()
		if told, err = a.feedsGoWith(name); err == nil {
			_, err = a.Reconciler.Delete(r.Context(), name)
		}
		if err == nil {
			told()
		}
	case qualifier == persist.Latest:
		return invalid("$LATEST version cannot be deleted without deleting the function.")
	case !numberPattern.MatchString(qualifier):
		return invalid("Deletion of aliases is not currently supported with this operation; use DeleteAlias.")
	default:
		err = a.Reconciler.DeleteVersion(r.Context(), name, qualifier)
	}
	if err != nil {
		return a.functionNotFound(err, name, qualifier)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// getAccountSettings shows what the node has. Code is bounded by the disk alone,
// so TotalCodeSize is Lambda's default: tools hold back where it is small.
func (a *api) getAccountSettings(w http.ResponseWriter, _ *http.Request) error {
	type limit struct {
		TotalCodeSize, CodeSizeUnzipped, CodeSizeZipped      int64
		ConcurrentExecutions, UnreservedConcurrentExecutions int
	}
	type usage struct{ TotalCodeSize, FunctionCount int64 }
	var reply struct {
		AccountLimit limit
		AccountUsage usage
	}
	reply.AccountLimit = limit{
		TotalCodeSize: 75 << 30, CodeSizeUnzipped: edge.MaxUnpacked, CodeSizeZipped: maxZip,
		ConcurrentExecutions: engine.MaxConcurrency, UnreservedConcurrentExecutions: engine.MaxConcurrency,
	}
	fns, _, err := a.Store.AllVersions("", "", 0)
	if err != nil {
		return err
	}
	layers, err := a.Store.Layers()
	if err != nil {
		return err
	}
	for _, fn := range fns {
		reply.AccountUsage.TotalCodeSize += fn.CodeSize
		if fn.Version != persist.Latest {
			continue
		}
		reply.AccountUsage.FunctionCount++
		if fn.Concurrency > 0 {
			reply.AccountLimit.UnreservedConcurrentExecutions = max(0, reply.AccountLimit.UnreservedConcurrentExecutions-fn.Concurrency)
		}
	}
	for _, l := range layers {
		reply.AccountUsage.TotalCodeSize += l.CodeSize
	}
	return restjson.WriteJSON(w, http.StatusOK, reply)
}
