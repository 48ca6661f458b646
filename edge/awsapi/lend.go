package awsapi

import (
	"context"
	"fmt"
	"net/http"

	"ledge/edge/awsapi/restjson"
)

// permit refuses settings that let a function do what the caller could not do
// itself: invoke others, or use data that is shared.
func (s *ledgeSettings) permit(ctx context.Context) error {
	if s == nil {
		return nil
	}
	if s.AllowInvoke != nil {
		for _, name := range *s.AllowInvoke {
			if name == "*" {
				name = ""
			}
			if err := restjson.PermitInvoke(ctx, name); err != nil {
				return err
			}
		}
	}
	if s.AllowBuckets != nil {
		for _, bucket := range *s.AllowBuckets {
			if err := permitBucket(ctx, bucket); err != nil {
				return err
			}
		}
	}
	return nil
}

// permitBucket refuses to let a function use a bucket that the caller's key does
// not reach: a key that is restricted to some functions reaches only theirs.
func permitBucket(ctx context.Context, bucket string) error {
	caller := restjson.CallerOf(ctx)
	if caller == nil || caller.Allows(restjson.Deploy, ownerOf(bucket)) {
		return nil
	}
	return &fault{Status: http.StatusForbidden, Code: restjson.CodeDenied,
		Message: fmt.Sprintf("User: %s is not authorized to let a function use the bucket %s because its key does not reach that itself", caller.ARN(), bucket)}
}
