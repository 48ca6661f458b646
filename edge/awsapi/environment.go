package awsapi

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"ledge/engine"
)

// maxEnvironment bounds a function's variables, in bytes of JSON, as AWS Lambda
// measures them
// (https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html).
const maxEnvironment = 4 << 10

// checkEnvironment refuses variables that a function cannot have. The names are
// for the engine to check. Unlike AWS's, the message about the size has no
// values in it: they may be secrets, and errors are written to logs.
func checkEnvironment(variables map[string]string) error {
	const unable = "Lambda was unable to configure your environment variables because the environment variables you have provided "
	var reserved []string
	for _, name := range slices.Sorted(maps.Keys(variables)) {
		if engine.ReservedEnv(name) {
			reserved = append(reserved, name)
		}
	}
	if len(reserved) > 0 {
		return invalid(unable + "contains reserved keys that are currently not supported for modification. Reserved keys used in this request: " +
			strings.Join(reserved, ", "))
	}
	text, err := json.Marshal(variables)
	if err != nil {
		return fmt.Errorf("measure environment: %w", err)
	}
	if len(variables) > 0 && len(text) > maxEnvironment {
		return invalid(fmt.Sprintf("%sexceeded the 4KB limit. String measured: %d bytes of JSON", unable, len(text)))
	}
	return nil
}
