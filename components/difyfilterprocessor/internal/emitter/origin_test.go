// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package emitter

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
)

func TestOf(t *testing.T) {
	type res = map[string]any
	for name, tt := range map[string]struct {
		res        res
		enterprise bool
		want       Origin
	}{
		"commit":       {res{"service.name": "x", "custom.deployment.git_commit": ""}, false, SDK},
		"version":      {res{"service.name": "x", "service.version": "dify-1.16.1"}, false, SDK},
		"enterprise":   {res{"service.name": "x"}, true, SDK},
		"host and pid": {res{"service.name": "x", "host.name": "h", "process.pid": 7}, false, SDK},
		"our instance ID": {
			res{"service.name": "x", "host.name": "h", "process.pid": 7, "service.instance.id": "h:7"},
			false, SDK,
		},
		"our instance ID of a second process": {
			res{"service.name": "x", "host.name": "h", "process.pid": 7, "service.instance.id": "h:7@1795426800"},
			false, SDK,
		},
		"other instance ID": {
			res{"service.name": "x", "host.name": "h", "process.pid": 7, "service.instance.id": "i"},
			false, Other,
		},
		"hostmetrics": {
			res{"service.name": "x", "host.name": "h", "process.pid": 7, "process.executable.name": "e"},
			false, Other,
		},
		"another SDK":   {res{"service.name": "x", "telemetry.sdk.name": "o", "service.version": "dify-1"}, true, Other},
		"no mark":       {res{"service.name": "x", "host.name": "h"}, false, Other},
		"plugin daemon": {res{"service.name": "dify-plugin-daemon"}, false, PluginDaemon},
		"container":     {res{"container.id": "c"}, false, Container},
		"nothing":       {res{}, false, Other},
	} {
		t.Run(name, func(t *testing.T) {
			attributes := pcommon.NewMap()
			require.NoError(t, attributes.FromRaw(tt.res))
			assert.Equal(t, tt.want, Of(attributes, tt.enterprise))
		})
	}
}

func TestOwnScope(t *testing.T) {
	scope := pcommon.NewInstrumentationScope()
	scope.SetName("core.app")
	assert.True(t, SDK.OwnScope(scope))
	assert.False(t, PluginDaemon.OwnScope(scope))
	scope.SetName(ScopeFlask)
	assert.False(t, SDK.OwnScope(scope))
}

func TestIsBrokerCommand(t *testing.T) {
	assert.True(t, IsBrokerCommand("BRPOP"))
	assert.True(t, IsBrokerCommand("LLEN LLEN LLEN"))
	assert.False(t, IsBrokerCommand("LLEN"))
	assert.False(t, IsBrokerCommand("GET"))
}
