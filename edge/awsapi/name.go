package awsapi

import (
	"net/http"
	"regexp"
	"strconv"

	"ledge/engine"
)

const accountID = engine.AccountID

// namePattern is AWS Lambda's for the parameter FunctionName: a name, a partial
// ARN (123456789012:function:name) or a full one, each with or without a
// qualifier (https://docs.aws.amazon.com/lambda/latest/api/API_GetFunction.html).
var namePattern = regexp.MustCompile(`^(?:arn:(?:aws[a-zA-Z-]*):lambda:)?(?:[a-z]{2}(?:-[a-z]+)+-[0-9]:)?(?:[0-9]{12}:)?(?:function:)?([a-zA-Z0-9-_]{1,64})(?::(\$LATEST|[a-zA-Z0-9-_]{1,128}))?$`)

var (
	qualifierPattern = regexp.MustCompile(`^(\$LATEST|[a-zA-Z0-9-_]{1,128})$`)
	numberPattern    = regexp.MustCompile(`^[0-9]+$`)
)

// maxName is the length of the longest ARN that Lambda takes.
const maxName = 170 + 128

// parseName splits what may stand for a function into name and qualifier. The
// error is a *fault.
func parseName(text string) (name, qualifier string, err error) {
	if len(text) <= maxName {
		if found := namePattern.FindStringSubmatch(text); found != nil {
			return found[1], found[2], nil
		}
	}
	var bad violations
	bad.Length(text, "functionName", 1, maxName)
	if len(bad) == 0 {
		bad.Add(text, "functionName", "Member must satisfy regular expression pattern: "+shownNamePattern)
	}
	return "", "", bad.Err()
}

// shownNamePattern is namePattern as AWS's messages have it.
const shownNamePattern = `(arn:(aws[a-zA-Z-]*)?:lambda:)?([a-z]{2}(-gov)?-[a-z]+-\d{1}:)?(\d{12}:)?(function:)?([a-zA-Z0-9-_]+)(:(\$LATEST|[a-zA-Z0-9-_]+))?`

// function returns the name and qualifier that a request is about: of the path,
// and of the parameter Qualifier, which must not contradict it.
func function(r *http.Request) (name, qualifier string, err error) {
	name, qualifier, err = parseName(r.PathValue("name"))
	if err != nil {
		return "", "", err
	}
	given := r.URL.Query().Get("Qualifier")
	switch {
	case given == "":
		return name, qualifier, nil
	case !qualifierPattern.MatchString(given):
		var bad violations
		bad.Matches(given, "qualifier", qualifierPattern)
		return "", "", bad.Err()
	case qualifier != "" && qualifier != given:
		return "", "", invalid("The derived qualifier from the function name does not match the specified qualifier.")
	}
	return name, given, nil
}

// unqualified is function for operations on the whole function: they refuse a
// qualifier other than $LATEST.
func unqualified(r *http.Request) (name string, err error) {
	name, qualifier, err := function(r)
	if err != nil {
		return "", err
	}
	if qualifier != "" && qualifier != "$LATEST" {
		return "", invalid("This operation is permitted on Lambda functions only. Aliases and versions do not support this operation. Please specify either a function name or an unqualified function ARN.")
	}
	return name, nil
}

// layerArn returns the ARN of a layer, or of one of its versions where version
// is not 0.
func (a *api) layerArn(name string, version uint64) string {
	arn := "arn:aws:lambda:" + a.Region + ":" + accountID + ":layer:" + name
	if version > 0 {
		arn += ":" + strconv.FormatUint(version, 10)
	}
	return arn
}

// mappingArn returns the ARN of an event source mapping.
func (a *api) mappingArn(id string) string {
	return "arn:aws:lambda:" + a.Region + ":" + accountID + ":event-source-mapping:" + id
}

// arn is engine.FunctionARN in the node's region.
func (a *api) arn(name, qualifier string) string {
	return engine.FunctionARN(a.Region, name, qualifier)
}
