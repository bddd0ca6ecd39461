// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package difysemconv

import (
	"slices"
	"strings"
)

// ExpectedErrors returns the exception classes that Dify's own Sentry setup ignores, because Dify raises them to
// reject a wrong request. It is the default list of every component that treats expected errors differently. The
// caller owns the returned slice.
func ExpectedErrors() []string {
	return []string{
		"werkzeug.exceptions.HTTPException",
		"ValueError",
		"FileNotFoundError",
		"InvokeRateLimitError",
		"openai.APIStatusError", // before Dify 1.9.2
	}
}

// subclasses lists the known subclasses of a class. Dify's Sentry setup matches subclasses too, but telemetry carries
// only the name of a class, not its bases. The entries have the syntax of NewErrorClasses.
var subclasses = map[string][]string{
	"ValueError":                        valueErrors,
	"builtins.ValueError":               valueErrors,
	"HTTPException":                     httpExceptions,
	"werkzeug.exceptions.HTTPException": httpExceptions,
	"UnicodeError":                      unicodeErrors,
	"openai.APIStatusError": {
		"openai.BadRequestError", "openai.AuthenticationError", "openai.PermissionDeniedError", "openai.NotFoundError",
		"openai.ConflictError", "openai.UnprocessableEntityError", "openai.RateLimitError", "openai.InternalServerError",
	},
}

var unicodeErrors = []string{"UnicodeDecodeError", "UnicodeEncodeError", "UnicodeTranslateError"}

var valueErrors = slices.Concat(unicodeErrors, []string{
	// Python
	"UnicodeError", "json.decoder.JSONDecodeError", "JSONDecodeError", "binascii.Error", "io.UnsupportedOperation",
	"ipaddress.AddressValueError", "ipaddress.NetmaskValueError", "ssl.SSLCertVerificationError",
	"tomllib.TOMLDecodeError", "statistics.StatisticsError", "calendar.IllegalMonthError",
	"calendar.IllegalWeekdayError", "graphlib.CycleError", "plistlib.InvalidFileException",
	"_hashlib.UnsupportedDigestmodError",
	// Libraries
	"pydantic_core._pydantic_core.ValidationError", "pydantic_core._pydantic_core.PydanticCustomError",
	"pydantic_core._pydantic_core.PydanticKnownError", "pydantic.error_wrappers.ValidationError",
	"pydantic.v1.error_wrappers.ValidationError", "requests.exceptions.MissingSchema",
	"requests.exceptions.InvalidSchema", "requests.exceptions.InvalidURL", "requests.exceptions.InvalidHeader",
	"requests.exceptions.InvalidProxyURL", "urllib3.exceptions.LocationValueError",
	"urllib3.exceptions.LocationParseError", "urllib3.exceptions.URLSchemeUnknown",
	"urllib3.exceptions.ProxySchemeUnknown", "urllib3.exceptions.ProxySchemeUnsupported",
	"urllib3.exceptions.ResponseNotChunked", "urllib3.util.ssl_match_hostname.CertificateError",
	"redis.exceptions.LockError", "redis.exceptions.LockNotOwnedError", "idna.core.*",
	"werkzeug.routing.converters.ValidationError", "numpy.linalg.LinAlgError",
	// Dify
	"services.errors.*",
	"InvokeError", "InvokeConnectionError", "InvokeServerUnavailableError", "InvokeRateLimitError",
	"InvokeAuthorizationError", "InvokeBadRequestError",
	"LLMError", "LLMBadRequestError", "ProviderTokenNotInitError", "QuotaExceededError",
	"AppInvokeQuotaExceededError", "ModelCurrentlyNotSupportError", "CredentialsValidateFailedError",
	"PluginInvokeError", "PluginLLMPollingUnsupportedError", "ToolProviderNotFoundError", "ToolNotFoundError",
	"ToolParameterValidationError", "ToolProviderCredentialValidationError", "ToolNotSupportedError",
	"ToolInvokeError", "ToolApiSchemaError", "ToolCredentialPolicyViolationError", "LLMNodeError",
	"VariableNotFoundError", "InvalidContextStructureError", "InvalidVariableTypeError", "ModelNotExistError",
	"LLMModeRequiredError", "NoPromptFoundError", "TemplateTypeNotSupportError", "MemoryRolePrefixRequiredError",
	"FileTypeNotSupportError", "UnsupportedPromptContentTypeError",
})

var httpExceptions = []string{
	"werkzeug.exceptions.*", "werkzeug.routing.exceptions.*", "controllers.*", "libs.exception.BaseHTTPException",
	"flask_restx.errors.*",
}

// ErrorClasses is a set of exception classes.
type ErrorClasses struct {
	names    map[string]bool // as listed, with or without a module
	bare     map[string]bool // the last part of every listed name
	prefixes []string
}

// NewErrorClasses returns the set of the named classes and their known subclasses. A name with a module stands for one
// class, a name without a module for the classes of that name in every module, and a name that ends in "*" or "." for
// every name that begins so.
func NewErrorClasses(names []string) *ErrorClasses {
	c := &ErrorClasses{names: map[string]bool{}, bare: map[string]bool{}}
	for _, name := range names {
		c.add(name)
		for _, subclass := range subclasses[name] {
			c.add(subclass)
		}
	}
	return c
}

func (c *ErrorClasses) add(name string) {
	if prefix, ok := strings.CutSuffix(name, "*"); ok {
		c.prefixes = append(c.prefixes, prefix)
		return
	}
	if strings.HasSuffix(name, ".") {
		c.prefixes = append(c.prefixes, name)
		return
	}
	c.names[name] = true
	if bare := bareClass(name); bare != vagueClass {
		c.bare[bare] = true
	}
}

// vagueClass is the class of any error in JavaScript and of those of which only a text is known: without a module, it
// is not binascii.Error.
const vagueClass = "Error"

// Has reports whether the set contains a class, given as telemetry writes it: with its module, or without it, as
// Dify's logging handler does. A class without a module matches every listed class of that name.
func (c *ErrorClasses) Has(class string) bool {
	if class == "" {
		return false
	}
	bare := bareClass(class)
	if c.names[class] || c.names[bare] || (bare == class && c.bare[bare]) {
		return true
	}
	return slices.ContainsFunc(c.prefixes, func(prefix string) bool { return strings.HasPrefix(class, prefix) })
}

func bareClass(name string) string { return name[strings.LastIndexByte(name, '.')+1:] }
