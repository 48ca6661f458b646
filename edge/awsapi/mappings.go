package awsapi

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"ledge/edge/awsapi/restjson"
	"ledge/engine"
	"ledge/persist"
)

// Event sources of a node. A change feed has the ARN of a DynamoDB stream, whose
// table is a bucket of the node's key-value data and whose label says since when
// ("LATEST" names the one there is):
//
//	arn:aws:dynamodb:REGION:000000000000:table/BUCKET/stream/LABEL
//
// A topic has an ARN of AWS IoT Core, with an MQTT filter:
//
//	arn:aws:iot:REGION:000000000000:topicfilter/FILTER
var (
	feedPattern  = regexp.MustCompile(`^arn:aws[a-zA-Z-]*:dynamodb:[a-z0-9-]+:\d{12}:table/([a-zA-Z0-9_.-]{1,255})/stream/([a-zA-Z0-9:._-]{1,64})$`)
	topicPattern = regexp.MustCompile(`^arn:aws[a-zA-Z-]*:iot:[a-z0-9-]+:\d{12}:topicfilter/(.{1,256})$`)
)

// sourceKind is what kind of source an ARN names.
type sourceKind uint8

const (
	feedSource sourceKind = iota + 1
	topicSource
)

// kindOfSource returns what an ARN names, or a *fault that says why it cannot
// be a source here.
func kindOfSource(arn string) (sourceKind, error) {
	if found := feedPattern.FindStringSubmatch(arn); found != nil {
		if err := persist.CheckBucket(found[1]); err != nil {
			return 0, invalid(fmt.Sprintf("Unrecognized event source, %s: %s", arn, err))
		}
		return feedSource, nil
	}
	if found := topicPattern.FindStringSubmatch(arn); found != nil {
		if err := checkTopicFilter(found[1]); err != nil {
			return 0, invalid(fmt.Sprintf("the topic filter of %s is wrong: %s", arn, err))
		}
		return topicSource, nil
	}
	const sources = "; the sources of this node are change feeds, arn:aws:dynamodb:REGION:" + accountID + ":table/BUCKET/stream/LABEL, and MQTT topics, arn:aws:iot:REGION:" + accountID + ":topicfilter/FILTER"
	if parts := strings.Split(arn, ":"); len(parts) > 5 {
		return 0, invalid(fmt.Sprintf("Unrecognized event source, %.300s is of %.40s%s", arn, parts[2], sources))
	}
	return 0, invalid(fmt.Sprintf("Unrecognized event source, %.300q%s", arn, sources))
}

// checkTopicFilter says what is wrong with an MQTT topic filter (OASIS MQTT 5.0,
// section 4.7.1).
func checkTopicFilter(filter string) error {
	levels := strings.Split(filter, "/")
	for i, level := range levels {
		last := i == len(levels)-1
		if level != "+" && !(level == "#" && last) && strings.ContainsAny(level, "#+\x00") {
			return errors.New("# must be the last level and + a level of its own")
		}
	}
	return nil
}

// waitsFor is the StateTransitionReason of a mapping whose kind of source the node does
// not read: the broker is a part that this release has not.
func (k sourceKind) waitsFor() string {
	if k == topicSource {
		return "Waiting for the node's MQTT broker, which this release does not have"
	}
	return "Waiting for the node's change feeds"
}

// defaultBatch is Lambda's BatchSize for DynamoDB streams; topics deliver one by
// one.
func (k sourceKind) defaultBatch() int {
	if k == topicSource {
		return 1
	}
	return 100
}

// mappingConfiguration is Lambda's EventSourceMappingConfiguration.
type mappingConfiguration struct {
	UUID                           string
	EventSourceMappingArn          string
	EventSourceArn                 string
	FunctionArn                    string
	State                          string
	StateTransitionReason          string
	LastProcessingResult           string
	LastModified                   epoch
	BatchSize                      int
	MaximumBatchingWindowInSeconds int
	BisectBatchOnFunctionError     bool
	FunctionResponseTypes          []string           `json:",omitempty"`
	MaximumRecordAgeInSeconds      int                `json:",omitempty"`
	MaximumRetryAttempts           *int               `json:",omitempty"`
	ParallelizationFactor          int                `json:",omitempty"`
	TumblingWindowInSeconds        int                `json:",omitempty"`
	StartingPosition               string             `json:",omitempty"`
	FilterCriteria                 *filterCriteria    `json:",omitempty"`
	DestinationConfig              *destinationConfig `json:",omitempty"`
}

type filterCriteria struct {
	Filters []filter
}

type filter struct{ Pattern string }

// mappingOf shows a mapping in state, or, where that is empty, in the one that it is in.
func (a *api) mappingOf(m persist.EventSourceMapping, state string) (mappingConfiguration, error) {
	kind, err := kindOfSource(m.Source)
	reason, result := "User action", "No records processed"
	if kind == feedSource {
		feed, err := a.Store.GetFeed(m.ID)
		if err != nil && !errors.Is(err, persist.ErrNotFound) { // it is gone, or not begun
			return mappingConfiguration{}, err
		}
		if feed.LastResult != "" {
			result = feed.LastResult
		}
	}
	switch {
	case state != "":
	case err != nil && m.Enabled: // stored by a release that knew more
		state, reason = stateEnabling, err.Error()
	case kind == feedSource:
		running, _ := a.FeedStatus(m.ID)
		if state = stateOf(m.Enabled, running); state == stateEnabling {
			reason = kind.waitsFor()
		}
	case m.Enabled:
		state, reason = stateEnabling, kind.waitsFor()
	default:
		state = stateDisabled
	}
	shown := mappingConfiguration{
		UUID: m.ID, EventSourceMappingArn: a.mappingArn(m.ID), EventSourceArn: m.Source, FunctionArn: a.arn(m.Function, m.Qualifier),
		State: state, StateTransitionReason: reason, LastProcessingResult: result, LastModified: epochOf(m.LastModified),
		BatchSize: m.BatchSize, MaximumBatchingWindowInSeconds: m.BatchWindowSeconds, BisectBatchOnFunctionError: m.BisectBatch,
		MaximumRecordAgeInSeconds: m.MaxAgeSeconds, ParallelizationFactor: m.Parallel,
		TumblingWindowInSeconds: m.TumblingWindowSeconds, StartingPosition: m.Start,
	}
	if kind == feedSource {
		shown.MaximumRetryAttempts = &m.MaxRetries // 0 is not none
	}
	if m.ReportItemFailures {
		shown.FunctionResponseTypes = []string{reportItemFailures}
	}
	if len(m.Filters) > 0 {
		shown.FilterCriteria = new(filterCriteria)
		for _, pattern := range m.Filters {
			shown.FilterCriteria.Filters = append(shown.FilterCriteria.Filters, filter{pattern})
		}
	}
	if m.OnFailure != "" {
		shown.DestinationConfig = &destinationConfig{OnFailure: &destination{&m.OnFailure}}
	}
	return shown, nil
}

// writeMapping answers with a mapping in state, as mappingOf does.
func (a *api) writeMapping(w http.ResponseWriter, status int, m persist.EventSourceMapping, state string) error {
	shown, err := a.mappingOf(m, state)
	if err != nil {
		return err
	}
	return restjson.WriteJSON(w, status, shown)
}

const reportItemFailures = "ReportBatchItemFailures"

func (a *api) createMapping(w http.ResponseWriter, r *http.Request) error {
	var req mappingRequest
	if err := restjson.ReadJSON(r, &req); err != nil {
		return err
	}
	name, qualifier, err := a.mappingTarget(r, req.FunctionName)
	if err != nil {
		return err
	}
	if req.EventSourceArn == nil {
		return invalid("Unrecognized event source: EventSourceArn is missing")
	}
	kind, err := kindOfSource(*req.EventSourceArn)
	if err != nil {
		return err
	}
	if err := permitSource(r.Context(), *req.EventSourceArn, name); err != nil {
		return err
	}
	if err := checkTags(req.Tags); err != nil {
		return err
	}
	m := persist.EventSourceMapping{
		ID: engine.NewRequestID().String(), Function: name, Qualifier: qualifier, Source: *req.EventSourceArn,
		Enabled: true, BatchSize: kind.defaultBatch(), Tags: req.Tags,
	}
	if kind == feedSource {
		m.MaxAgeSeconds, m.MaxRetries, m.Parallel = -1, -1, 1
	}
	if err := req.start(kind, &m); err != nil {
		return err
	}
	if err := a.applyMapping(r.Context(), &req, kind, &m); err != nil {
		return err
	}
	stored, err := a.Store.PutMapping(m)
	if errors.Is(err, persist.ErrExists) {
		return conflict(fmt.Sprintf("An event source mapping with event source arn (\" %s \") and function (\" %s \") already exists.", m.Source, name))
	}
	if err != nil {
		return a.functionNotFound(dataFault(err, ""), name, qualifier)
	}
	a.FeedChanged(stored.ID)
	state := "Creating"
	if !stored.Enabled {
		state = ""
	}
	return a.writeMapping(w, http.StatusAccepted, stored, state)
}

// mappingTarget returns the function that a request's body names, which must
// exist, where the caller may use it.
func (a *api) mappingTarget(r *http.Request, text *string) (name, qualifier string, err error) {
	var bad violations
	if bad.Required(text != nil, "functionName"); len(bad) > 0 {
		return "", "", bad.Err()
	}
	if name, qualifier, err = parseName(*text); err != nil {
		return "", "", err
	}
	if err := restjson.Permit(r.Context(), name); err != nil {
		return "", "", err
	}
	if _, err := a.Store.GetFunction(name, qualifier); err != nil {
		return "", "", a.functionNotFound(err, name, qualifier)
	}
	return name, qualifier, nil
}

func mappingNotFound(err error) error {
	if errors.Is(err, persist.ErrNotFound) {
		return notFound("The resource you requested does not exist.")
	}
	return err
}

// mapping returns a mapping to a function that the caller may use.
func (a *api) mapping(r *http.Request, id string) (persist.EventSourceMapping, error) {
	m, err := a.Store.GetMapping(id)
	if err != nil {
		// Which function it is about is not known; who may use all is told the truth.
		if denied := restjson.Permit(r.Context(), ""); denied != nil {
			return m, denied
		}
		return m, mappingNotFound(err)
	}
	return m, restjson.Permit(r.Context(), m.Function)
}

func (a *api) getMapping(w http.ResponseWriter, r *http.Request) error {
	m, err := a.mapping(r, r.PathValue("uuid"))
	if err != nil {
		return err
	}
	return a.writeMapping(w, http.StatusOK, m, "")
}

func (a *api) updateMapping(w http.ResponseWriter, r *http.Request) error {
	m, err := a.mapping(r, r.PathValue("uuid"))
	if err != nil {
		return err
	}
	var req mappingRequest
	if err := restjson.ReadJSON(r, &req); err != nil {
		return err
	}
	if req.FunctionName != nil {
		if m.Function, m.Qualifier, err = a.mappingTarget(r, req.FunctionName); err != nil {
			return err
		}
	}
	kind, err := kindOfSource(m.Source)
	if err != nil {
		return err
	}
	if err := permitSource(r.Context(), m.Source, m.Function); err != nil {
		return err
	}
	was := m.Enabled
	if err := a.applyMapping(r.Context(), &req, kind, &m); err != nil {
		return err
	}
	stored, err := a.Store.PutMapping(m)
	if errors.Is(err, persist.ErrExists) {
		return conflict("Another event source mapping has the same event source and function: " + err.Error())
	}
	if errors.Is(err, persist.ErrConflict) {
		return conflict("The event source mapping was changed or removed while it was updated; try again.")
	}
	if err != nil {
		return a.functionNotFound(dataFault(err, ""), m.Function, m.Qualifier)
	}
	a.FeedChanged(stored.ID)
	return a.writeMapping(w, http.StatusAccepted, stored, stateAfter(kind, was, stored.Enabled))
}

func (a *api) deleteMapping(w http.ResponseWriter, r *http.Request) error {
	m, err := a.mapping(r, r.PathValue("uuid"))
	if err != nil {
		return err
	}
	if m, err = a.Store.DeleteMapping(m.ID); err != nil {
		return mappingNotFound(err)
	}
	a.FeedChanged(m.ID)
	return a.writeMapping(w, http.StatusAccepted, m, "Deleting")
}

func (a *api) listMappings(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	name, qualifier := "", ""
	if text := q.Get("FunctionName"); text != "" {
		var err error
		if name, qualifier, err = parseName(text); err != nil {
			return err
		}
	}
	if err := restjson.Permit(r.Context(), name); err != nil {
		return err
	}
	if name != "" {
		if _, err := a.Store.GetFunction(name, qualifier); err != nil {
			return a.functionNotFound(err, name, qualifier)
		}
	}
	mappings, err := a.Store.Mappings()
	if err != nil {
		return err
	}
	source := q.Get("EventSourceArn")
	mappings = slices.DeleteFunc(mappings, func(m persist.EventSourceMapping) bool {
		return name != "" && (m.Function != name || m.Qualifier != qualifier) || source != "" && m.Source != source
	})
	page, next, err := pageOf(r, mappings, func(m persist.EventSourceMapping) string { return m.ID })
	if err != nil {
		return err
	}
	reply := struct {
		EventSourceMappings []mappingConfiguration
		NextMarker          string `json:",omitempty"`
	}{EventSourceMappings: []mappingConfiguration{}, NextMarker: next}
	for _, m := range page {
		shown, err := a.mappingOf(m, "")
		if err != nil {
			return err
		}
		reply.EventSourceMappings = append(reply.EventSourceMappings, shown)
	}
	return restjson.WriteJSON(w, http.StatusOK, reply)
}
