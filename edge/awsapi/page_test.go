package awsapi_test

import (
	"flag"
	"os"
	"slices"
	"strings"
	"testing"

	"ledge/edge/awsapi"
	"ledge/edge/awsapi/apigateway"
	"ledge/edge/awsapi/schedules"
)

var update = flag.Bool("update", false, "write the tables into OPERATIONS.md")

// TestOperationsPage: the documentation's tables are those of the code.
func TestOperationsPage(t *testing.T) {
	const page, begin, end = "OPERATIONS.md", "<!-- tables -->\n", "<!-- /tables -->"
	table := awsapi.Table(slices.Concat(apigateway.Operations(apigateway.Config{}), schedules.Operations(schedules.Config{})))
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(text), begin)
	found, tail, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no place for the tables", page)
	}
	if found == table {
		return
	}
	if !*update {
		t.Fatalf("%s is not what the code does; run: go test ./edge/awsapi -run OperationsPage -update", page)
	}
	if err := os.WriteFile(page, []byte(head+begin+table+end+tail), 0o644); err != nil {
		t.Fatal(err)
	}
}
