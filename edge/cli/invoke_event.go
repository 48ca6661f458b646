package cli

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/spf13/pflag"
)

// eventOptions are the flags that say how an event is to run.
type eventOptions struct {
	orderKey, dedupID, delay string
	priority                 int
}

func (o *eventOptions) register(flags *pflag.FlagSet) {
	textFlag(flags, &o.orderKey, "order-key", "KEY", "with --async: events with the same key run one after the other, in the order in which they came")
	textFlag(flags, &o.dedupID, "dedup-id", "ID", "with --async: an event whose ID came before, a short time ago, is not stored again")
	flags.IntVar(&o.priority, "priority", 5, "with --async: `N` of 0 to 9; of the events that wait, those of 9 run first")
	textFlag(flags, &o.delay, "delay", "DURATION", "with --async: do not run it before: 30s, 1h")
}

// query returns the options that were given as parameters.
func (o *eventOptions) query(given func(flag string) bool) (url.Values, error) {
	query := url.Values{}
	for _, text := range []struct{ flag, parameter, value string }{{"order-key", "order", o.orderKey}, {"dedup-id", "dedup", o.dedupID}} {
		if !given(text.flag) {
			continue
		}
		if text.value == "" {
			return nil, usagef("--%s: it is empty", text.flag)
		}
		query.Set(text.parameter, text.value)
	}
	if given("priority") {
		if o.priority < 0 || o.priority > 9 {
			return nil, usagef("--priority: %d is not 0 to 9", o.priority)
		}
		query.Set("priority", strconv.Itoa(o.priority))
	}
	if given("delay") {
		delay, err := parseDuration(o.delay)
		if err != nil {
			return nil, usagef("--delay: %s", err)
		}
		if delay%time.Second != 0 {
			return nil, usagef("--delay: %q is not a whole number of seconds", o.delay)
		}
		query.Set("delay", strconv.Itoa(int(delay/time.Second)))
	}
	return query, nil
}

// queueEvent returns when the event is on the node's disk, or is there already.
func (a *app) queueEvent(ctx context.Context, c *client, t target, event []byte, query url.Values) error {
	if t.Qualifier != "" {
		query.Set("Qualifier", t.Qualifier)
	}
	var reply struct {
		RequestID string `json:"RequestId"`
		Duplicate bool
	}
	r := request{method: http.MethodPost, path: pathQueue + "/" + url.PathEscape(t.Name), query: query, body: event}
	if _, err := c.call(ctx, r, replyTimeout, &reply); err != nil {
		return invokeFault(err, t)
	}
	if a.json { // what invokeAsync writes, and whether it was there before
		return a.writeJSON(struct {
			invocation
			Duplicate bool `json:",omitempty"`
		}{invocation{StatusCode: http.StatusAccepted, RequestID: reply.RequestID}, reply.Duplicate})
	}
	text := "queued as "
	if reply.Duplicate {
		text = "was queued before, as "
	}
	return a.write([]byte(text + oneLine(reply.RequestID) + "; see what comes of it: ledge logs " + t.Name + "\n"))
}
