package awsapi

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"ledge/edge/awsapi/restjson"
	"ledge/persist"
)

// Bounds of how asynchronous invocations are retried
// (https://docs.aws.amazon.com/lambda/latest/api/API_PutFunctionEventInvokeConfig.html).
const (
	minEventAge     = 60 // seconds
	maxEventAge     = 21600
	maxEventRetries = 2
)

type (
	destination struct {
		Destination *string `json:",omitempty"`
	}
	destinationConfig struct {
		OnSuccess *destination
		OnFailure *destination
	}
)

// eventInvokeConfig is Lambda's FunctionEventInvokeConfig.
type eventInvokeConfig struct {
	LastModified             epoch
	FunctionArn              string
	MaximumRetryAttempts     *int `json:",omitempty"`
	MaximumEventAgeInSeconds int  `json:",omitempty"`
	DestinationConfig        destinationConfig
}

// epoch is a time in seconds since 1970 as JSON has it, the form of timestamps
// in restJson.
type epoch float64

func epochOf(t time.Time) epoch { return epoch(float64(t.UnixMilli()) / 1000) }

func (a *api) eventInvokeOf(c persist.AsyncConfig) eventInvokeConfig {
	shown := eventInvokeConfig{
		LastModified:         epochOf(c.LastModified),
		FunctionArn:          a.arn(c.Function, c.Qualifier),
		MaximumRetryAttempts: c.MaxRetries, MaximumEventAgeInSeconds: c.MaxAgeSeconds,
		DestinationConfig: destinationConfig{OnSuccess: new(destination), OnFailure: new(destination)},
	}
	if c.OnSuccess != "" {
		shown.DestinationConfig.OnSuccess.Destination = &c.OnSuccess
	}
	if c.OnFailure != "" {
		shown.DestinationConfig.OnFailure.Destination = &c.OnFailure
	}
	return shown
}

type eventInvokeRequest struct {
	DestinationConfig        *destinationConfig
	MaximumEventAgeInSeconds *int64
	MaximumRetryAttempts     *int64
}

// applyEventInvoke changes c as the request asks.
func (a *api) applyEventInvoke(ctx context.Context, q *eventInvokeRequest, c *persist.AsyncConfig) error {
	if *q == (eventInvokeRequest{}) {
		return invalid("You must specify at least one of error handling or destination setting.")
	}
	var bad violations
	if q.MaximumEventAgeInSeconds != nil {
		bad.Between(*q.MaximumEventAgeInSeconds, "maximumEventAgeInSeconds", minEventAge, maxEventAge)
		c.MaxAgeSeconds = int(*q.MaximumEventAgeInSeconds)
	}
	if q.MaximumRetryAttempts != nil {
		bad.Between(*q.MaximumRetryAttempts, "maximumRetryAttempts", 0, maxEventRetries)
		n := int(*q.MaximumRetryAttempts)
		c.MaxRetries = &n
	}
	if err := bad.Err(); err != nil {
		return err
	}
	if q.DestinationConfig == nil {
		return nil
	}
	for _, d := range []struct {
		given *destination
		at    *string
	}{{q.DestinationConfig.OnSuccess, &c.OnSuccess}, {q.DestinationConfig.OnFailure, &c.OnFailure}} {
		*d.at = ""
		if d.given == nil || d.given.Destination == nil || *d.given.Destination == "" {
			continue
		}
		if err := a.checkDestination(ctx, *d.given.Destination, c.Function); err != nil {
			return err
		}
		*d.at = *d.given.Destination
	}
	return nil
}

// checkDestination refuses what results of a function cannot be sent to, and
// functions that the caller may not invoke.
func (a *api) checkDestination(ctx context.Context, arn, from string) error {
	if !strings.HasPrefix(arn, "arn:") || strings.Count(arn, ":") < 6 || strings.Split(arn, ":")[2] != "lambda" {
		return invalid(fmt.Sprintf("The destination %.200s is not the ARN of a function; this node has no SQS, SNS, S3 and EventBridge", arn))
	}
	name, qualifier, err := parseName(arn)
	if err != nil {
		return invalid(fmt.Sprintf("The destination %.200s is not the ARN of a function", arn))
	}
	if name == from {
		return invalid("You must specify a destination function different from the function itself: " + arn)
	}
	if err := restjson.PermitInvoke(ctx, name); err != nil {
		return err
	}
	if _, err := a.Store.GetFunction(name, qualifier); errors.Is(err, persist.ErrNotFound) {
		return invalid("The destination ARN " + arn + " is invalid: there is no such function.")
	} else if err != nil {
		return err
	}
	return nil
}

// putEventInvokeConfig replaces the configuration: a member that is missing goes
// back to its default. What AWS has no member for stays.
func (a *api) putEventInvokeConfig(w http.ResponseWriter, r *http.Request) error {
	return a.storeEventInvoke(w, r, func(name, qualifier string) (persist.AsyncConfig, error) {
		if _, err := a.Store.GetFunction(name, qualifier); err != nil {
			return persist.AsyncConfig{}, err
		}
		c, err := a.asyncConfig(name, qualifier)
		return onlyOurs(c), err
	})
}

// updateEventInvokeConfig keeps what the request does not name.
func (a *api) updateEventInvokeConfig(w http.ResponseWriter, r *http.Request) error {
	return a.storeEventInvoke(w, r, a.eventInvoke)
}

// eventInvoke returns a configuration, or persist.ErrNotFound, also where it has nothing
// that AWS has a member for.
func (a *api) eventInvoke(name, qualifier string) (persist.AsyncConfig, error) {
	c, err := a.Store.GetAsyncConfig(name, qualifier)
	if err == nil && isOnlyOurs(c) {
		return persist.AsyncConfig{}, persist.ErrNotFound
	}
	return c, err
}

func isOnlyOurs(c persist.AsyncConfig) bool {
	return hasOurs(c) && c.MaxRetries == nil && c.MaxAgeSeconds == 0 && c.OnSuccess == "" && c.OnFailure == ""
}

func (a *api) storeEventInvoke(w http.ResponseWriter, r *http.Request, present func(name, qualifier string) (persist.AsyncConfig, error)) error {
	name, qualifier, err := function(r)
	if err != nil {
		return err
	}
	var req eventInvokeRequest
	if err := restjson.ReadJSON(r, &req); err != nil {
		return err
	}
	c, err := present(name, qualifier)
	if err != nil {
		return a.eventInvokeNotFound(err, name, qualifier)
	}
	if err := a.applyEventInvoke(r.Context(), &req, &c); err != nil {
		return err
	}
	stored, err := a.Store.PutAsyncConfig(c)
	if err != nil {
		return a.eventInvokeNotFound(err, name, qualifier)
	}
	return restjson.WriteJSON(w, http.StatusOK, a.eventInvokeOf(stored))
}

func (a *api) eventInvokeNotFound(err error, name, qualifier string) error {
	arn := a.arn(name, cmp.Or(qualifier, persist.Latest))
	return a.lacking(err, name, qualifier, notFound("The function "+arn+" doesn't have an EventInvokeConfig"))
}

func (a *api) getEventInvokeConfig(w http.ResponseWriter, r *http.Request) error {
	name, qualifier, err := function(r)
	if err != nil {
		return err
	}
	c, err := a.eventInvoke(name, qualifier)
	if err != nil {
		return a.eventInvokeNotFound(err, name, qualifier)
	}
	return restjson.WriteJSON(w, http.StatusOK, a.eventInvokeOf(c))
}

func (a *api) listEventInvokeConfigs(w http.ResponseWriter, r *http.Request) error {
	name, err := unqualified(r)
	if err != nil {
		return err
	}
	configs, err := a.Store.AsyncConfigs(name)
	if err != nil {
		return a.functionNotFound(err, name, "")
	}
	configs = slices.DeleteFunc(configs, isOnlyOurs)
	page, next, err := pageOf(r, configs, func(c persist.AsyncConfig) string { return c.Qualifier })
	if err != nil {
		return err
	}
	reply := struct {
		FunctionEventInvokeConfigs []eventInvokeConfig
		NextMarker                 string `json:",omitempty"`
	}{FunctionEventInvokeConfigs: []eventInvokeConfig{}, NextMarker: next}
	for _, c := range page {
		reply.FunctionEventInvokeConfigs = append(reply.FunctionEventInvokeConfigs, a.eventInvokeOf(c))
	}
	return restjson.WriteJSON(w, http.StatusOK, reply)
}

// deleteEventInvokeConfig leaves what AWS has no member for.
func (a *api) deleteEventInvokeConfig(w http.ResponseWriter, r *http.Request) error {
	name, qualifier, err := function(r)
	if err != nil {
		return err
	}
	c, err := a.eventInvoke(name, qualifier)
	switch {
	case err != nil:
	case hasOurs(c):
		_, err = a.Store.PutAsyncConfig(onlyOurs(c))
	default:
		err = a.Store.DeleteAsyncConfig(name, qualifier)
	}
	if err != nil {
		return a.eventInvokeNotFound(err, name, qualifier)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
