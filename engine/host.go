package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"ledge/engine/outbound"
)

// host answers the host calls of one instance: capi.Host.
type host struct {
	runtime  *Runtime
	function *Function
	instance *instance
	own      string // the function's own bucket
}

// VarGet returns a variable of the function, nil where it is not set. Variables are
// the keys of its own bucket.
func (h *host) VarGet(key []byte) ([]byte, error) {
	if err := h.count(); err != nil {
		return nil, err
	}
	if err := checkNames(key); err != nil {
		return nil, err
	}
	item, err := h.get("", string(key))
	return item.Value, err
}

// VarSet stores a variable; it is on disk when VarSet returns.
func (h *host) VarSet(key, value []byte) error {
	return h.writeVar(key, Write{Kind: WritePut, Value: value})
}

// VarDelete removes a variable.
func (h *host) VarDelete(key []byte) error {
	return h.writeVar(key, Write{Kind: WriteDelete})
}

func (h *host) writeVar(key []byte, w Write) error {
	if err := h.count(); err != nil {
		return err
	}
	if err := checkNames(key); err != nil {
		return err
	}
	w.Key = string(key)
	_, err := h.write(w)
	return err
}

// HTTP makes a request for a plug-in. Headers of the reply are a JSON object with
// lower-case names.
func (h *host) HTTP(encoded, body []byte) (status int, headers, reply []byte, err error) {
	if err := h.count(); err != nil {
		return 0, nil, nil, err
	}
	status, header, reply, err := h.request(encoded, body)
	if err != nil {
		if h.instance.ctx.Err() != nil {
			h.instance.shell.Cancel() // that is why, and not the guest's fault
		}
		return 0, nil, nil, fmt.Errorf("http_request: %w", err)
	}
	flat := make(map[string]string, len(header))
	for name, values := range header {
		flat[strings.ToLower(name)] = strings.Join(values, ", ")
	}
	headers, err = json.Marshal(flat)
	return status, headers, reply, err
}

// request makes a request within what the function may call, until the Invocation's
// deadline.
func (h *host) request(encoded, body []byte) (int, http.Header, []byte, error) {
	ctx, cancel := h.deadline()
	defer cancel()
	kept := held{runtime: h.runtime}
	defer kept.release()
	status, header, reply, err := h.runtime.outbound.Exchange(ctx, h.function.AllowHosts, encoded, body, kept.take)
	var failed *callError
	switch {
	case errors.As(err, &failed):
		return 0, nil, nil, failed
	case errors.Is(err, outbound.ErrNotAllowed):
		return 0, nil, nil, denied("%s", err)
	case err != nil:
		return 0, nil, nil, &callError{Type: callHTTPError, Message: err.Error()}
	}
	return status, header, reply, nil
}
