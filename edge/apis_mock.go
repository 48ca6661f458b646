package edge

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"ledge/edge/gateway"
	"ledge/persist"
)

// jsonType is the content type that templates are chosen by here: a mock is
// ready before there is a request.
const jsonType = "application/json"

// CheckTemplate reports what a mapping template needs that this node has not:
// templates are used as they are, so references and directives of the template
// language cannot stand in them
// (https://docs.aws.amazon.com/apigateway/latest/developerguide/models-mappings.html).
func CheckTemplate(template string) error {
	for i := 0; i+1 < len(template); i++ {
		next := template[i+1]
		word := 'a' <= next && next <= 'z' || 'A' <= next && next <= 'Z'
		switch {
		case template[i] == '$' && (word || next == '{' || next == '!'),
			template[i] == '#' && (word || next == '{' || next == '#' || next == '*' || next == '@'):
			return fmt.Errorf("the mapping template has %.40q at byte %d: this node uses templates as they are, without references and directives; use a fixed template, or a Lambda function with AWS_PROXY", template[i:], i)
		}
	}
	return nil
}

// plainStatus is the way that tools write a mock's request template, which is
// not always JSON.
var plainStatus = regexp.MustCompile(`^\s*\{\s*["']?statusCode["']?\s*:\s*["']?(\d{3})["']?\s*,?\s*\}\s*$`)

// MockStatus returns the status code that the request template of a mock
// integration chooses: {"statusCode": 200}.
func MockStatus(template string) (int, error) {
	var chosen struct {
		StatusCode json.Number `json:"statusCode"`
	}
	text := ""
	if found := plainStatus.FindStringSubmatch(template); found != nil {
		text = found[1]
	} else if err := json.Unmarshal([]byte(template), &chosen); err == nil {
		text = chosen.StatusCode.String()
	}
	status, err := strconv.Atoi(text)
	if err != nil || status < 100 || status > 599 {
		return 0, fmt.Errorf(`the request template %.100q of a mock integration names no status; write {"statusCode": 200}`, template)
	}
	return status, nil
}

// unanswerable is what API Gateway answers where an integration is not
// complete.
func unanswerable() *gateway.Mock {
	return &gateway.Mock{
		Status:  http.StatusInternalServerError,
		Headers: [][2]string{{"Content-Type", jsonType}},
		Body:    []byte(`{"message": "Internal server error"}`),
	}
}

// mockOf works a mock integration out: its request template chooses a status,
// the integration response whose pattern matches that status, or else the one
// without a pattern, gives headers and body. Where one of them is missing the
// answer is 500, as API Gateway's.
func mockOf(in *persist.APIIntegration) *gateway.Mock {
	wanted, err := MockStatus(in.RequestTemplates[jsonType])
	if err != nil {
		return unanswerable()
	}
	var response persist.APIIntegrationResponse
	status := 0
	for _, code := range slices.Sorted(maps.Keys(in.Responses)) {
		candidate := in.Responses[code]
		number, err := strconv.Atoi(code)
		if err != nil {
			continue
		}
		if candidate.SelectionPattern == "" {
			if status == 0 {
				status, response = number, candidate
			}
			continue
		}
		if pattern, err := regexp.Compile("^(?:" + candidate.SelectionPattern + ")$"); err == nil && pattern.MatchString(strconv.Itoa(wanted)) {
			status, response = number, candidate
			break
		}
	}
	if status == 0 {
		return unanswerable()
	}
	mock := &gateway.Mock{Status: status}
	contentType := jsonType
	if template, ok := response.Templates[jsonType]; ok {
		mock.Body = []byte(template)
	} else if types := slices.Sorted(maps.Keys(response.Templates)); len(types) > 0 {
		contentType = types[0]
		mock.Body = []byte(response.Templates[contentType])
	}
	for _, name := range slices.Sorted(maps.Keys(response.Parameters)) {
		header, isHeader := strings.CutPrefix(name, "method.response.header.")
		value, isStatic := StaticValue(response.Parameters[name])
		if !isHeader || !isStatic {
			continue // refused when it was put
		}
		if strings.EqualFold(header, "Content-Type") {
			contentType = value
			continue
		}
		mock.Headers = append(mock.Headers, [2]string{header, value})
	}
	mock.Headers = append(mock.Headers, [2]string{"Content-Type", contentType})
	return mock
}

// StaticValue returns the text of a mapping expression that is a static value
// in single quotes, as in 'GET,POST'.
func StaticValue(expression string) (value string, ok bool) {
	if len(expression) < 2 || expression[0] != '\'' || expression[len(expression)-1] != '\'' {
		return "", false
	}
	return expression[1 : len(expression)-1], true
}
