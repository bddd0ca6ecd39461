// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package stacktrace

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Location is what a path says about a frame.
type Location struct {
	Filename string // below the import root
	Module   string
	InApp    *bool // nil: neither the application nor a library, but the language itself
}

var (
	pythonLibrary = regexp.MustCompile(`/(?:site|dist)-packages/`)
	pythonStdlib  = regexp.MustCompile(`/lib(?:64)?/python\d[\d.]*/`)
)

// pythonRoots are import roots of applications: Dify's image has /app/api, an installation from source some /…/api.
var pythonRoots = []string{"/app/api/", "/api/"}

// LocatePython tells file name, module and origin of a frame as Dify's Sentry SDK tells them at run time.
func LocatePython(path string) Location {
	if strings.HasPrefix(path, "<") { // <frozen importlib._bootstrap>, <string>
		name := strings.Trim(path, "<>")
		if module, ok := strings.CutPrefix(name, "frozen "); ok {
			return Location{Filename: path, Module: module}
		}
		return Location{Filename: path}
	}
	path = strings.ReplaceAll(path, `\`, "/")
	if at := lastMatch(pythonLibrary, path); at >= 0 {
		return pythonLocation(path[at:], new(false))
	}
	if at := lastMatch(pythonStdlib, path); at >= 0 {
		return pythonLocation(path[at:], nil)
	}
	for _, root := range pythonRoots {
		if _, below, ok := strings.Cut(path, root); ok {
			return pythonLocation(below, new(true))
		}
	}
	return Location{Filename: strings.TrimPrefix(path, "/"), InApp: new(true)}
}

func lastMatch(re *regexp.Regexp, s string) int {
	all := re.FindAllStringIndex(s, -1)
	if len(all) == 0 {
		return -1
	}
	return all[len(all)-1][1]
}

func pythonLocation(below string, inApp *bool) Location {
	module := strings.TrimSuffix(strings.TrimSuffix(below, ".py"), "/__init__")
	return Location{Filename: below, Module: strings.ReplaceAll(module, "/", "."), InApp: inApp}
}

// SplitType takes a class name as OpenTelemetry and tracebacks write it apart into module and class. The class begins at
// the first capital letter, or before `<locals>`, else it is the last part: a.b.Outer.Inner, a.b.f.<locals>.C, a.b.error.
func SplitType(full string) (module, class string) {
	if strings.ContainsAny(full, "/* ") { // Go
		return "", full
	}
	parts := strings.Split(full, ".")
	at := len(parts) - 1
	for i, part := range parts {
		first, _ := utf8.DecodeRuneInString(part)
		if unicode.IsUpper(first) || (i+1 < len(parts) && parts[i+1] == "<locals>") {
			at = i
			break
		}
	}
	return strings.Join(parts[:at], "."), strings.Join(parts[at:], ".")
}
