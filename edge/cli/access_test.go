package cli

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

const aKey = `{"Id":"LDGEAAAAAAAAAAAAAAAA","Name":"laptop","Access":"deploy","Functions":["shop-*"],` +
	`"Created":"2026-11-20T10:00:00Z","SecretAccessKey":"s'$(x)","Extra":1}`

func TestKeysCreate(t *testing.T) {
	n := newNode(t, map[string]http.HandlerFunc{
		"POST /v1/keys":   reply(201, aKey),
		"GET /v1/version": reply(200, `{"Control":"127.0.0.1:9100"}`),
		"POST /v1/keys/LDGEAAAAAAAAAAAAAAAA/rotate": reply(200, `{"Id":"LDGEAAAAAAAAAAAAAAAA","Name":"laptop","Access":"admin","Token":"ledge_a_b"}`),
		"POST /v1/keys/nobody/rotate":               failure(404, awsNotFound, "no"),
	})
	n.run("keys", "create", "laptop", "--function", "shop-*").want(t, 0, `name:         laptop
id:           LDGEAAAAAAAAAAAAAAAA
access:       deploy on shop-*
secret:       s'$(x)
endpoint:     http://127.0.0.1:9100
`, "The node does not show this again: keep it where secrets are kept.\n")
	if got := n.only("POST /v1/keys").Body; got != `{"Name":"laptop","Access":"deploy","Functions":["shop-*"]}` {
		t.Errorf("sent %s", got)
	}
	// A shell is about to run this: what a node sends must stay a word.
	n.run("keys", "create", "laptop", "--env").want(t, 0, `export AWS_ACCESS_KEY_ID=LDGEAAAAAAAAAAAAAAAA
export AWS_SECRET_ACCESS_KEY='s'\''$(x)'
unset AWS_SESSION_TOKEN AWS_PROFILE
export AWS_ENDPOINT_URL=http://127.0.0.1:9100
export AWS_REGION=us-east-1
export AWS_DEFAULT_REGION=us-east-1
`, "")
	n.run("keys", "rotate", "LDGEAAAAAAAAAAAAAAAA", "--env").want(t, 0,
		"export LEDGE_TOKEN=ledge_a_b\nexport LEDGE_ENDPOINT=http://127.0.0.1:9100\n", "")
	n.run("keys", "rotate", "nobody").want(t, 1, "", "ledge: no key \"nobody\"\n  see which there are: ledge keys ls\n")
	if o := n.run("keys", "create", "laptop", "--json"); !strings.Contains(o.stdout, `"Extra": 1`) || o.stderr != "" {
		t.Errorf("the node's members are not passed on: %s%s", o.stdout, o.stderr)
	}
	n.run("keys", "create", "x", "--access", "admin", "--expires", "1.5d", "--token").want(t, 0, "*", "*")
	last := n.calls()[len(n.calls())-2].Body // the address of the node is asked for afterwards
	if !strings.Contains(last, `"Expires":"20`) || !strings.Contains(last, `"Token":true`) {
		t.Errorf("sent %s", last)
	}
	for _, bad := range [][]string{{"--access", "all"}, {"--expires", "soon"}, {"--expires", "0d"}, {"--expires", "0s"}, {"--expires", "99999d"}} {
		if o := n.run(append([]string{"keys", "create", "x"}, bad...)...); o.exit != 2 {
			t.Errorf("%q: exit %d: %s", bad, o.exit, o.stderr)
		}
	}
}

// A new secret does not travel where others can read it.
func TestKeysOverAnOpenConnection(t *testing.T) {
	for _, args := range [][]string{{"create", "x"}, {"rotate", "x"}} {
		o := commandLine{args: append([]string{"keys", "--endpoint", "http://192.0.2.1:9000"}, args...)}.run(t)
		o.want(t, 1, "", "ledge: the new secret would come from http://192.0.2.1:9000 unencrypted, where anybody on the way can read and use it\n"+
			"  run this on the node, through ssh; or use an https:// endpoint\n")
	}
}

func TestKeyThatExists(t *testing.T) {
	n := newNode(t, map[string]http.HandlerFunc{"POST /v1/keys": failure(409, awsConflict, `There is an access key \"laptop\" already. Choose another name, or rotate that one.`)})
	n.run("keys", "create", "laptop").want(t, 1, "",
		"ledge: there is a key \"laptop\" already\n  choose another name; or give that one a new secret: ledge keys rotate laptop\n")
}

func TestTooManyKeys(t *testing.T) {
	n := newNode(t, map[string]http.HandlerFunc{"POST /v1/keys": failure(409, awsConflict, "The node has 1000 access keys already.")})
	n.run("keys", "create", "laptop").want(t, 1, "", "ledge: The node has 1000 access keys already\n  see which there are: ledge keys ls\n")
}

func TestKeysWithoutASecret(t *testing.T) {
	n := newNode(t, map[string]http.HandlerFunc{"POST /v1/keys": reply(201, `{"Id":"X"}`)})
	if o := n.run("keys", "create", "x", "--env"); o.exit != 1 || o.stdout != "" || !strings.Contains(o.stderr, "no secret in it") {
		t.Errorf("exit %d: %s%s", o.exit, o.stdout, o.stderr)
	}
}

func TestKeysList(t *testing.T) {
	n := newNode(t, map[string]http.HandlerFunc{
		"GET /v1/keys": reply(200, `{"Keys":[
			{"Id":"A","Name":"root\u001b[2J","Access":"admin","Created":"2026-11-20T10:00:00Z","LastUsed":"2026-11-23T09:14:00Z"},
			{"Id":"B","Name":"off","Access":"read","Disabled":true,"Created":"2026-11-21T10:00:00Z","LastUsed":"0001-01-01T00:00:00Z"},
			{"Id":"C","Name":"old","Access":"invoke","Functions":["a","b-*"],"Expires":"2001-01-01T00:00:00Z"}]}`),
		"PATCH /v1/keys/B":  reply(200, `{}`),
		"PATCH /v1/keys/A":  reply(200, `{}`),
		"DELETE /v1/keys/A": failure(409, awsConflict, "it is the last key that may do everything."),
		"DELETE /v1/keys/B": reply(204, ""),
	})
	n.run("keys", "ls").want(t, 0, ``+
		"ID  NAME         ACCESS            STATE     CREATED     EXPIRES     LAST USED\n"+
		"A   root\\x1b[2J  admin             active    2026-11-20  -           2026-11-23T09:14Z\n"+
		"B   off          read              disabled  2026-11-21  -           -\n"+
		"C   old          invoke on a, b-*  expired   -           2001-01-01  -\n", "")
	n.run("keys", "enable", "B").want(t, 0, "enabled B\n", "")
	if got := n.only("PATCH /v1/keys/B").Body; got != `{"Disabled":false}` {
		t.Errorf("sent %s", got)
	}
	n.run("keys", "disable", "A").want(t, 0, "disabled A\n", "")
	n.run("keys", "rm", "B", "A").want(t, 1, "removed B\n", "ledge: it is the last key that may do everything\n")
	commandLine{args: []string{"__complete", "--data", n.data, "keys", "rm", "A", ""}}.run(t).want(t, 0, "B\nC\n:4\n", "*")
	commandLine{args: []string{"__complete", "--data", n.data, "keys", "rotate", "A", ""}}.run(t).want(t, 0, ":4\n", "*")
}

// auditLog answers /v1/audit with n records, one for each second.
func auditLog(n int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var after, limit int
		_, _ = fmt.Sscan(r.URL.Query().Get("after"), &after)
		_, _ = fmt.Sscan(r.URL.Query().Get("limit"), &limit)
		var records []string
		for i := after + 1; i <= min(n, after+limit); i++ {
			outcome := `"Outcome":"ok","Status":200`
			switch i {
			case n:
				outcome = `"Outcome":""`
			case n - 1:
				outcome = `"Outcome":"failed","Status":404,"Error":"ResourceNotFoundException"`
			}
			records = append(records, fmt.Sprintf(`{"Seq":%d,"At":"2026-11-23T10:%02d:%02dZ","Caller":"A","KeyName":"laptop","Peer":"10.0.0.7","Service":"lambda","Operation":"DeleteFunction","Resource":"f%d",%s}`,
				i, i/60%60, i%60, i, outcome))
		}
		reply(200, `{"Records":[`+strings.Join(records, ",")+`]}`)(w, r)
	}
}

func TestAudit(t *testing.T) {
	run := func(records int, args ...string) outcome {
		endpoint, _ := remote(t, auditLog(records))
		return commandLine{args: append([]string{"audit", "--endpoint", endpoint}, args...)}.run(t)
	}
	const last = "" +
		"AT                    WHO     FROM      OPERATION              OF     OUTCOME\n" +
		"2026-11-23T10:19:58Z  laptop  10.0.0.7  lambda:DeleteFunction  f1198  ok\n" +
		"2026-11-23T10:19:59Z  laptop  10.0.0.7  lambda:DeleteFunction  f1199  failed 404: ResourceNotFoundException\n" +
		"2026-11-23T10:20:00Z  laptop  10.0.0.7  lambda:DeleteFunction  f1200  unfinished\n"
	run(1200, "-n", "3").want(t, 0, last, "")
	run(1200, "--since", "2026-11-23T10:19:58Z").want(t, 0, last, "")
	if o := run(1200, "-n", "0", "--json"); strings.Count(o.stdout, "\n") != 1200 {
		t.Errorf("%d lines", strings.Count(o.stdout, "\n"))
	}
	if o := run(1200); strings.Count(o.stdout, "\n") != 51 {
		t.Errorf("%d lines", strings.Count(o.stdout, "\n"))
	}
	run(0).want(t, 0, "", "nothing was changed\n")
	for _, bad := range [][]string{{"--since", "yesterday"}, {"-n", "-1"}} {
		if o := run(1, bad...); o.exit != 2 {
			t.Errorf("%q: exit %d", bad, o.exit)
		}
	}
}
