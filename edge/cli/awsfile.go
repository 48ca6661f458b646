package cli

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

const (
	maxAWSFileBytes = 1 << 20
	maxAWSFileLines = 20_000
)

// awsFileError says what is wrong with which line of a shared file. It never
// quotes the line: secrets are in there.
type awsFileError struct {
	Line int
	Why  string
}

func (e *awsFileError) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Why) }

// parseAWSFile reads one of the files that AWS's tools share, as
// https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html has it:
// sections in brackets, "name = value" lines, comments that begin with # or ;.
// It returns the settings of each section by the section's heading, "default" or
// "profile edge". A heading that comes again adds to its section, and a name that
// comes again replaces its value, as for AWS's tools. Names are in lower case.
//
// Lines that are indented belong to the setting before them, which may hold
// settings of its own there ("s3 ="). None of those matters here, so they are
// left out.
func parseAWSFile(text string) (map[string]map[string]string, error) {
	if len(text) > maxAWSFileBytes {
		return nil, &awsFileError{1, "the file is larger than " + formatSize(maxAWSFileBytes)}
	}
	if !utf8.ValidString(text) {
		return nil, &awsFileError{1, "the file is not UTF-8 text"}
	}
	sections := make(map[string]map[string]string)
	var current map[string]string
	number := 0
	for line := range strings.SplitSeq(strings.TrimPrefix(text, "\ufeff"), "\n") {
		number++
		if number > maxAWSFileLines {
			return nil, &awsFileError{number, fmt.Sprintf("more than %d lines", maxAWSFileLines)}
		}
		line = strings.TrimRight(line, " \t\r")
		switch {
		case line == "", line[0] == '#', line[0] == ';':
		case line[0] == '[':
			heading, why := sectionHeading(line)
			if why != "" {
				return nil, &awsFileError{number, why}
			}
			if sections[heading] == nil {
				sections[heading] = make(map[string]string)
			}
			current = sections[heading]
		case line[0] == ' ' || line[0] == '\t':
			// More of the setting before, or a comment that is indented.
		default:
			name, value, found := strings.Cut(line, "=")
			name = strings.ToLower(strings.TrimSpace(name))
			switch {
			case !found:
				return nil, &awsFileError{number, `this is neither "[section]" nor "name = value"`}
			case name == "":
				return nil, &awsFileError{number, "there is no name before the ="}
			case current == nil:
				return nil, &awsFileError{number, "a setting must come after a [section]"}
			}
			current[name] = withoutComment(strings.TrimSpace(value))
		}
	}
	return sections, nil
}

// sectionHeading reads "[ profile  edge ] # comment" as "profile edge".
func sectionHeading(line string) (heading, why string) {
	inside, rest, closed := strings.Cut(line[1:], "]")
	if !closed {
		return "", "the ] of a section is missing"
	}
	rest = strings.TrimSpace(rest)
	if rest != "" && rest[0] != '#' && rest[0] != ';' {
		return "", "there is something behind the ] of a section"
	}
	heading = strings.Join(strings.Fields(inside), " ")
	if heading == "" {
		return "", "a section needs a name"
	}
	return heading, ""
}

// withoutComment leaves out a comment at the end of a value, which begins behind
// a space.
func withoutComment(value string) string {
	for i := 1; i < len(value); i++ {
		if (value[i] == '#' || value[i] == ';') && (value[i-1] == ' ' || value[i-1] == '\t') {
			return strings.TrimSpace(value[:i])
		}
	}
	return value
}
