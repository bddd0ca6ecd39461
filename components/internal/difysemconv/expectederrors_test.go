// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package difysemconv

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestExpectedErrors(t *testing.T) {
	expected := NewErrorClasses(ExpectedErrors())
	for class, want := range map[string]bool{
		"ValueError":                   true,
		"builtins.ValueError":          true,
		"json.decoder.JSONDecodeError": true,
		"UnicodeDecodeError":           true,
		"binascii.Error":               true,
		"Error":                        false, // of JavaScript, and of failed messages
		"ValidationError":              true,  // as Dify's logging handler writes it
		"pydantic_core._pydantic_core.ValidationError":              true,
		"marshmallow.exceptions.ValidationError":                    false,
		"werkzeug.exceptions.NotFound":                              true,
		"controllers.web.error.AppUnavailableError":                 true,
		"libs.exception.BaseHTTPException":                          true,
		"services.errors.app.MoreLikeThisDisabled":                  true,
		"FileNotFoundError":                                         true,
		"graphon.model_runtime.errors.invoke.InvokeRateLimitError":  true,
		"core.errors.error.QuotaExceededError":                      true,
		"core.tools.errors.ToolInvokeError":                         true,
		"core.errors.error.LLMError":                                true,
		"openai.APIStatusError":                                     true,
		"RuntimeError":                                              false,
		"httpx.ConnectError":                                        false,
		"core.plugin.entities.plugin_daemon.PluginDaemonInnerError": false,
		"": false,
	} {
		assert.Equal(t, want, expected.Has(class), class)
	}
}

func TestErrorClasses(t *testing.T) {
	none := NewErrorClasses(nil)
	assert.False(t, none.Has("ValueError"))

	one := NewErrorClasses([]string{"httpx.ConnectError"})
	assert.True(t, one.Has("httpx.ConnectError"))
	assert.True(t, one.Has("ConnectError"))
	assert.False(t, one.Has("httpcore.ConnectError"), "the same name in another module")

	base := NewErrorClasses([]string{"acme.ValueError"})
	assert.False(t, base.Has("UnicodeError"), "not Python's ValueError")

	for _, pattern := range []string{"acme.*", "acme."} {
		prefix := NewErrorClasses([]string{pattern})
		assert.True(t, prefix.Has("acme.sub.Failed"))
		assert.False(t, prefix.Has("acmes.Failed"))
	}
}

func TestExpectedErrorsReturnsACopy(t *testing.T) {
	ExpectedErrors()[0] = "changed"
	assert.NotEqual(t, "changed", ExpectedErrors()[0])
}
