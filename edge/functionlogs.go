package edge

import (
	"time"

	"ledge/engine"
	"ledge/persist"
)

// FunctionLogs makes the node's logs the engine's LogSink.
type FunctionLogs struct{ *persist.Logs }

// AppendLog keeps what an invocation logged; it borrows text.
func (l FunctionLogs) AppendLog(function, version string, id engine.RequestID, at time.Time, text []byte) {
	l.Append(function, version, id.String(), at, text)
}
