// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package grouping

import (
	"regexp"
	"strings"
)

var (
	// providerText matches the error of a model provider as Dify's plugins write it: `[openai] Error: 429 …`.
	providerText = regexp.MustCompile(`(?s)^\[([A-Za-z][\w .:/-]{0,60})\] ?(.+)`)
	// providerStatus matches the status at the beginning of such an error.
	providerStatus = regexp.MustCompile(`^(?:[A-Z][A-Za-z ]* ?[Ee]rror[,:]? ?)?(?:Error: ?)?(?:HTTP ?)?([45]\d\d)\b`)
	// statusText matches a status anywhere.
	statusText = regexp.MustCompile(
		`(?i)(?:status(?:[ _]code)?|error code|\bcode|\bhttp(?:/\d\.\d)?|response|failed)['"]?(?:: ?|=| |-)([45]\d\d)\b`,
	)
	errorCode   = regexp.MustCompile(`['"]code['"]: ?['"]([\w.-]{2,64})['"]`)
	errorType   = regexp.MustCompile(`['"]type['"]: ?['"]([a-z_]+_error)['"]`)
	snakeCase   = regexp.MustCompile(`^[a-z][a-z0-9]*(?:_[a-z0-9]+)+$`)
	afterStatus = regexp.MustCompile(`[ ,:;.(-]*$`)
)

// codeByText are the codes of errors whose text has none.
var codeByText = []struct {
	re   *regexp.Regexp
	code string
}{
	{regexp.MustCompile(`(?i)\bquota\b|billing|insufficient.balance|credit balance`), "insufficient_quota"},
	{regexp.MustCompile(`(?i)context.length|too many tokens|prompt is too long`), "context_length_exceeded"},
	{regexp.MustCompile(`(?i)(?:incorrect|invalid)[ _-]api[ _-]?key`), "invalid_api_key"},
	{regexp.MustCompile(`(?i)\bmodel\b.{1,80}(?:not exist|not found)`), "model_not_found"},
	{regexp.MustCompile(`(?i)content.(?:filter|policy|management)`), "content_filter"},
	{regexp.MustCompile(`(?i)overloaded`), "overloaded_error"},
}

// statusClasses are the classes to which Dify's plugins map the status of a provider.
var statusClasses = map[string]string{
	"400": "InvokeBadRequestError", "401": "InvokeAuthorizationError", "403": "InvokeAuthorizationError",
	"404": "InvokeBadRequestError", "422": "InvokeBadRequestError", "429": "InvokeRateLimitError",
}

// describeProvider reads the error of a model provider, which is grouped by status and code.
func describeProvider(text string) (description, bool) {
	m := providerText.FindStringSubmatch(text)
	if len(m) < 2 || m[1] == "Errno" || strings.HasPrefix(m[1], "Errno ") {
		return description{}, false
	}
	provider, rest := strings.ToLower(m[1]), m[2]
	status := ""
	if s := providerStatus.FindStringSubmatch(rest); s != nil {
		status = s[1]
	} else if s := statusText.FindStringSubmatch(head(rest)); s != nil {
		status = s[1]
	}
	if status == "" {
		return description{message: text, fingerprint: []string{"provider", provider, Stable(rest)}}, true
	}
	class := statusClasses[status]
	if class == "" && status[0] == '5' {
		class = "InvokeServerUnavailableError"
	}
	fingerprint := []string{"provider", provider, status, codeOf(rest)}
	return description{class: class, message: text, fingerprint: fingerprint}, true
}

// describeStatus reads an error with the status of an HTTP response: it is grouped by what was called, status and code,
// not by the response.
func describeStatus(text string) (description, bool) {
	at := statusText.FindStringSubmatchIndex(head(text))
	if at == nil {
		return description{}, false
	}
	before := afterStatus.ReplaceAllString(text[:at[0]], "")
	return description{message: text, fingerprint: []string{
		"status", Stable(before), text[at[2]:at[3]], codeOf(text[at[1]:]),
	}}, true
}

// head returns the beginning of a text, where its own status is: what follows may quote anything.
func head(text string) string { return text[:min(len(text), 400)] }

// codeOf returns the code of an error: the one that it states, else what its beginning says. A rate limit is what a
// status of 429 means unless a code says otherwise.
func codeOf(text string) string {
	code := ""
	for _, m := range errorCode.FindAllStringSubmatch(text, 8) {
		if code == "" || !snakeCase.MatchString(code) && snakeCase.MatchString(m[1]) {
			code = m[1]
		}
	}
	if m := errorType.FindStringSubmatch(text); code == "" && m != nil {
		code = m[1]
	}
	for _, c := range codeByText {
		if code == "" && c.re.MatchString(text[:min(len(text), 120)]) {
			code = c.code
		}
	}
	if strings.HasPrefix(code, "rate_limit") {
		return ""
	}
	return code
}
