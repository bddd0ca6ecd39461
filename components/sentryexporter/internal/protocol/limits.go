// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package protocol

import (
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

// Relay's default limits, in characters unless stated otherwise. Longer texts are truncated here, with "..." at the
// end, so that the server does not have to; what Relay would remove completely is replaced.
const (
	MaxEnvironment  = 64
	MaxRelease      = 200
	MaxServerName   = 200
	MaxTransaction  = 200
	MaxLogger       = 64
	MaxTagKey       = 200
	MaxTagValue     = 200
	MaxType         = 256
	MaxValue        = 8192
	MaxFunction     = 512
	MaxPath         = 256
	MaxUserID       = 128
	MaxURL          = 256
	MaxOp           = 128
	MaxDescription  = 2000
	MaxSource       = 512  // of a source line; Relay has no limit
	MaxString       = 4096 // of a value in span data; Relay has no limit either
	MaxContextBytes = 8192
	MaxDataBytes    = 32 << 10
	MaxExtraValue   = 16 << 10 // bytes
	MaxExtraValues  = 15       // so that all stay below the 256 KiB of `extra`
	MaxBreadcrumb   = 256      // of a breadcrumb's message; Relay allows 8192
	MaxBreadcrumbs  = 50       // SDKs keep 100
	MaxFrames       = 250
	keptOldest      = 50

	MaxSpans     = 1000
	MaxSpanBytes = 800_000 // Relay cuts the list at 819,200
	MaxPayload   = 1 << 20 // of an event or a transaction, in bytes
)

// ForbiddenInName are characters that a release or environment must not contain.
const ForbiddenInName = "/\\\t\r\n"

const mark = "..."

// Text truncates a text to at most n characters and makes it valid UTF-8.
func Text(s string, n int) string {
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\uFFFD")
	}
	if len(s) <= n || utf8.RuneCountInString(s) <= n {
		return s
	}
	keep := n - len(mark)
	for i := range s {
		if keep == 0 {
			return s[:i] + mark
		}
		keep--
	}
	return s
}

// Line is Text for fields that must not contain line breaks.
func Line(s string, n int) string {
	return Text(strings.TrimSpace(strings.Map(func(r rune) rune {
		if r == '\n' || r == '\r' || r == '\t' {
			return ' '
		}
		return r
	}, s)), n)
}

// Name returns a release or environment that Sentry keeps; "" if there is none.
func Name(s string, n int) string {
	s = strings.TrimSpace(strings.Map(func(r rune) rune {
		if strings.ContainsRune(ForbiddenInName, r) {
			return '-'
		}
		return r
	}, s))
	if Reserved(s) {
		return ""
	}
	for s = strings.ToValidUTF8(s, ""); len(s) > n; { // counted in bytes
		_, size := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-size]
	}
	return strings.TrimSpace(s)
}

// URL encodes a URL and then truncates it, since Relay measures the encoded form.
func URL(raw string) string {
	u, err := url.Parse(strings.ToValidUTF8(raw, "\uFFFD"))
	if err != nil {
		return ""
	}
	s := u.String()
	if len(s) <= MaxURL {
		return s
	}
	s = s[:MaxURL-len(mark)]
	if at := strings.LastIndexByte(s, '%'); at >= len(s)-2 { // not in the middle of an escape
		s = s[:at]
	}
	return s + mark
}

// Reserved reports whether Sentry rejects the name of a release or environment.
func Reserved(s string) bool {
	switch strings.ToLower(s) {
	case "", ".", "..", "latest", "none":
		return true
	}
	return false
}

// Tag adds a tag in a form that Sentry keeps.
func Tag(tags map[string]string, key, value string) {
	key = strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', strings.ContainsRune("_.:-", r):
			return r
		}
		return '_'
	}, key)
	switch key {
	case "release",
		"environment",
		"server_name",
		"dist",
		"user": // separate fields exist: tags with these names are moved or dropped
		key = "otel." + key
	}
	if value = Line(value, MaxTagValue); value != "" && key != "" {
		tags[Text(key, MaxTagKey)] = value
	}
}

// Origin returns `auto.CATEGORY.otel.PART`, where PART is made of a scope's name: only letters, digits, `_` and `.` are
// allowed.
func Origin(category, scope string) string {
	part := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '_', r == '.':
			return r
		}
		return '_'
	}, scope)
	origin := "auto." + category + ".otel"
	if part != "" {
		origin += "." + part
	}
	return origin[:min(len(origin), MaxOp)]
}

// Frames keeps the oldest and the newest frames if there are too many, as the server would.
func Frames(all []Frame) []Frame {
	if len(all) <= MaxFrames {
		return all
	}
	return slices.Concat(all[:keptOldest], all[len(all)-MaxFrames+keptOldest:])
}

// Extra adds a text of any length to `extra`, in numbered pieces if it is too long for one value.
func Extra(extra map[string]string, key, text string) {
	text = strings.ToValidUTF8(text, "\uFFFD")
	room := MaxExtraValue - 512
	for n := 1; text != "" && n <= MaxExtraValues; n++ {
		name := key
		if n > 1 {
			name += "." + string(rune('0'+n/10)) + string(rune('0'+n%10))
		}
		at := min(len(text), room)
		for at < len(text) && !utf8.RuneStart(text[at]) {
			at--
		}
		extra[name], text = text[:at], text[at:]
	}
}
