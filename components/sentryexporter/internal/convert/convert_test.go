// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package convert

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/protocol"
)

func TestGroupKeepsItsTree(t *testing.T) {
	text := `  + Exception Group Traceback (most recent call last):
  |   File "/app/api/a.py", line 3, in f
  |     raise ExceptionGroup("outer", [])
  | ExceptionGroup: outer (2 sub-exceptions)
  +-+---------------- 1 ----------------
    | ValueError: v
    +---------------- 2 ----------------
    | ExceptionGroup: inner (1 sub-exception)
    +-+---------------- 1 ----------------
      | TypeError: t
      +------------------------------------
`
	extra := map[string]string{}
	exc := exceptionOf(recorded{typ: "ExceptionGroup", message: "outer (2 sub-exceptions)", stack: text}, extra)
	handled := true
	got := payloadExceptions(exc, protocol.Mechanism{Type: "logging", Handled: &handled})
	var lines []string
	for _, e := range got {
		parent := "-"
		if e.Mechanism.ParentID != nil {
			parent = strconv.Itoa(*e.Mechanism.ParentID)
		}
		lines = append(
			lines,
			fmt.Sprint(
				*e.Mechanism.ExceptionID,
				" ",
				e.Type,
				" ",
				e.Mechanism.Type,
				" ",
				parent,
				" ",
				e.Mechanism.Source,
				" ",
				e.Mechanism.IsExceptionGroup,
			),
		)
	}
	assert.Equal(t, []string{
		"3 TypeError chained 2 exceptions[0] false",
		"2 ExceptionGroup chained 0 exceptions[1] true",
		"1 ValueError chained 0 exceptions[0] false",
		"0 ExceptionGroup logging -  true",
	}, lines)
	assert.Empty(t, extra)
}

func TestIgnoredErrors(t *testing.T) {
	rules := difysemconv.NewErrorClasses(difysemconv.ExpectedErrors())
	for class, want := range map[string]bool{
		"ValueError": true, "builtins.ValueError": true, "json.decoder.JSONDecodeError": true, "UnicodeDecodeError": true,
		"pydantic_core._pydantic_core.ValidationError": true, "werkzeug.exceptions.NotFound": true, "FileNotFoundError": true,
		"graphon.model_runtime.errors.invoke.InvokeRateLimitError": true, "core.errors.error.QuotaExceededError": true,
		"controllers.service_api.app.error.AppUnavailableError": true,
		"RuntimeError": false, "httpx.ConnectError": false,
		"core.plugin.entities.plugin_daemon.PluginDaemonInnerError": false, "": false,
		"marshmallow.exceptions.ValidationError": false, "services.errors.app.MoreLikeThisDisabledError": true,
		"openai.APIStatusError": true, "openai.RateLimitError": true,
		"graphon.model_runtime.errors.invoke.InvokeServerUnavailableError": true,
		"core.model_runtime.errors.invoke.InvokeAuthorizationError":        true, "InvokeConnectionError": true,
	} {
		assert.Equal(t, want, rules.Has(class), class)
	}
	none := difysemconv.NewErrorClasses(nil)
	assert.False(t, none.Has("ValueError"))
	own := difysemconv.NewErrorClasses([]string{"httpx.ConnectError"})
	assert.True(t, own.Has("httpx.ConnectError"))
	assert.False(t, own.Has("httpcore.ConnectError"), "another module's class of the same name")
}

// TestIgnoredFamiliesAreWhole asks Python which subclasses there are.
func TestIgnoredFamiliesAreWhole(t *testing.T) {
	python := filepath.Join("..", "..", "..", "..", ".cache", "python", "bin", "python")
	out, err := exec.CommandContext(t.Context(), python, filepath.Join("testdata", "subclasses.py")).Output()
	require.NoError(t, err, "no Python environment: run tests/setup.sh")
	rules := difysemconv.NewErrorClasses(difysemconv.ExpectedErrors())
	classes := strings.Fields(string(out))
	assert.Greater(t, len(classes), 50)
	for _, class := range classes {
		assert.True(t, rules.Has(class), class)
	}
}

func TestSampling(t *testing.T) {
	count := 0
	for i := range uint64(20_000) {
		id := pcommon.TraceID{14: byte(i >> 8), 15: byte(i)} // ids that are not random at all
		if sampled(id, 0.25) {
			count++
			assert.True(t, sampled(id, 0.5), "a higher rate keeps what a lower one kept")
		}
	}
	assert.InDelta(t, 5000, count, 300)
	assert.True(t, sampled(pcommon.TraceID{}, 1))
	assert.False(t, sampled(pcommon.TraceID{}, 0))
}
