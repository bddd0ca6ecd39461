// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package grouping

import (
	"encoding/json"
	"regexp"
	"strings"
)

// pluginError is the form in which the plugin daemon returns the error of a plugin.
type pluginError struct {
	Type    string          `json:"error_type"`
	Message string          `json:"message"`
	Args    json.RawMessage `json:"args"`
}

// pluginText is the same for people.
var pluginText = regexp.MustCompile(`(?s)error type: ([A-Za-z_][\w.]*), error details: (.*)`)

// pluginType finds the type in an object that cannot be decoded, because it was truncated or quoted.
var pluginType = regexp.MustCompile(`\\*"error_type\\*": ?\\*"([A-Za-z_][\w.]*)\\*"`)

// maxNested bounds how often the message of a plugin's error is another such error.
const maxNested = 4

// describePlugin reads the error of a plugin, which is grouped by its type.
func describePlugin(text string) (description, bool) {
	if m := pluginText.FindStringSubmatch(text); m != nil {
		return pluginDescription(m[1], m[2]), true
	}
	at := strings.Index(text, "{")
	if at < 0 || !strings.Contains(text, "error_type") {
		return description{}, false
	}
	if e, ok := innermostPluginError(text[at:]); ok {
		return pluginDescription(e.Type, e.Message), true
	}
	all := pluginType.FindAllStringSubmatch(text, -1)
	if len(all) == 0 {
		return description{}, false
	}
	return pluginDescription(all[len(all)-1][1], text), true
}

func innermostPluginError(text string) (pluginError, bool) {
	var out pluginError
	for range maxNested {
		var e pluginError
		if err := json.NewDecoder(strings.NewReader(text)).Decode(&e); err != nil || e.Type == "" {
			break
		}
		out = e
		at := strings.Index(e.Message, "{")
		if at < 0 {
			break
		}
		text = e.Message[at:]
	}
	return out, out.Type != ""
}

func pluginDescription(typ, message string) description {
	return description{class: typ, message: strings.TrimSpace(message), fingerprint: pluginFingerprint(typ)}
}

func pluginFingerprint(typ string) []string {
	return []string{"plugin", typ[strings.LastIndex(typ, ".")+1:]}
}
