// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// difyctl runs a command line.
func difyctl(t *testing.T, input string, args ...string) (out, failures string, code int) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code = run(args, strings.NewReader(input), &stdout, &stderr)
	return stdout.String(), stderr.String(), code
}

// otlp returns a request with a value under each key of a span's attributes.
func otlp(attributes string) string {
	return `{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"langgenius/dify"}},` +
		`{"key":"note","value":{"stringValue":"password=hunter2"}}]},"scopeSpans":[{"scope":{"name":"s"},"spans":[` +
		`{"traceId":"0af7651916cd43dd8448eb211c80319c","spanId":"b7ad6b7169203331","name":"first"},` +
		`{"traceId":"0af7651916cd43dd8448eb211c80319c","spanId":"b7ad6b7169203332","name":"key sk-Zk3v9QwX7LmN2pR8sT1uVb",` +
		`"attributes":[` + attributes + `]}]}]}]}`
}

const (
	prompt  = `{"key":"gen_ai.prompt","value":{"stringValue":"dear model"}}`
	user    = `{"key":"gen_ai.user.id","value":{"stringValue":"ann@example.com"}}`
	unknown = `{"key":"acme.blob","value":{"stringValue":"{\"a\": 1}"}}`
)

func TestRedactTelemetry(t *testing.T) {
	out, failures, code := difyctl(t, otlp(prompt), "redact")
	require.Zero(t, code, failures)
	assert.Equal(t, `resourceSpans[0].resource.attributes.note
- password=hunter2
+ password=***
  rule: secret resource note

resourceSpans[0].scopeSpans[0].spans[1].attributes.gen_ai.prompt
- dear model
  (removed)
  rule: key span gen_ai.prompt

resourceSpans[0].scopeSpans[0].spans[1].name
- key sk-Zk3v9QwX7LmN2pR8sT1uVb
+ key sk-***
  rule: shape name

`, out)
}

func TestRedactTelemetryLineByLine(t *testing.T) {
	metric := `{"resourceMetrics":[{"resource":{},"scopeMetrics":[{"scope":{},"metrics":[{"name":"m","gauge":` +
		`{"dataPoints":[{"asInt":"1","attributes":[{"key":"url.query","value":{"stringValue":"q=1"}}]}]}}]}]}]}`
	record := `{"resourceLogs":[{"resource":{},"scopeLogs":[{"scope":{},"logRecords":[{"body":` +
		`{"stringValue":"token: 9a8b7c6d5e4f3a2b"}}]}]}]}`
	out, failures, code := difyctl(t, otlp(user)+"\n"+metric+"\n\n"+record, "redact", "--json")
	require.Zero(t, code, failures)
	var paths, rules []string
	for line := range strings.Lines(out) {
		var c change
		require.NoError(t, json.Unmarshal([]byte(line), &c))
		paths = append(paths, c.Path)
		for _, r := range c.Rules {
			rules = append(rules, r.String())
		}
	}
	assert.Equal(t, []string{
		"resourceSpans[0].resource.attributes.note",
		"resourceSpans[0].scopeSpans[0].spans[1].attributes.gen_ai.user.id", "resourceSpans[0].scopeSpans[0].spans[1].name",
		"resourceMetrics[0].scopeMetrics[0].metrics[0].gauge.dataPoints[0].attributes.url.query",
		"resourceLogs[0].scopeLogs[0].logRecords[0].body",
	}, paths)
	assert.Equal(t, []string{
		"secret resource note", "user span gen_ai.user.id", "shape name", "query data_point url.query", "secret body",
	}, rules)

	after, failures, code := difyctl(t, otlp(user)+"\n"+metric+"\n"+record, "redact", "--after")
	require.Zero(t, code, failures)
	assert.Equal(t, 3, strings.Count(after, "\n"))
	for _, secret := range []string{"hunter2", "ann@example", "q=1", "9a8b7c"} {
		assert.NotContains(t, after, secret)
	}
	again, failures, code := difyctl(t, after, "redact")
	require.Zero(t, code, failures)
	assert.Equal(t, "nothing is redacted\n", again)
}

func TestRedactText(t *testing.T) {
	out, failures, code := difyctl(t, "one\npassword=hunter2 x\nthree\n", "redact")
	require.Zero(t, code, failures)
	assert.Equal(t, "- password=hunter2 x\n+ password=*** x\n  rule: secret body\n\n", out)
	out, _, _ = difyctl(t, "one\npassword=hunter2 x\nthree\n", "redact", "--after")
	assert.Equal(t, "one\npassword=*** x\nthree\n", out)
	out, _, _ = difyctl(t, "", "redact")
	assert.Equal(t, "nothing is redacted\n", out)
}

// write writes a configuration and returns its name.
func write(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "collector.yaml")
	require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
	return name
}

func TestRedactSettings(t *testing.T) {
	t.Setenv("TEST_UNKNOWN", "keep")
	two := write(t, "processors:\n  batch: {}\n  dify_filter: {}\n  dify_filter/b:\n    redaction:\n      keys:\n        gen_ai.prompt: keep\n")
	fromEnv := write(t, "processors:\n  dify_filter:\n    redaction:\n      unknown: ${env:TEST_UNKNOWN:-drop}\n      user_ids: ${env:TEST_ABSENT:-keep}\n")
	audit := write(t, "processors:\n  dify_filter:\n    redaction:\n      mode: audit\n")
	for name, tt := range map[string]struct {
		args []string
		want map[string]bool // values, and whether they are redacted
	}{
		"defaults":  {nil, map[string]bool{"dear model": true, "ann@example.com": true, `{\"a\": 1}`: true}},
		"flags":     {[]string{"--unknown", "keep", "--user-ids", "keep"}, map[string]bool{"dear model": true, "ann@": false, "acme": false}},
		"first":     {[]string{"--config", two, "--processor", "dify_filter"}, map[string]bool{"dear model": true}},
		"second":    {[]string{"--config", two, "--processor", "dify_filter/b"}, map[string]bool{"dear model": false, "ann@": true}},
		"variables": {[]string{"--config", fromEnv}, map[string]bool{"ann@": false, "acme": false, "dear model": true}},
		"flags first": {
			[]string{"--config", fromEnv, "--user-ids", "drop"},
			map[string]bool{"ann@": true, "acme": false},
		},
		"audit":   {[]string{"--config", audit}, map[string]bool{"dear model": true}},
		"shipped": {[]string{"--config", "../../config/collector.yaml"}, map[string]bool{"dear model": true, "ann@": true}},
	} {
		t.Run(name, func(t *testing.T) {
			input := otlp(prompt + "," + user + "," + unknown)
			after, failures, code := difyctl(t, input, append([]string{"redact", "--after"}, tt.args...)...)
			require.Zero(t, code, failures)
			for value, gone := range tt.want {
				assert.Equal(t, !gone, strings.Contains(after, value), "%q is in %s", value, after)
			}
		})
	}
}

func TestMistakes(t *testing.T) {
	two := write(t, "processors:\n  dify_filter: {}\n  dify_filter/b: {}\n")
	none := write(t, "processors:\n  batch: {}\n")
	off := write(t, "processors:\n  dify_filter:\n    redaction:\n      enabled: false\n")
	misspelled := write(t, "processors:\n  dify_filter:\n    redaction:\n      unknonw: keep\n")
	vault := write(t, "processors:\n  dify_filter: ${vault:x}\n")
	for name, tt := range map[string]struct {
		args  []string
		input string
		code  int
		want  string
	}{
		"no command":            {nil, "", exitUsage, "Usage: difyctl COMMAND"},
		"unknown command":       {[]string{"redakt"}, "", exitUsage, `unknown command "redakt"; difyctl --help lists`},
		"unknown flag":          {[]string{"redact", "--x"}, "", exitUsage, "-x; difyctl redact --help describes"},
		"two files":             {[]string{"redact", "a", "b"}, "", exitUsage, "takes one FILE"},
		"two forms":             {[]string{"redact", "--json", "--after"}, "", exitUsage, "exclude each other"},
		"processor alone":       {[]string{"redact", "--processor", "a"}, "", exitUsage, "needs --config"},
		"no such file":          {[]string{"redact", "/nonexistent"}, "", exitFailed, "no such file"},
		"no such configuration": {[]string{"redact", "--config", "/nonexistent"}, "", exitFailed, "no such file"},
		"several":               {[]string{"redact", "--config", two}, "", exitFailed, "dify_filter, dify_filter/b: choose one by --processor"},
		"no such processor":     {[]string{"redact", "--config", two, "--processor", "x"}, "", exitFailed, `no "x", but dify_filter`},
		"no processor":          {[]string{"redact", "--config", none}, "", exitFailed, "processors has no dify_filter"},
		"off":                   {[]string{"redact", "--config", off}, "", exitFailed, "redaction::enabled: false"},
		"misspelled":            {[]string{"redact", "--config", misspelled}, "", exitFailed, "did you mean `redaction::unknown`"},
		"another source":        {[]string{"redact", "--config", vault}, "", exitFailed, "vault"},
		"bad action":            {[]string{"redact", "--unknown", "hide"}, "", exitFailed, "redaction::unknown"},
		"not OTLP":              {[]string{"redact"}, `{"resourceSpans": [{"resource": 7}]}`, exitFailed, "no valid OTLP in JSON"},
		"not OTLP, a line":      {[]string{"redact"}, otlp(prompt) + "\nx\n", exitFailed, "line 2: no OTLP request"},
	} {
		t.Run(name, func(t *testing.T) {
			out, failures, code := difyctl(t, tt.input, tt.args...)
			assert.Equal(t, tt.code, code)
			assert.Contains(t, failures, tt.want)
			assert.Empty(t, out)
		})
	}
}

func TestHelp(t *testing.T) {
	for _, args := range [][]string{{"--help"}, {"help"}, {"redact", "--help"}, {"redact", "-h"}} {
		out, failures, code := difyctl(t, "", args...)
		assert.Zero(t, code)
		assert.Empty(t, failures)
		assert.Contains(t, out, "Usage: difyctl")
	}
}
