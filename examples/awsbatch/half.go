package main

import (
	"errors"
	"io/fs"
	"os"
	"strings"

	"github.com/aws/aws-sdk-go-v2/config"
)

// half names what is there of a configuration that names no credentials, "" if
// nothing is: whoever has set that means an account, and not the fake.
func half() string {
	for _, name := range []string{
		"AWS_PROFILE", "AWS_DEFAULT_PROFILE",
		"AWS_ACCESS_KEY_ID", "AWS_ACCESS_KEY", "AWS_SECRET_ACCESS_KEY", "AWS_SECRET_KEY", "AWS_SESSION_TOKEN",
		"AWS_ACCOUNT_ID", "AWS_ROLE_ARN", "AWS_ROLE_SESSION_NAME", "AWS_WEB_IDENTITY_TOKEN_FILE",
		"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN",
	} {
		if os.Getenv(name) != "" {
			return name
		}
	}
	for _, set := range os.Environ() { // of one service, too, and where the SDK is told to ignore them
		if name, value, _ := strings.Cut(set, "="); strings.HasPrefix(name, "AWS_ENDPOINT_URL") && value != "" {
			return name
		}
	}
	for _, file := range []struct{ variable, usual, what string }{
		{"AWS_SHARED_CREDENTIALS_FILE", config.DefaultSharedCredentialsFilename(), "the AWS credentials file"},
		{"AWS_CONFIG_FILE", config.DefaultSharedConfigFilename(), "the AWS config file"},
	} {
		path, what := file.usual, file.what
		named := os.Getenv(file.variable)
		if named != "" {
			path, what = named, file.variable
		}
		text, err := os.ReadFile(path)
		if named == "" && errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil || !idle(string(text)) {
			return what
		}
	}
	return ""
}

// idle reports whether a file of profiles configures no more than which Region is
// usual and how the command line looks.
func idle(profiles string) bool {
	for line := range strings.Lines(profiles) {
		line = strings.TrimSpace(line)
		key, _, _ := strings.Cut(line, "=")
		key = strings.TrimSpace(key)
		switch {
		case line == "", line[0] == '#', line[0] == ';', strings.HasPrefix(line, "[default]"):
		case key == "region", key == "output", strings.HasPrefix(key, "cli_"):
		default:
			return false
		}
	}
	return true
}
