package cli

import (
	"context"
	"net/http"
)

// removal is one thing that a command removes. To the node, removing what is not
// there is a success; here it is a mistake in writing, and is told as one.
type removal struct {
	kind string // "alias"
	name string // as people write it
	path string // where the node has it
	list string // the command that shows which there are
}

// removeEach stops at the first that cannot be removed.
func (a *app) removeEach(ctx context.Context, c *client, removals []removal) error {
	gone := []string{}
	for _, r := range removals {
		for _, method := range []string{http.MethodGet, http.MethodDelete} {
			_, err := c.call(ctx, request{method: method, path: r.path}, replyTimeout, nil)
			if e, missing := isCode(err, awsNotFound); missing {
				err = &Error{Code: e.Code, Message: "there is no " + r.kind + " " + r.name, Hint: "see which there are: " + r.list, Err: err}
			}
			if err != nil {
				return err
			}
		}
		gone = append(gone, r.name)
		if !a.json {
			if err := a.write([]byte("removed " + r.name + "\n")); err != nil {
				return err
			}
		}
	}
	if a.json {
		return a.writeJSON(map[string]any{"Removed": gone})
	}
	return nil
}
