package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// profile is a named node, or a named account of AWS, in the files that AWS's
// tools share (https://docs.aws.amazon.com/sdkref/latest/guide/file-location.html).
// So one profile serves the AWS CLI and this command.
type profile struct {
	name     string
	endpoint string // endpoint_url; empty: none
	region   string // empty: none
	keyID    string // empty: none
	secret   string
	token    string // aws_session_token, which a node's own keys have not
	otherWay string // how the profile gets credentials where it has no keys: "role_arn"
}

// awsFiles are both shared files, read and parsed.
type awsFiles struct {
	configPath, credentialsPath string
	config, credentials         map[string]map[string]string
}

// readAWSFiles reads the shared files; one that does not exist is empty.
func readAWSFiles(getenv func(string) string) (f awsFiles, err error) {
	f.configPath = awsFilePath(getenv, "AWS_CONFIG_FILE", "config")
	f.credentialsPath = awsFilePath(getenv, "AWS_SHARED_CREDENTIALS_FILE", "credentials")
	if f.config, err = readAWSFile(f.configPath); err != nil {
		return f, err
	}
	f.credentials, err = readAWSFile(f.credentialsPath)
	return f, err
}

// awsFilePath returns "" where there is no home folder to look in.
func awsFilePath(getenv func(string) string, variable, name string) string {
	home := getenv("HOME")
	path := getenv(variable)
	switch rest, inHome := strings.CutPrefix(path, "~/"); {
	case inHome && home != "":
		return filepath.Join(home, rest)
	case path != "":
		return path
	case home != "":
		return filepath.Join(home, ".aws", name)
	}
	return ""
}

func readAWSFile(path string) (map[string]map[string]string, error) {
	if path == "" {
		return nil, nil
	}
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, unreadable(path, err)
	}
	defer file.Close() // opened for reading: closing loses nothing
	text, err := io.ReadAll(io.LimitReader(file, maxAWSFileBytes+1))
	if err != nil {
		return nil, unreadable(path, err)
	}
	sections, err := parseAWSFile(string(text))
	if err != nil {
		return nil, &Error{
			Code:    codeBadSetting,
			Message: fmt.Sprintf("%s: %s", path, err),
			Hint:    "it is in the format of AWS's shared files: https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html",
			Err:     err,
		}
	}
	return sections, nil
}

// find returns the profile of that name. In the file of credentials, where both
// have a setting of it, the value counts that stands there.
func (f awsFiles) find(name string) (profile, bool) {
	p := profile{name: name}
	found := false
	headings := []string{"profile " + name}
	if name == "default" { // [profile default] wins over [default]
		headings = []string{"default", "profile default"}
	}
	for _, heading := range headings {
		section, ok := f.config[heading]
		found = found || ok
		p.take(section)
	}
	section, ok := f.credentials[name]
	p.take(section)
	return p, found || ok
}

// otherWays are settings that get credentials in ways that this command does not
// have: a node's keys are all that a node needs.
var otherWays = [...]string{"role_arn", "credential_process", "sso_session", "sso_start_url", "web_identity_token_file", "login_session"}

func (p *profile) take(section map[string]string) {
	for _, setting := range []struct {
		into *string
		name string
	}{
		{&p.endpoint, "endpoint_url"}, {&p.region, "region"}, {&p.keyID, "aws_access_key_id"},
		{&p.secret, "aws_secret_access_key"}, {&p.token, "aws_session_token"},
	} {
		if value := section[setting.name]; value != "" {
			*setting.into = value
		}
	}
	for _, way := range otherWays {
		if section[way] != "" {
			p.otherWay = way
		}
	}
}

// names returns the names of all profiles, sorted.
func (f awsFiles) names() []string {
	var names []string
	for heading := range f.config {
		if name, ok := strings.CutPrefix(heading, "profile "); ok {
			names = append(names, name)
		} else if heading == "default" {
			names = append(names, heading)
		}
	}
	for name := range f.credentials {
		names = append(names, name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// must is find for a profile that somebody asked for by name. source says where:
// a flag or a variable.
func (f awsFiles) must(name, source string) (profile, error) {
	p, found := f.find(name)
	if found {
		return p, nil
	}
	e := &Error{
		Code:    codeBadSetting,
		Message: fmt.Sprintf("%s: there is no profile %q in %s or %s", source, name, orNothing(f.configPath), orNothing(f.credentialsPath)),
		Hint:    "make a key on the node with: ledge keys create NAME; what it prints belongs under [profile " + name + "] in the first file",
	}
	if best := nearest(name, f.names()); best != "" {
		e.Hint = "did you mean " + best + "?"
	}
	return profile{}, e
}

func orNothing(path string) string {
	if path == "" {
		return "(no home folder)"
	}
	return path
}
