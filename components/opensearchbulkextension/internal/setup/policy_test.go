// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package setup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// fakePlugin keeps one policy as the documentation of Index State Management says: it gives an update back with its
// sequence number, demands that number for the next one, and adds fields of its own.
type fakePlugin struct {
	policy  map[string]any
	version int
	puts    int
	err     error
	reject  func(method string) (int, string)
}

func (p *fakePlugin) exchange(_ context.Context, req Request) (int, []byte, error) {
	if p.err != nil {
		return 0, nil, p.err
	}
	if p.reject != nil {
		if status, response := p.reject(req.Method); status != 0 {
			return status, []byte(response), nil
		}
	}
	if req.Method == http.MethodGet {
		if p.policy == nil {
			return http.StatusNotFound, []byte(
				`{"error":{"root_cause":[],"type":"status_exception","reason":"Policy not found"},"status":404}`,
			), nil
		}
		return http.StatusOK, p.response(), nil
	}
	return p.put(req)
}

func (p *fakePlugin) put(req Request) (int, []byte, error) {
	path, status := policyPath, http.StatusCreated
	if p.policy != nil {
		path, status = fmt.Sprintf("%s?if_seq_no=%d&if_primary_term=3", policyPath, p.version), http.StatusOK
	}
	if req.Path != path {
		return http.StatusConflict, []byte(
			`{"error":{"type":"version_conflict_engine_exception","reason":"document already exists"},"status":409}`,
		), nil
	}
	var body struct {
		Policy map[string]any `json:"policy"`
	}
	if err := json.Unmarshal(req.Body, &body); err != nil {
		return http.StatusBadRequest, nil, err
	}
	p.policy = body.Policy
	p.policy["policy_id"], p.policy["schema_version"], p.policy["error_notification"] = policyName, 21, nil
	p.policy["last_updated_time"], p.policy["user"] = 1577990761311+p.puts, map[string]any{
		"name":  "otelcol",
		"roles": []any{"otelcol"},
	}
	template := p.policy["ism_template"].([]any)[0].(map[string]any)
	template["last_updated_time"] = 1577990761311 + p.puts
	p.version += 4
	p.puts++
	return status, p.response(), nil
}

func (p *fakePlugin) response() []byte {
	return []byte(
		nested(
			map[string]any{"_id": policyName, "_version": p.puts, "_seq_no": p.version, "_primary_term": 3, "policy": p.policy},
		),
	)
}

func applyPolicy(t *testing.T, p *fakePlugin, days int) *observer.ObservedLogs {
	t.Helper()
	core, logs := observer.New(zap.InfoLevel)
	require.NoError(t, ApplyPolicy(t.Context(), p.exchange, days, options(), zap.New(core)))
	return logs
}

func TestPolicyIsWrittenOnceAndFollowsItsAge(t *testing.T) {
	p := &fakePlugin{}
	logs := applyPolicy(t, p, 30)
	assert.Equal(
		t,
		1,
		logs.FilterMessageSnippet("retention policy is written").FilterField(zap.String("because", "there was none")).Len(),
	)
	assert.Contains(t, string(p.response()), `"min_index_age":"30d"`)
	assert.Empty(t, applyPolicy(t, p, 30).All())
	assert.Equal(t, 1, p.puts, "what is in place is not written again")

	logs = applyPolicy(t, p, 7)
	assert.Equal(t, 1, logs.FilterField(zap.String("because", "it was an older one of ours")).Len())
	assert.Contains(t, string(p.response()), `"min_index_age":"7d"`)
	assert.Equal(t, 2, p.puts)
}

func TestPolicyThatAnOperatorChangedIsLeft(t *testing.T) {
	for name, change := range map[string]func(policy map[string]any){
		"another age": func(policy map[string]any) {
			state := policy["states"].([]any)[0].(map[string]any)
			state["transitions"].([]any)[0].(map[string]any)["conditions"] = map[string]any{"min_index_age": "90d"}
		},
		"another state": func(policy map[string]any) {
			policy["states"] = append(policy["states"].([]any), map[string]any{"name": "cold"})
		},
		"a notification": func(policy map[string]any) {
			policy["error_notification"] = map[string]any{"channel": map[string]any{"id": "c"}}
		},
		"took it over": func(policy map[string]any) { policy["description"] = "ours now" },
		"a newer version": func(policy map[string]any) {
			policy["description"] = withMark("x", mark{policyVersion + 1, policyChecksum(policy)})
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := &fakePlugin{}
			applyPolicy(t, p, 30)
			change(p.policy)
			logs := applyPolicy(t, p, 7)
			assert.Equal(t, 1, p.puts)
			assert.Equal(t, 1, logs.FilterMessageSnippet("left as it is").Len())
		})
	}
}

// The response is that of a real node without the plugin.
func TestPolicyWithoutThePlugin(t *testing.T) {
	p := &fakePlugin{reject: func(string) (int, string) {
		return http.StatusBadRequest, `{"error":"no handler found for uri [/_plugins/_ism/policies/otelcol-dify-retention] and method [GET]"}`
	}}
	logs := applyPolicy(t, p, 30)
	assert.Equal(t, 1, logs.FilterMessageSnippet("no index management plugin").Len())
	assert.Equal(t, 1, logs.Len())
}

func TestPolicyErrors(t *testing.T) {
	for name, tt := range map[string]struct {
		status    int
		body      string
		permanent bool
	}{
		"role lacks the right": {http.StatusForbidden, `{"error":{"type":"security_exception","reason":"no permissions"}}`, true},
		"patterns in use":      {http.StatusBadRequest, `{"error":{"type":"illegal_argument_exception","reason":"conflicting templates"}}`, true},
		"no master":            {http.StatusServiceUnavailable, `{}`, false},
		"somebody was faster":  {http.StatusConflict, `{"error":{"type":"version_conflict_engine_exception"}}`, false},
		"not the plugin":       {http.StatusOK, `<html>`, false},
	} {
		for _, method := range []string{http.MethodGet, http.MethodPut} {
			if method == http.MethodPut && tt.status == http.StatusOK {
				continue
			}
			t.Run(name+" "+method, func(t *testing.T) {
				p := &fakePlugin{reject: func(m string) (int, string) {
					if m == method {
						return tt.status, tt.body
					}
					return 0, ""
				}}
				err := ApplyPolicy(t.Context(), p.exchange, 30, options(), zap.NewNop())
				var rejected *RejectedError
				require.ErrorContains(t, err, policyWhat)
				assert.Equal(t, tt.permanent, errors.As(err, &rejected), err)
			})
		}
	}
	away := errors.New("connection refused")
	require.ErrorIs(t, ApplyPolicy(t.Context(), (&fakePlugin{err: away}).exchange, 30, options(), zap.NewNop()), away)
}
