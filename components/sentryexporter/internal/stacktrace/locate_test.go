// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package stacktrace

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func loc(filename, module string, inApp *bool) Location {
	return Location{Filename: filename, Module: module, InApp: inApp}
}

func TestLocatePython(t *testing.T) {
	yes, no := true, false
	for _, c := range []struct {
		path string
		want Location
	}{
		{"/app/api/core/workflow/a.py", loc("core/workflow/a.py", "core.workflow.a", &yes)},
		{"/opt/dify/api/services/__init__.py", loc("services/__init__.py", "services", &yes)},
		{"/app/api/.venv/lib/python3.12/site-packages/httpx/_client.py", loc("httpx/_client.py", "httpx._client", &no)},
		{"/usr/lib/python3/dist-packages/six.py", loc("six.py", "six", &no)},
		{"/usr/local/lib/python3.12/contextlib.py", loc("contextlib.py", "contextlib", nil)},
		{"<frozen importlib._bootstrap>", loc("<frozen importlib._bootstrap>", "importlib._bootstrap", nil)},
		{"<string>", loc("<string>", "", nil)},
		{"/srv/job/main.py", loc("srv/job/main.py", "", &yes)},
		{`C:\app\api\tasks\x.py`, loc("tasks/x.py", "tasks.x", &yes)},
	} {
		assert.Equal(t, c.want, locatePython(c.path), c.path)
	}
}

func TestSplitType(t *testing.T) {
	for full, want := range map[string][2]string{
		"ValueError":         {"", "ValueError"},
		"httpx.ConnectError": {"httpx", "ConnectError"},
		"pydantic_core._pydantic_core.ValidationError": {"pydantic_core._pydantic_core", "ValidationError"},
		"mod.Outer.Inner":     {"mod", "Outer.Inner"},
		"mod.f.<locals>.L2":   {"mod", "f.<locals>.L2"},
		"f.<locals>.L2":       {"", "f.<locals>.L2"},
		"socket.gaierror":     {"socket", "gaierror"},
		"*errors.errorString": {"", "*errors.errorString"},
		"":                    {"", ""},
	} {
		module, class := SplitType(full)
		assert.Equal(t, want, [2]string{module, class}, full)
	}
}
