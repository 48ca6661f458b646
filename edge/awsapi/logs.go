package awsapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"ledge/edge/awsapi/restjson"
	"ledge/persist"
)

// logRecord is one line of the log stream: what one write of an invocation
// logged, one or more lines of text.
type logRecord struct {
	At        time.Time
	Function  string
	Version   string
	RequestID string
	Text      string
}

// logWriteTimeout is how long a client may leave a record unread before its
// connection is cut.
const logWriteTimeout = 30 * time.Second

// maxLogRecords is the largest limit of a query.
const maxLogRecords = 1_000_000

// readLogs is GET /v1/functions/{name}/logs: a stream of records in JSON, one
// a line, oldest first. since is a time (RFC 3339) or how long ago ("10m");
// limit keeps the newest records; follow=1 goes on until the client hangs up.
func (a *api) readLogs(w http.ResponseWriter, r *http.Request) error {
	name, _, err := parseName(r.PathValue("name"))
	if err != nil {
		return err
	}
	if _, err := a.Store.GetFunction(name, ""); err != nil {
		return a.functionNotFound(err, name, "")
	}
	query := persist.Query{Function: name}
	if query.Since, err = a.parseSince(r.URL.Query().Get("since")); err != nil {
		return err
	}
	if query.Limit, err = restjson.Number(r, "limit", 0, maxLogRecords); err != nil {
		return err
	}
	read := a.Logs.Read
	switch follow := r.URL.Query().Get("follow"); follow {
	case "", "0", "false":
	case "1", "true":
		read = a.Logs.Follow
	default:
		return invalid(fmt.Sprintf("follow must be 0 or 1, not %.100q", follow))
	}

	control := http.NewResponseController(w)
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.WriteHeader(http.StatusOK)
	if err := control.Flush(); err != nil { // the client sees that it is connected
		return fmt.Errorf("flush log stream: %w", err)
	}
	ctx, cancel := a.untilStopping(r.Context())
	defer cancel()
	err = read(ctx, query, func(rec persist.Record) error {
		line, err := json.Marshal(logRecord{rec.At, rec.Function, rec.Version, rec.RequestID, string(rec.Text)})
		if err != nil {
			return fmt.Errorf("encode log record: %w", err)
		}
		// Not every writer has deadlines: then a stuck client costs a goroutine.
		if err := control.SetWriteDeadline(time.Now().Add(logWriteTimeout)); err != nil && !errors.Is(err, http.ErrNotSupported) {
			return fmt.Errorf("set write deadline: %w", err)
		}
		if _, err := w.Write(append(line, '\n')); err != nil {
			return fmt.Errorf("write log record: %w", err)
		}
		return control.Flush()
	})
	if ctx.Err() != nil {
		return nil // the end of a followed log
	}
	return err
}

// untilStopping returns a context that also ends when the node stops.
func (a *api) untilStopping(parent context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(parent)
	go func() {
		select {
		case <-a.Stopping:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

// parseSince reads a time or how long ago; empty means from the oldest.
func (a *api) parseSince(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if at, err := time.Parse(time.RFC3339Nano, text); err == nil {
		return at, nil
	}
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		return a.Now().Add(-ago), nil
	}
	return time.Time{}, invalid(fmt.Sprintf("since must be a time such as 2026-01-02T15:04:05Z or how long ago, such as 10m, not %.100q", text))
}
