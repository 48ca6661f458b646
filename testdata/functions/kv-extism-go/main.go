// Kv-extism-go counts what sensors send, in data that survives the function, its
// instances and power cuts. It is a Go program with the Extism PDK and with what Ledge
// offers beyond it, see ledge.go and ../ledge.h.
//
// What it shows:
//   - an atomic increment: many instances count the same sensor and lose nothing;
//   - a shared bucket, "readings", that other functions and `ledge kv` see too, and
//     that this one must be allowed to use;
//   - a transaction over two buckets: a reading is counted and stored, or, where it
//     came before, neither; so a sensor may send again what it got no answer for.
//
// It takes the body of a request as it is, hence the raw route:
//
//	GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -o kv.wasm .
//	ledge deploy kv kv.wasm --handler visit --allow-bucket readings \
//	    --route 'POST /kv' --payload raw --content-type application/json
//	curl -d '{"id":"7f3a","sensor":"hall","celsius":17.5}' localhost:8080/kv
//	ledge kv list --bucket readings
package main

import (
	"encoding/json"
	"fmt"

	"github.com/extism/go-pdk"
)

const (
	readings   = "readings" // the shared bucket
	remembered = 24 * 3600  // seconds for which a reading is known by its ID
)

type reading struct {
	ID      string  `json:"id"` // the same when a sensor sends it again
	Sensor  string  `json:"sensor"`
	Celsius float64 `json:"celsius"`
}

type output struct {
	Sensor  string   `json:"sensor"`
	Visits  int64    `json:"visits"` // of the sensor, those that came again too
	New     bool     `json:"new"`
	Sensors []string `json:"sensors"` // all that are known
}

//go:wasmexport visit
func visit() int32 {
	out, err := count(pdk.Input())
	if err == nil {
		err = pdk.OutputJSON(out)
	}
	if err != nil {
		pdk.SetError(err)
		return 1
	}
	return 0
}

func count(event []byte) (out output, err error) {
	var in reading
	if err := json.Unmarshal(event, &in); err != nil || in.Sensor == "" || in.ID == "" {
		return out, fmt.Errorf(`the input is not {"id": string, "sensor": string, "celsius": number}`)
	}
	out.Sensor = in.Sensor
	if out.Visits, err = increment("", "visits/"+in.Sensor, 1); err != nil {
		return out, err
	}
	text, err := json.Marshal(in)
	if err != nil {
		return out, err
	}
	if out.New, err = transact(
		write{Put: "seen/" + in.ID, Value: in.Sensor, TTL: remembered, IfAbsent: true},
		write{Bucket: readings, Put: "last/" + in.Sensor, Value: string(text)},
		write{Bucket: readings, Increment: "total"},
	); err != nil {
		return out, err
	}
	out.Sensors, err = list(readings, "last/")
	return out, err
}

// A reactor's main is never called, but the compiler asks for it.
func main() {}
