package awsapi

import "net/http"

// getVersion is GET /v1/version.
func (a *api) getVersion(w http.ResponseWriter, _ *http.Request) error {
	return writeJSON(w, http.StatusOK, a.Version)
}

// getHealth is GET /v1/health. A node with problems still serves, so it answers
// 200 and lists them.
func (a *api) getHealth(w http.ResponseWriter, _ *http.Request) error {
	reply := struct {
		Status   string // "ok" or "degraded"
		Problems []string
	}{Status: "ok", Problems: append([]string{}, a.Problems()...)}
	if len(reply.Problems) > 0 {
		reply.Status = "degraded"
	}
	return writeJSON(w, http.StatusOK, reply)
}
