package awsapi

import (
	"context"

	"ledge/edge/awsapi/restjson"
)

// permit refuses settings that let a function invoke others which the caller
// could not invoke itself.
func (s *ledgeSettings) permit(ctx context.Context) error {
	if s == nil || s.AllowInvoke == nil {
		return nil
	}
	for _, name := range *s.AllowInvoke {
		if name == "*" {
			name = ""
		}
		if err := restjson.PermitInvoke(ctx, name); err != nil {
			return err
		}
	}
	return nil
}
