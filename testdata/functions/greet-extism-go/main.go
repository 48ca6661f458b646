// Greet-extism-go is a reactor: a Go program that stays in memory and whose
// exported function is called for each event. It is written with the Extism
// PDK for Go, so every Extism host runs it, not only Ledge.
//
// What it shows:
//   - an export is a handler; a module may have several;
//   - work that is done once: init has run before the first event, and at Ledge
//     its result is part of the Snapshot that new instances start from;
//   - variables (pdk.GetVar, pdk.SetVar), which outlive instances and restarts:
//     they are the function's own keys in the node's store;
//   - configuration, which at Ledge is the function's environment variables;
//   - logs, and errors that the caller sees.
//
// It takes the body of a request as it is, hence the raw route:
//
//	GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -o greet.wasm .
//	ledge deploy greet greet.wasm --handler greet --env GREETING=Hi \
//	    --route 'POST /greet' --payload raw --content-type application/json
//	curl -d '{"name":"Ada"}' localhost:8080/greet
package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/extism/go-pdk"
)

// honorifics stands for whatever is costly to load: a table, a model, a parsed
// template. A reactor pays for it once.
var honorifics map[string]string

func init() {
	honorifics = make(map[string]string)
	for line := range strings.Lines("lovelace Countess\nhopper Rear Admiral\nhamilton Director\n") {
		name, title, _ := strings.Cut(strings.TrimSpace(line), " ")
		honorifics[name] = title
	}
}

// callsKey names the variable that counts the calls.
const callsKey = "calls"

type input struct {
	Name string `json:"name"`
}

type output struct {
	Greeting string `json:"greeting"`
	Calls    int    `json:"calls"`
}

// greet answers one event. Zero says that it went well; with any other number
// the invocation fails, with the error that was set.
//
//go:wasmexport greet
func greet() int32 {
	in := input{Name: "world"}
	if event := pdk.Input(); len(event) > 0 {
		if err := json.Unmarshal(event, &in); err != nil {
			pdk.SetError(fmt.Errorf("the input is not {\"name\": string}: %w", err))
			return 1
		}
	}
	if title, known := honorifics[strings.ToLower(in.Name)]; known {
		in.Name = title + " " + in.Name
	}
	word, set := pdk.GetConfig("GREETING")
	if !set {
		word = "Hello"
	}

	// Two instances may do this at the same moment and lose a call between
	// them: the PDK has no compare-and-set. Do not count money like this.
	calls := pdk.GetVarInt(callsKey) + 1
	pdk.SetVarInt(callsKey, calls)

	pdk.Log(pdk.LogInfo, fmt.Sprintf("call %d: greeting %q", calls, in.Name))
	if err := pdk.OutputJSON(output{Greeting: word + ", " + in.Name + "!", Calls: calls}); err != nil {
		pdk.SetError(fmt.Errorf("write the output: %w", err))
		return 1
	}
	return 0
}

// A reactor's main is never called, but the compiler asks for it.
func main() {}
