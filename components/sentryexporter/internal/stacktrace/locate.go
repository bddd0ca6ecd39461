// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package stacktrace

import (
	"net/url"
	"path"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// locate sets the locations of frames by their paths and names, as Sentry's SDKs determine them at run time.
func locate(e *Exception) {
	for i := range e.Frames {
		f := &e.Frames[i]
		switch e.Language {
		case Python:
			f.Location = locatePython(f.File)
			if strings.Contains(f.Function, ".") { // only in compiled modules (Cython)
				f.InApp = new(false)
			}
		case JavaScript:
			f.Filename, f.InApp = locateJavaScript(f.File)
		case Go:
			f.Filename, f.InApp = locateGo(f.File, f.Module)
		case Java:
			f.Filename, f.InApp = f.File, locateJava(f.Module)
		}
	}
}

var (
	pythonLibrary = regexp.MustCompile(`/(?:site|dist)-packages/`)
	pythonStdlib  = regexp.MustCompile(`/lib(?:64)?/python\d[\d.]*/|/Python\d+/Lib/`)
)

// pythonRoots are import roots of applications: /app/api in Dify's image, /…/api in an installation from source.
var pythonRoots = []string{"/app/api/", "/api/"}

func locatePython(path string) Location {
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

// jsLibrary matches code of Node, of packages and of bundlers.
var jsLibrary = regexp.MustCompile(`^(?:node:|internal/|<anonymous>$|native$)|(?:^|/)node_modules/|` +
	`(?:^|/)webpack/(?:bootstrap|runtime)`)

// jsWebpack matches the part of a bundler's URL before the path of the source: scheme, name of the build, layer.
var jsWebpack = regexp.MustCompile(`^webpack(?:-internal)?://[^/]*/(?:\([\w-]+\)/)?`)

func locateJavaScript(file string) (filename string, inApp *bool) {
	inside := file != "" && !jsLibrary.MatchString(strings.ReplaceAll(file, `\`, "/"))
	if at := jsWebpack.FindStringIndex(file); at != nil {
		filename, _, _ = strings.Cut(file[at[1]:], "?")
		return filename, new(inside)
	}
	if u, err := url.Parse(file); err == nil && u.Path != "" && (u.Host != "" || u.Scheme == "file") {
		return u.Path, new(inside)
	}
	return file, new(inside)
}

// goStandard are the first path elements of the packages of the standard library.
var goStandard = map[string]bool{
	"archive": true, "bufio": true, "bytes": true, "cmp": true, "compress": true, "container": true, "context": true,
	"crypto": true, "database": true, "debug": true, "embed": true, "encoding": true, "errors": true, "expvar": true,
	"flag": true, "fmt": true, "go": true, "hash": true, "html": true, "image": true, "index": true, "internal": true,
	"io": true, "iter": true, "log": true, "maps": true, "math": true, "mime": true, "net": true, "os": true, "path": true,
	"plugin": true, "reflect": true, "regexp": true, "runtime": true, "slices": true, "sort": true, "strconv": true,
	"strings": true, "structs": true, "sync": true, "syscall": true, "testing": true, "text": true, "time": true,
	"unicode": true, "unique": true, "unsafe": true, "vendor": true, "weak": true,
}

var goDependency = regexp.MustCompile(
	`/pkg/mod/|/vendor/|/third_party/|@v\d|/usr/local/go/src/|/go/src/(?:runtime|net|internal)/`,
)

func locateGo(file, pkg string) (filename string, inApp *bool) {
	first, _, _ := strings.Cut(pkg, "/")
	inside := !goStandard[first] && !goDependency.MatchString(file)
	if pkg != "" && pkg != "main" {
		return path.Join(pkg, path.Base(file)), new(inside && first != "")
	}
	return path.Base(file), new(inside && (pkg != "" || strings.Contains(file, "/")))
}

// javaLibraries matches the packages of the language and of common frameworks.
var javaLibraries = regexp.MustCompile(
	`^(?:java|javax|jakarta|jdk|sun|com\.sun|kotlin|kotlinx|scala|groovy|clojure|android|androidx|` +
		`org\.(?:springframework|apache|hibernate|eclipse|jboss|junit|slf4j|aspectj|postgresql|jetbrains|codehaus|mockito|` +
		`gradle|opensearch|elasticsearch)|` +
		`com\.(?:fasterxml|google|zaxxer|mysql|mongodb|netflix|oracle|microsoft|amazonaws)|` +
		`io\.(?:netty|grpc|opentelemetry|micrometer|undertow|vertx|quarkus|projectreactor|sentry|lettuce|kotest)|` +
		`ch\.qos|reactor|rx|okhttp3|okio|retrofit2|feign|net\.bytebuddy|redis\.clients)\.`,
)

func locateJava(class string) *bool { return new(!javaLibraries.MatchString(class)) }

// Class splits the name of an exception's class into module and class, as its language writes it.
func (e *Exception) Class() (module, class string) {
	switch e.Language {
	case Go, JavaScript:
		return "", e.Type
	case Java:
		at := strings.LastIndex(e.Type, ".")
		return e.Type[:max(at, 0)], e.Type[at+1:]
	default:
		return SplitType(e.Type)
	}
}

// SplitType splits a class name, as OpenTelemetry and Python write it, into module and class. The class begins at the
// first capital letter, or before `<locals>`; otherwise it is the last part: a.b.Outer.Inner, a.b.f.<locals>.C,
// a.b.error.
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
