// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package identity

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"go.opentelemetry.io/collector/pdata/pcommon"
)

func TestRoleByName(t *testing.T) {
	for name, want := range map[string]string{
		"dify-worker-beat-0": "beat", "worker": "worker", "dify_api": "api", "Dify.API": "api",
		"plugin-daemon-api": "plugin_daemon",
		"plugin":            "", "langgenius/dify": "", "apiary": "", "": "",
	} {
		assert.Equal(t, want, roleByName(name), name)
	}
}

func TestRoleByContainer(t *testing.T) {
	for _, tt := range []struct{ service, name, want string }{
		{"", "docker-nginx-1", "nginx"},
		{"", "docker-worker_beat-12", "beat"},
		{"", "docker-ssrf_proxy-1", "ssrf_proxy"},
		{"sandbox", "x", "sandbox"},
		{"web", "docker-api-1", "web"},
		{"", "postgres", ""},
		{"", "my-api", "api"},
		{"", "", ""},
	} {
		assert.Equal(t, tt.want, RoleByContainer(tt.service, tt.name), "%q %q", tt.service, tt.name)
	}
}

func TestSplitVersion(t *testing.T) {
	for version, want := range map[string][2]any{
		"dify-1.16.1-0123abc": {"1.16.1", "0123abc"},
		"dify-1.17.0-rc1":     {"1.17.0-rc1", nil},
		"dify-1.9.2-":         {"1.9.2", nil},
		"1.16.1":              {nil, nil},
	} {
		res := pcommon.NewMap()
		res.PutStr("service.version", version)
		splitVersion(res)
		assert.Equal(t, want, [2]any{res.AsRaw()["dify.version"], res.AsRaw()["dify.commit"]}, version)
		assert.Equal(t, version, res.AsRaw()["service.version"])
	}
}

func TestMergeIDs(t *testing.T) {
	ids := IDs{App: "a"}
	ids.Merge(IDs{Tenant: "t", App: "b"})
	assert.Equal(t, IDs{App: "a"}, ids, "another app")
	ids.Merge(IDs{Tenant: "t", App: "a"})
	ids.Merge(IDs{Tenant: "u", Workflow: "w"})
	assert.Equal(t, IDs{Tenant: "t", App: "a", Workflow: "w"}, ids)
	assert.True(t, ids.Complete())
}
