package firmware_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"
)

// kills is how often a test kills the node: as often as make soak says, or so often.
func kills(t *testing.T, usual int) int {
	t.Helper()
	if text := os.Getenv("LEDGE_SOAK_KILLS"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal("LEDGE_SOAK_KILLS: ", err)
		}
		return n
	}
	return usual
}

// Killed at any moment of a deploy the node comes back with every deploy that it
// acknowledged, and with each function whole: the old one or the new one.
func TestKillDuringDeploys(t *testing.T) {
	rounds := kills(t, 25)
	data := t.TempDir()
	modules := []string{"echo", "hello", "echo-raw", "hello-c-reactor"}
	acknowledged := map[string]string{} // function -> CodeSha256
	random := rand.New(rand.NewPCG(1, uint64(rounds)))
	var pending string
	for round := range rounds {
		n := start(t, data)
		listed := n.functions()
		for name, sha := range acknowledged {
			if listed[name] != sha && name != pending {
				t.Fatalf("round %d: %s was acknowledged as %s and is %q", round, name, sha, listed[name])
			}
			if _, bad, err := n.ledge("invoke", name, "--payload", "{}"); err != nil {
				t.Fatalf("round %d: %s does not run: %s\n%s", round, name, bad, n.log)
			}
		}
		if pending != "" && listed[pending] != "" {
			acknowledged[pending] = listed[pending]
		}
		pending = ""
		timer := time.AfterFunc(time.Duration(random.IntN(120))*time.Millisecond, func() { _ = n.cmd.Process.Kill() })
		for i := 0; ; i++ {
			name := fmt.Sprintf("f%d", random.IntN(6))
			pending = name
			out, _, err := n.ledge("deploy", name, module(modules[random.IntN(len(modules))]), "--json", "--route", "ANY /"+name)
			if err != nil {
				break
			}
			var reply struct {
				Function struct{ CodeSha256 string }
			}
			if err := json.Unmarshal([]byte(out), &reply); err != nil || reply.Function.CodeSha256 == "" {
				t.Fatalf("reply of a deploy: %v\n%s", err, out)
			}
			acknowledged[name] = reply.Function.CodeSha256
			pending = ""
		}
		timer.Stop()
		n.kill()
	}
}
