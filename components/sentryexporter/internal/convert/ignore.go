// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package convert

import (
	"strings"

	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/item"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/stacktrace"
)

// DefaultIgnoreErrors returns what Dify's own Sentry setup ignores.
func DefaultIgnoreErrors() []string {
	return []string{"werkzeug.exceptions.HTTPException", "ValueError", "FileNotFoundError", "InvokeRateLimitError"}
}

// families are known subclasses: telemetry names a class, not what it inherits from. A name that ends with a dot stands
// for all classes of a module and the modules below it, a name with a dot for one class of one module (however deep the
// module is defined), one without for every class of that name.
var families = map[string][]string{
	"ValueError": {
		// Python
		"json.decoder.JSONDecodeError", "JSONDecodeError", "UnicodeError", "UnicodeDecodeError", "UnicodeEncodeError",
		"UnicodeTranslateError", "binascii.Error", "io.UnsupportedOperation", "ipaddress.AddressValueError",
		"ipaddress.NetmaskValueError", "ssl.SSLCertVerificationError", "tomllib.TOMLDecodeError", "statistics.StatisticsError",
		"calendar.IllegalMonthError", "calendar.IllegalWeekdayError", "graphlib.CycleError", "plistlib.InvalidFileException",
		"_hashlib.UnsupportedDigestmodError",
		// libraries
		"pydantic_core._pydantic_core.ValidationError", "pydantic_core._pydantic_core.PydanticCustomError",
		"pydantic_core._pydantic_core.PydanticKnownError", "pydantic.error_wrappers.ValidationError",
		"pydantic.v1.error_wrappers.ValidationError", "requests.exceptions.MissingSchema", "requests.exceptions.InvalidSchema",
		"requests.exceptions.InvalidURL", "requests.exceptions.InvalidHeader", "requests.exceptions.InvalidProxyURL",
		"urllib3.exceptions.LocationValueError", "urllib3.exceptions.LocationParseError", "urllib3.exceptions.URLSchemeUnknown",
		"urllib3.exceptions.ProxySchemeUnknown", "urllib3.exceptions.ProxySchemeUnsupported", "urllib3.exceptions.ResponseNotChunked",
		"urllib3.util.ssl_match_hostname.CertificateError", "redis.exceptions.LockError", "redis.exceptions.LockNotOwnedError",
		"idna.core.", "werkzeug.routing.converters.ValidationError", "numpy.linalg.LinAlgError",
		// Dify
		"LLMError", "LLMBadRequestError", "ProviderTokenNotInitError", "QuotaExceededError", "AppInvokeQuotaExceededError",
		"ModelCurrentlyNotSupportError", "CredentialsValidateFailedError", "PluginInvokeError", "PluginLLMPollingUnsupportedError",
		"ToolProviderNotFoundError", "ToolNotFoundError", "ToolParameterValidationError", "ToolProviderCredentialValidationError",
		"ToolNotSupportedError", "ToolInvokeError", "ToolApiSchemaError", "ToolCredentialPolicyViolationError",
		"LLMNodeError", "VariableNotFoundError", "InvalidContextStructureError", "InvalidVariableTypeError", "ModelNotExistError",
		"LLMModeRequiredError", "NoPromptFoundError", "TemplateTypeNotSupportError", "MemoryRolePrefixRequiredError",
		"FileTypeNotSupportError", "UnsupportedPromptContentTypeError",
	},
	"HTTPException": {
		"werkzeug.exceptions.", "werkzeug.routing.exceptions.", "controllers.common.errors.", "controllers.console.error.", "controllers.web.error.",
		"controllers.service_api.app.error.", "controllers.service_api.dataset.error.", "controllers.console.app.error.",
		"controllers.console.datasets.error.", "controllers.console.auth.error.", "controllers.console.workspace.error.",
		"libs.exception.BaseHTTPException", "flask_restx.errors.",
	},
	"UnicodeError": {"UnicodeDecodeError", "UnicodeEncodeError", "UnicodeTranslateError"},
}

// ignoreRules tells which classes are not told.
type ignoreRules struct {
	classes  map[string]bool
	prefixes []string
}

func newIgnoreRules(names []string) *ignoreRules {
	r := &ignoreRules{classes: map[string]bool{}}
	for _, name := range names {
		_, class := stacktrace.SplitType(name)
		for _, n := range append([]string{name}, families[class]...) {
			if strings.HasSuffix(n, ".") {
				r.prefixes = append(r.prefixes, n)
			} else {
				r.classes[n] = true
			}
		}
	}
	return r
}

// match takes the class as telemetry writes it, with its module.
func (r *ignoreRules) match(full string) bool {
	if full == "" {
		return false
	}
	_, class := stacktrace.SplitType(full)
	if r.classes[full] || r.classes[class] {
		return true
	}
	for _, p := range r.prefixes {
		if strings.HasPrefix(full, p) {
			return true
		}
	}
	return false
}

// isNoise recognizes the default error of the Langfuse client, which Dify's own Sentry hook drops.
func isNoise(texts ...string) bool {
	for _, t := range texts {
		if strings.Contains(t, difysemconv.NoiseParseErrorText) || strings.Contains(t, difysemconv.NoiseParseError) {
			return true
		}
	}
	return false
}

// ignores reports whether an exception is discarded, and why.
func (c *Converter) ignores(r recorded, exc *stacktrace.Exception) (why item.Reason, ignored bool) {
	switch {
	case isNoise(r.message, r.logMessage, r.typ, exc.Message):
		return item.ReasonEventFilter, true
	case c.ignored.match(exc.Type):
		return item.ReasonIgnored, true
	default:
		return "", false
	}
}
