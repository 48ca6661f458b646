package awsapi

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"ledge/edge/awsapi/restjson"
	"ledge/persist"
)

// AuditLog is the part of persist.Store that keeps what was changed, and by
// whom.
type AuditLog interface {
	// BeginAudit returns the record's number when it is on disk.
	BeginAudit(persist.AuditRecord) (seq uint64, err error)
	EndAudit(seq uint64, end persist.AuditEnd) error
	ReadAudit(persist.AuditQuery) (records []persist.AuditRecord, more bool, err error)
}

var _ AuditLog = (*persist.Store)(nil)

// beginAudit notes a change before it is tried: what is not on record does not
// happen. A record that never gets an outcome is of a change during which the
// node stopped.
func (a *api) beginAudit(w http.ResponseWriter, r *http.Request, op *restjson.Operation, who admitted, resource string) (uint64, error) {
	if a.Audit == nil {
		return 0, nil
	}
	seq, err := a.Audit.BeginAudit(persist.AuditRecord{
		At:     a.Now(),
		Caller: who.keyID, KeyName: who.name, Peer: strings.TrimPrefix(r.RemoteAddr, "@"), // "@" is a socket without a name
		Service: op.Service, Operation: op.Name, Resource: resource,
		RequestID: w.Header().Get(requestIDHeader),
	})
	if err != nil {
		return 0, fmt.Errorf("write the audit log: %w", err)
	}
	return seq, nil
}

// endAudit notes how a change ended. Where it cannot, the node says so in its
// log: the change has happened.
func (a *api) endAudit(r *http.Request, seq uint64, failure error) {
	if a.Audit == nil {
		return
	}
	end := persist.AuditEnd{Outcome: "succeeded", Status: http.StatusOK, Resource: restjson.ResourceOf(r.Context()), At: a.Now()}
	if failure != nil {
		f := faultOf(failure)
		end.Outcome, end.Status, end.Error = "failed", f.Status, f.Error()
	}
	if err := a.Audit.EndAudit(seq, end); err != nil {
		a.Log.Error("the audit log lacks an outcome", "record", seq, "outcome", end.Outcome, "error", err)
	}
}

// auditRecord is persist.AuditRecord as a client sees it.
type auditRecord struct {
	Seq       uint64
	At        time.Time
	Caller    string `json:",omitempty"` // access key ID; none: the node's socket
	KeyName   string
	Peer      string `json:",omitempty"`
	Service   string
	Operation string
	Resource  string    `json:",omitempty"`
	RequestID string    `json:",omitempty"`
	Outcome   string    // "succeeded", "failed"; "" while it runs, or where the node stopped meanwhile
	Status    int       `json:",omitempty"`
	Error     string    `json:",omitempty"`
	Done      time.Time `json:",omitzero"`
}

// maxAuditPage is the largest limit of readAudit.
const maxAuditPage = 1000

// readAudit is GET /v1/audit?after=SEQ&limit=N: the records after a number,
// oldest first; or, with newest=1, the newest ones, newest first.
func (a *api) readAudit(w http.ResponseWriter, r *http.Request) error {
	limit, err := restjson.Number(r, "limit", 100, maxAuditPage)
	if err != nil {
		return err
	}
	q := persist.AuditQuery{Limit: limit, OldestFirst: r.URL.Query().Get("newest") != "1"}
	if text := r.URL.Query().Get("after"); text != "" {
		if q.After, err = strconv.ParseUint(text, 10, 64); err != nil {
			return invalid(fmt.Sprintf("after must be the number of a record, not %.40q", text))
		}
	}
	reply := struct {
		Records []auditRecord
		More    bool
	}{Records: []auditRecord{}}
	if a.Audit != nil {
		var records []persist.AuditRecord
		if records, reply.More, err = a.Audit.ReadAudit(q); err != nil {
			return err
		}
		for _, rec := range records {
			reply.Records = append(reply.Records, auditRecord(rec))
		}
	}
	return restjson.WriteJSON(w, http.StatusOK, reply)
}
