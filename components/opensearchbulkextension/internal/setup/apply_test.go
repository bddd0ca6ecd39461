// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package setup

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// fakeCluster keeps templates as OpenSearch does: settings in one shape, all their values as text.
type fakeCluster struct {
	templates map[string]map[string]any
	puts      []string
	reject    func(method, body string) (int, string)
	err       error
}

func (c *fakeCluster) exchange(_ context.Context, req Request) (int, []byte, error) {
	method, body := req.Method, req.Body
	if c.err != nil {
		return 0, nil, c.err
	}
	name := strings.TrimPrefix(req.Path, "/_index_template/")
	if c.reject != nil {
		if status, response := c.reject(method, string(body)); status != 0 {
			return status, []byte(response), nil
		}
	}
	if method == http.MethodPut {
		var template map[string]any
		if err := json.Unmarshal(body, &template); err != nil {
			return http.StatusBadRequest, nil, err
		}
		settings := template["template"].(map[string]any)["settings"].(map[string]any)["index"].(map[string]any)
		settings["number_of_shards"] = "1"
		settings["mapping"] = map[string]any{"ignore_malformed": "true"}
		c.templates[name] = template
		c.puts = append(c.puts, name)
		return http.StatusOK, []byte(`{"acknowledged":true}`), nil
	}
	template, ok := c.templates[name]
	if !ok {
		return http.StatusNotFound, []byte(`{"error":{"type":"resource_not_found_exception"},"status":404}`), nil
	}
	response, err := json.Marshal(
		map[string]any{"index_templates": []any{map[string]any{"name": name, "index_template": template}}},
	)
	return http.StatusOK, response, err
}

func options() Options {
	return Options{
		DeadLetterIndex: "otelcol-dify-dead-letter", AutoExpandReplicas: "0-1", Shards: 1, Codec: "best_compression",
	}
}

func traceViewOptions() Options {
	opts := options()
	opts.TraceViews = true
	return opts
}

func applyAll(t *testing.T, c *fakeCluster, opts Options) *observer.ObservedLogs {
	t.Helper()
	core, logs := observer.New(zap.InfoLevel)
	for _, template := range Templates(opts) {
		require.NoError(t, ApplyTemplate(t.Context(), c.exchange, template, zap.New(core)))
	}
	return logs
}

func TestApplyWritesOnce(t *testing.T) {
	c := &fakeCluster{templates: map[string]map[string]any{}}
	logs := applyAll(t, c, options())
	names := []string{
		"otelcol-dify-workflow-logs",
		"otelcol-dify-logs",
		"otelcol-dify-traces",
		"otelcol-dify-dead-letter",
	}
	assert.Equal(t, names, c.puts)
	assert.Equal(t, 4, logs.FilterMessageSnippet(" is written").Len())

	c.puts = nil
	assert.Empty(t, applyAll(t, c, options()).All())
	assert.Empty(t, c.puts, "what is in place is not written again")

	applyAll(t, c, Options{DeadLetterIndex: "otelcol-dify-dead-letter", AutoExpandReplicas: "0-2"})
	assert.Equal(t, names, c.puts, "a change in the configuration is written")
}

func TestApplyLeavesWhatAnOperatorChanged(t *testing.T) {
	for name, change := range map[string]func(template map[string]any){
		"took it over":     func(template map[string]any) { delete(template, "_meta") },
		"newer version":    func(template map[string]any) { template["version"] = float64(templateVersion + 1) },
		"another priority": func(template map[string]any) { template["priority"] = float64(7) },
		"another field": func(template map[string]any) {
			mappings(template)["properties"].(map[string]any)["mine"] = map[string]any{"type": "keyword"}
		},
		"dynamic":   func(template map[string]any) { mappings(template)["dynamic"] = "true" },
		"a setting": func(template map[string]any) { index(template)["refresh_interval"] = "30s" },
		"shards":    func(template map[string]any) { index(template)["number_of_shards"] = "3" },
		"an alias": func(template map[string]any) {
			template["template"].(map[string]any)["aliases"] = map[string]any{"a": map[string]any{}}
		},
		"a component template": func(template map[string]any) { template["composed_of"] = []any{"retention"} },
	} {
		t.Run(name, func(t *testing.T) {
			c := &fakeCluster{templates: map[string]map[string]any{}}
			applyAll(t, c, options())
			change(c.templates["otelcol-dify-traces"])
			c.puts = nil
			logs := applyAll(t, c, Options{DeadLetterIndex: "otelcol-dify-dead-letter", AutoExpandReplicas: "0-5"})
			assert.NotContains(t, c.puts, "otelcol-dify-traces")
			assert.Len(t, c.puts, 3)
			assert.Equal(t, 1, logs.FilterMessageSnippet("left as it is").Len())
		})
	}
}

func mappings(template map[string]any) map[string]any {
	return template["template"].(map[string]any)["mappings"].(map[string]any)
}

func index(template map[string]any) map[string]any {
	return template["template"].(map[string]any)["settings"].(map[string]any)["index"].(map[string]any)
}

func TestApplyOnAServerWithoutDisableObjects(t *testing.T) {
	c := &fakeCluster{templates: map[string]map[string]any{}, reject: func(_, body string) (int, string) {
		if strings.Contains(body, "disable_objects") {
			return http.StatusBadRequest, `{"error":{"type":"mapper_parsing_exception","reason":"unsupported parameters:  [disable_objects : true]"},"status":400}`
		}
		return 0, ""
	}}
	applyAll(t, c, options())
	assert.Len(t, c.puts, 4)
	c.puts = nil
	applyAll(t, c, options())
	assert.Empty(t, c.puts)
}

func TestApplyErrors(t *testing.T) {
	for name, tt := range map[string]struct {
		status    int
		body      string
		permanent bool
	}{
		"priority in use":      {http.StatusBadRequest, `{"error":{"type":"illegal_argument_exception","reason":"same priority"}}`, true},
		"role lacks the right": {http.StatusForbidden, `{"error":{"type":"security_exception","reason":"no permissions"}}`, true},
		"cluster read-only":    {http.StatusForbidden, `{"error":{"type":"cluster_block_exception","reason":"blocked"}}`, false},
		"a proxy's 403":        {http.StatusForbidden, `<html>`, false},
		"wrong password":       {http.StatusUnauthorized, `Unauthorized`, false},
		"no master":            {http.StatusServiceUnavailable, `{}`, false},
		"not OpenSearch":       {http.StatusOK, `<html>`, false},
	} {
		for _, method := range []string{http.MethodGet, http.MethodPut} {
			if method == http.MethodPut && tt.status == http.StatusOK {
				continue
			}
			t.Run(name+" "+method, func(t *testing.T) {
				c := &fakeCluster{templates: map[string]map[string]any{}, reject: func(m, _ string) (int, string) {
					if m == method {
						return tt.status, tt.body
					}
					return 0, ""
				}}
				err := ApplyTemplate(t.Context(), c.exchange, Templates(options())[0], zap.NewNop())
				require.Error(t, err)
				var rejected *RejectedError
				assert.Equal(t, tt.permanent, errors.As(err, &rejected), err)
				assert.ErrorContains(t, err, "otelcol-dify-workflow-logs")
			})
		}
	}
	away := errors.New("connection refused")
	require.ErrorIs(
		t,
		ApplyTemplate(t.Context(), (&fakeCluster{err: away}).exchange, Templates(options())[0], zap.NewNop()),
		away,
	)
}

// TestNoFieldIsBothValueAndPrefix keeps the plain form of the templates, in which dots make objects, free of
// conflicts.
func TestNoFieldIsBothValueAndPrefix(t *testing.T) {
	for _, template := range Templates(options()) {
		names := fieldNames("", template.mappings)
		for _, a := range names {
			for _, b := range names {
				assert.False(t, strings.HasPrefix(b, a+"."), "%s: %s and %s", template.Name, a, b)
			}
		}
		assert.Greater(t, len(names), 5)
	}
}

func fieldNames(prefix string, mapping object) []string {
	properties, ok := mapping["properties"].(object)
	if !ok {
		return []string{strings.TrimSuffix(prefix, ".")}
	}
	var names []string
	for name, child := range properties {
		names = append(names, fieldNames(prefix+name+".", child.(object))...)
	}
	return names
}
