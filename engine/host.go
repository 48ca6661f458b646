package engine

import (
	"context"
	"errors"
	"time"

	"ledge/engine/capi"
)

// host answers the host calls of one instance: capi.Host.
type host struct {
	runtime  *Runtime
	function *Function
	instance *instance
}

var errNoKV = errors.New("this node keeps no variables")

// VarGet returns a variable of the function, nil where it is not set.
func (h *host) VarGet(key []byte) ([]byte, error) {
	if h.runtime.cfg.KV == nil {
		return nil, errNoKV
	}
	return h.runtime.cfg.KV.Get(h.function.Name, string(key))
}

// VarSet stores a variable; it is on disk when VarSet returns.
func (h *host) VarSet(key, value []byte) error {
	if h.runtime.cfg.KV == nil {
		return errNoKV
	}
	return h.runtime.cfg.KV.Put(h.function.Name, string(key), value)
}

// VarDelete removes a variable.
func (h *host) VarDelete(key []byte) error {
	if h.runtime.cfg.KV == nil {
		return errNoKV
	}
	return h.runtime.cfg.KV.Delete(h.function.Name, string(key))
}

// HTTP makes a request for the guest, within what the function may call and
// until the Invocation's deadline.
func (h *host) HTTP(request, body []byte) (status int, headers, reply []byte, err error) {
	left := h.instance.shell.Deadline() - capi.Now()
	ctx, cancel := context.WithTimeout(h.instance.ctx, max(left, time.Millisecond))
	defer cancel()
	status, headers, reply, err = h.runtime.outbound.Do(ctx, h.function.AllowHosts, request, body)
	if err != nil && h.instance.ctx.Err() != nil {
		h.instance.shell.Cancel() // that is why, and not the guest's fault
	}
	return status, headers, reply, err
}
