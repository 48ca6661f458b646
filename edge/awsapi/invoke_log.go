package awsapi

import (
	"fmt"
	"net/http"
	"time"

	"ledge/engine"
)

func wantsTail(r *http.Request) (bool, error) {
	kind := r.Header.Get("X-Amz-Log-Type")
	if kind == "" {
		return false, nil
	}
	var bad violations
	bad.OneOf(kind, "logType", "None", "Tail")
	return kind == "Tail", bad.Err()
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
