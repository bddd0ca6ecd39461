// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package sentryexporter

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// validator is a Python program with Sentry's own normalizer and its SDK's envelope parser. It is slow to start, so
// all tests share one; it ends with its input, when the tests do.
type validator struct {
	in  io.Writer
	out *bufio.Reader
}

var sharedValidator = sync.OnceValues(startValidator)

func startValidator() (*validator, error) {
	root := filepath.Join("..", "..")
	python, err := filepath.Abs(filepath.Join(root, ".cache", "python", "bin", "python"))
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(python, filepath.Join(root, "tests", "python", "sentry_judge.py"))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	return &validator{in: in, out: bufio.NewReader(out)}, cmd.Start()
}

// requireApproval fails the test with what Sentry would object to in the envelopes.
func requireApproval(t *testing.T, envelopes []*envelope) {
	t.Helper()
	if len(envelopes) == 0 {
		return
	}
	v, err := sharedValidator()
	require.NoError(t, err, "no Python environment with sentry-relay and sentry-sdk: run tests/setup.sh")
	for _, e := range envelopes {
		assert.Empty(t, v.objections(t, e.body), "Sentry would object")
	}
}

func (v *validator) objections(t *testing.T, body []byte) (found []string) {
	t.Helper()
	request, err := json.Marshal(map[string][]byte{"envelope": body}) // as base64
	require.NoError(t, err)
	_, err = v.in.Write(append(request, '\n'))
	require.NoError(t, err)
	response, err := v.out.ReadBytes('\n')
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(response, &found))
	return found
}

func TestValidatorObjects(t *testing.T) {
	v, err := sharedValidator()
	require.NoError(t, err, "no Python environment with sentry-relay and sentry-sdk: run tests/setup.sh")
	const header = `{"event_id":"0123456789abcdef0123456789abcdef","sent_at":"2026-11-23T09:41:02Z"}` + "\n"
	event := func(fields string) []byte {
		payload := `{"event_id":"0123456789abcdef0123456789abcdef","timestamp":1790000000,"platform":"python"` + fields + `}`
		item, err := json.Marshal(map[string]any{"type": "event", "length": len(payload)})
		require.NoError(t, err)
		return []byte(header + string(item) + "\n" + payload + "\n")
	}
	assert.Empty(t, v.objections(t, event(`,"level":"error"`)))
	for what, fields := range map[string]string{
		"environment: err": `,"environment":"a/b"`,
		"level: err":       `,"level":"loud"`,
		"tags.0.1: err":    `,"tags":{"a":"x\ny"}`,
		"unknown_key: err": `,"unknown_key":1`,
	} {
		found := v.objections(t, event(fields))
		require.Len(t, found, 1, what)
		assert.Contains(t, found[0], what)
	}
	assert.NotEmpty(
		t,
		v.objections(t, []byte(header+`{"type":"log","item_count":2,"length":12}`+"\n"+`{"items":[]}`+"\n")),
	)
}
