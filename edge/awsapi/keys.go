package awsapi

import (
	"net/http"
	"time"

	"ledge/edge/awsapi/identity"
	"ledge/edge/awsapi/restjson"
)

// keyOperations are those for the node's keys and its audit log.
func (a *api) keyOperations() []restjson.Operation {
	const secret = "the reply has a secret, so only over TLS or from the node itself"
	return []restjson.Operation{
		nodeOp("CreateKey", "POST /v1/keys", restjson.Admin, a.createKey, secret),
		nodeOp("RotateKey", "POST /v1/keys/{id}/rotate", restjson.Admin, a.rotateKey, secret),
		nodeOp("ListKeys", "GET /v1/keys", restjson.Admin, a.listKeys, ""),
		nodeOp("GetKey", "GET /v1/keys/{id}", restjson.Admin, a.getKey, ""),
		nodeOp("UpdateKey", "PATCH /v1/keys/{id}", restjson.Admin, a.updateKey, ""),
		nodeOp("DeleteKey", "DELETE /v1/keys/{id}", restjson.Admin, a.deleteKey, ""),
		nodeOp("ReadAudit", "GET /v1/audit", restjson.Admin, a.readAudit, ""),
	}
}

// key is a key in replies.
type key struct {
	Id        string
	Name      string
	Arn       string
	Access    string
	Functions []string `json:",omitempty"` // none: all
	Created   time.Time
	Expires   time.Time `json:",omitzero"`
	LastUsed  time.Time `json:",omitzero"`
	Disabled  bool
	HasSecret bool
	HasToken  bool
	Problem   string `json:",omitempty"`

	// Only where they were just made.
	SecretAccessKey string `json:",omitempty"`
	Token           string `json:",omitempty"`
}

func shownKey(i identity.Info) key {
	return key{
		Id: i.ID, Name: i.Name, Arn: i.ARN, Access: string(i.Access), Functions: i.Functions,
		Created: i.Created, Expires: i.Expires, LastUsed: i.LastUsed, Disabled: i.Disabled,
		HasSecret: i.HasSecret, HasToken: i.HasToken, Problem: i.Problem,
	}
}

func issuedKey(i identity.Issued) key {
	k := shownKey(i.Info)
	k.SecretAccessKey, k.Token = i.SecretAccessKey, i.Token
	return k
}

// keyring returns the node's keys, or says that there are none.
func (a *api) keyring() (*identity.Keyring, error) {
	if a.Keys == nil {
		return nil, restjson.NotImplemented("this control plane was started without keys")
	}
	return a.Keys, nil
}

// mayReveal refuses to send a new secret where others on the network can read it.
// It comes before the secret is made: rotating would otherwise stop a key for
// nothing.
func mayReveal(r *http.Request) error {
	if request := identity.FromHTTP(r); request.Private() {
		return nil
	}
	return &fault{Status: http.StatusForbidden, Code: restjson.CodeDenied,
		Message: "A new secret is sent over TLS or to the node itself only, because others on the network can read this connection. " +
			"Run this on the node, through ssh, or use https."}
}

// createKey is POST /v1/keys. Token makes a bearer token instead of a secret;
// both are made where Secret is true too.
func (a *api) createKey(w http.ResponseWriter, r *http.Request) error {
	var req struct {
		Name      string
		Access    string
		Functions []string
		Expires   time.Time
		Secret    *bool
		Token     bool
	}
	keys, err := a.keyring()
	if err == nil {
		err = mayReveal(r)
	}
	if err == nil {
		err = restjson.ReadJSON(r, &req)
	}
	if err != nil {
		return err
	}
	order := identity.Order{
		Name: req.Name, Access: identity.Access(req.Access), Functions: req.Functions, Expires: req.Expires,
		Token: req.Token, Secret: !req.Token,
	}
	set(&order.Secret, req.Secret)
	if order.Access == "" {
		order.Access = identity.Deploy
	}
	issued, err := keys.Create(order)
	if err != nil {
		return err
	}
	restjson.About(r.Context(), issued.ID)
	return restjson.WriteJSON(w, http.StatusCreated, issuedKey(issued))
}

func (a *api) listKeys(w http.ResponseWriter, _ *http.Request) error {
	keys, err := a.keyring()
	if err != nil {
		return err
	}
	reply := struct{ Keys []key }{[]key{}}
	for _, info := range keys.List() {
		reply.Keys = append(reply.Keys, shownKey(info))
	}
	return restjson.WriteJSON(w, http.StatusOK, reply)
}

func (a *api) getKey(w http.ResponseWriter, r *http.Request) error {
	keys, err := a.keyring()
	if err != nil {
		return err
	}
	info, err := keys.Get(r.PathValue("id"))
	if err != nil {
		return err
	}
	return restjson.WriteJSON(w, http.StatusOK, shownKey(info))
}

// updateKey is PATCH /v1/keys/{id}. Members that are missing stay as they are.
func (a *api) updateKey(w http.ResponseWriter, r *http.Request) error {
	var req struct {
		Name      *string
		Disabled  *bool
		Access    *identity.Access
		Functions *[]string
		Expires   *time.Time
	}
	restjson.About(r.Context(), r.PathValue("id"))
	keys, err := a.keyring()
	if err == nil {
		err = restjson.ReadJSON(r, &req)
	}
	if err != nil {
		return err
	}
	info, err := keys.Update(r.PathValue("id"), identity.Change(req))
	if err != nil {
		return err
	}
	return restjson.WriteJSON(w, http.StatusOK, shownKey(info))
}

func (a *api) deleteKey(w http.ResponseWriter, r *http.Request) error {
	restjson.About(r.Context(), r.PathValue("id"))
	keys, err := a.keyring()
	if err == nil {
		err = keys.Delete(r.PathValue("id"))
	}
	if err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// rotateKey is POST /v1/keys/{id}/rotate: what the key had stops working.
func (a *api) rotateKey(w http.ResponseWriter, r *http.Request) error {
	restjson.About(r.Context(), r.PathValue("id"))
	keys, err := a.keyring()
	if err == nil {
		err = mayReveal(r)
	}
	if err != nil {
		return err
	}
	issued, err := keys.Rotate(r.PathValue("id"))
	if err != nil {
		return err
	}
	return restjson.WriteJSON(w, http.StatusOK, issuedKey(issued))
}
