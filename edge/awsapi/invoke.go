package awsapi

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"ledge/engine"
)

// tailBytes is how much of the end of a log X-Amz-Log-Result carries, as in
// AWS Lambda.
const tailBytes = 4 << 10

// invoke is https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html.
// A client that hangs up cancels the invocation.
func (a *api) invoke(w http.ResponseWriter, r *http.Request) error {
	name, qualifier, err := function(r)
	if err != nil {
		return err
	}
	tail, err := wantsTail(r)
	if err != nil {
		return err
	}
	switch kind := r.Header.Get("X-Amz-Invocation-Type"); kind {
	case "", "RequestResponse":
	case "DryRun":
		if _, err := a.Store.GetFunction(name, qualifier); err != nil {
			return a.functionNotFound(err, name, qualifier)
		}
		w.WriteHeader(http.StatusNoContent)
		return nil
	case "Event":
		return &fault{Status: http.StatusNotImplemented, Code: "NotImplementedException",
			Message: "InvocationType Event is not implemented by this node yet; use RequestResponse"}
	default:
		return invalid(fmt.Sprintf("InvocationType %.100q is not one of RequestResponse, Event, DryRun", kind))
	}
	payload, err := readBody(w, r, engine.DefaultLimits().RequestBytes, a.bodyPause)
	if err != nil {
		return err
	}
	if len(payload) == 0 {
		payload = []byte("{}")
	}

	inv := engine.Invocation{
		Function: name, Qualifier: qualifier, Source: engine.SourceAPI,
		RequestID: engine.NewRequestID(), Payload: payload,
	}
	w.Header().Set("X-Amzn-Requestid", inv.RequestID.String()) // the one that its logs have
	var res engine.Result
	err = a.Invoker.Invoke(r.Context(), &inv, &res)
	reply := res.Payload
	if err != nil {
		failure, own := engine.AsFunctionError(err)
		if !own || r.Context().Err() != nil {
			return a.functionNotFound(err, name, qualifier)
		}
		reply = failure.AppendJSON(nil)
		w.Header().Set("X-Amz-Function-Error", "Unhandled")
	}
	if res.Version != "" {
		w.Header().Set("X-Amz-Executed-Version", res.Version)
	}
	if tail {
		log := a.invocationLog(&inv, &res)
		w.Header().Set("X-Amz-Log-Result", base64.StdEncoding.EncodeToString(log[max(0, len(log)-tailBytes):]))
	}
	kind := "application/json"
	if !json.Valid(reply) {
		kind = "application/octet-stream"
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Length", strconv.Itoa(len(reply)))
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(reply) // a client that is gone needs no answer
	return nil
}

func wantsTail(r *http.Request) (bool, error) {
	switch kind := r.Header.Get("X-Amz-Log-Type"); kind {
	case "", "None":
		return false, nil
	case "Tail":
		return true, nil
	default:
		return false, invalid(fmt.Sprintf("LogType %.100q is not one of None, Tail", kind))
	}
}

// invocationLog returns what the guest logged between the lines that AWS
// Lambda writes around it.
func (a *api) invocationLog(inv *engine.Invocation, res *engine.Result) []byte {
	id, rep := inv.RequestID.String(), res.Report
	log := make([]byte, 0, len(res.Log)+512)
	log = fmt.Appendf(log, "START RequestId: %s Version: %s\n", id, res.Version)
	log = append(log, res.Log...)
	if n := len(res.Log); n > 0 && res.Log[n-1] != '\n' {
		log = append(log, '\n')
	}
	log = fmt.Appendf(log, "END RequestId: %s\n", id)
	log = fmt.Appendf(log, "REPORT RequestId: %s\tDuration: %.2f ms\tBilled Duration: %d ms\t",
		id, millis(rep.Duration), rep.Billed.Milliseconds())
	if fn, err := a.Store.GetFunction(inv.Function, res.Version); err == nil { // else it was deleted meanwhile
		log = fmt.Appendf(log, "Memory Size: %d MB\t", fn.MemoryMB)
	}
	log = fmt.Appendf(log, "Max Memory Used: %d MB\t", (rep.Memory+1<<20-1)>>20)
	if rep.Init > 0 {
		name := "Init"
		if rep.Restored {
			name = "Restore" // as for functions with SnapStart
		}
		log = fmt.Appendf(log, "%s Duration: %.2f ms\t", name, millis(rep.Init))
	}
	return append(log, '\n')
}

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
