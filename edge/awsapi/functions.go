package awsapi

import (
	"net/http"

	"ledge/edge"
	"ledge/persist"
)

// code is Lambda's FunctionCode. This node takes code only in the request.
type code struct {
	ZipFile         []byte // a zip, or a Wasm module as it is
	S3Bucket, S3Key string
	ImageUri        string
}

func (c *code) check() error {
	if c.S3Bucket != "" || c.S3Key != "" || c.ImageUri != "" {
		return invalid("this node takes code only as ZipFile, not from S3 or as an image")
	}
	return nil
}

type createFunctionRequest struct {
	FunctionName string
	Code         code
	Publish      bool
	Tags         map[string]string
	settings
}

func (a *api) createFunction(w http.ResponseWriter, r *http.Request) error {
	var req createFunctionRequest
	release, err := a.readJSON(w, r, MaxUpload, &req)
	if err != nil {
		return err
	}
	defer release()
	name, qualifier, err := parseName(req.FunctionName)
	if err != nil {
		return err
	}
	if qualifier != "" {
		return invalid("FunctionName must not have a qualifier")
	}
	if err := req.Code.check(); err != nil {
		return err
	}
	done, err := a.Reconciler.Deploy(r.Context(), edge.Change{
		Name: name,
		Mode: edge.CreateOnly,
		Code: req.Code.ZipFile,
		Edit: func(fn *persist.Function) error {
			set(&fn.Tags, &req.Tags)
			return req.apply(fn)
		},
		Publish: req.Publish,
	})
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusCreated, a.configurationOf(done.Function, published(done.Function)))
}

// published is the qualifier that Lambda shows in the ARN of a reply: none for
// $LATEST.
func published(fn persist.Function) string {
	if fn.Version == persist.Latest {
		return ""
	}
	return fn.Version
}

type updateFunctionCodeRequest struct {
	code
	RevisionId string
	Publish    bool
	DryRun     bool
}

func (a *api) updateFunctionCode(w http.ResponseWriter, r *http.Request) error {
	name, err := unqualified(r)
	if err != nil {
		return err
	}
	var req updateFunctionCodeRequest
	release, err := a.readJSON(w, r, MaxUpload, &req)
	if err != nil {
		return err
	}
	defer release()
	if err := req.check(); err != nil {
		return err
	}
	if len(req.ZipFile) == 0 {
		return invalid("ZipFile is missing; send a zip or a Wasm module in base64")
	}
	return a.update(w, r, edge.Change{
		Name:     name,
		Revision: req.RevisionId,
		Code:     req.ZipFile,
		Publish:  req.Publish,
		DryRun:   req.DryRun,
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
	release, err := a.readJSON(w, r, maxSettings, &req)
	if err != nil {
		return err
	}
	defer release()
	return a.update(w, r, edge.Change{Name: name, Revision: req.RevisionId, Edit: req.apply})
}

func (a *api) update(w http.ResponseWriter, r *http.Request, c edge.Change) error {
	c.Mode = edge.UpdateOnly
	done, err := a.Reconciler.Deploy(r.Context(), c)
	if err != nil {
		return a.functionNotFound(err, c.Name, "")
	}
	return writeJSON(w, http.StatusOK, a.configurationOf(done.Function, published(done.Function)))
}

func (a *api) getFunction(w http.ResponseWriter, r *http.Request) error {
	fn, qualifier, err := a.lookUp(r)
	if err != nil {
		return err
	}
	type location struct{ RepositoryType string }
	type concurrency struct{ ReservedConcurrentExecutions int }
	reply := struct {
		Configuration configuration
		Code          location
		Tags          map[string]string `json:",omitempty"`
		Concurrency   *concurrency      `json:",omitempty"`
	}{
		Configuration: a.configurationOf(fn, qualifier),
		Code:          location{RepositoryType: "Ledge"}, // no Location: code is not handed out
		Tags:          fn.Tags,
	}
	if fn.Concurrency > 0 {
		reply.Concurrency = &concurrency{fn.Concurrency}
	}
	return writeJSON(w, http.StatusOK, reply)
}

func (a *api) getFunctionConfiguration(w http.ResponseWriter, r *http.Request) error {
	fn, qualifier, err := a.lookUp(r)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, a.configurationOf(fn, qualifier))
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

// pageSize is the most that one page of a list holds, as in AWS Lambda. A
// larger MaxItems is taken and gives pages of this size.
const pageSize = 50

func (a *api) listFunctions(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	if q.Get("FunctionVersion") != "" {
		return invalid("FunctionVersion is not supported by this node; list the versions of each function")
	}
	limit, err := wholeNumber(r, "MaxItems", pageSize, 10000)
	if err != nil {
		return err
	}
	marker := q.Get("Marker")
	if marker != "" && !qualifierPattern.MatchString(marker) {
		return invalid("Marker is not one that this node gave")
	}
	fns, more, err := a.Store.Functions(marker, min(limit, pageSize))
	if err != nil {
		return err
	}
	reply := struct {
		Functions  []configuration
		NextMarker string `json:",omitempty"`
	}{Functions: make([]configuration, 0, len(fns))}
	for _, fn := range fns {
		reply.Functions = append(reply.Functions, a.configurationOf(fn, ""))
	}
	if more {
		reply.NextMarker = fns[len(fns)-1].Name
	}
	return writeJSON(w, http.StatusOK, reply)
}

func (a *api) deleteFunction(w http.ResponseWriter, r *http.Request) error {
	name, qualifier, err := function(r)
	if err != nil {
		return err
	}
	switch {
	case qualifier == "":
		_, err = a.Reconciler.Delete(r.Context(), name)
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
	// Lambda's defaults, so that tools do not hold back; the disk is the limit here.
	reply.AccountLimit = limit{
		TotalCodeSize: 75 << 30, CodeSizeUnzipped: 250 << 20, CodeSizeZipped: 50 << 20,
		ConcurrentExecutions: 1000, UnreservedConcurrentExecutions: 1000,
	}
	fns, _, err := a.Store.Functions("", 0)
	if err != nil {
		return err
	}
	for _, fn := range fns {
		reply.AccountUsage.TotalCodeSize += fn.CodeSize
		reply.AccountUsage.FunctionCount++
	}
	return writeJSON(w, http.StatusOK, reply)
}
