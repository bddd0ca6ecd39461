// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package protocol

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestText(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"", ""},
		{"short", "short"},
		{"exactly 10", "exactly 10"},
		{"more than ten", "more th..."},
		{"参数错误：节点「开始」没有", "参数错误：节点..."},
		{"bad \xff byte", "bad \uFFFD byte"},
	} {
		got := Text(c.in, 10)
		assert.Equal(t, c.want, got)
		assert.LessOrEqual(t, utf8.RuneCountInString(got), 10)
	}
}

func TestName(t *testing.T) {
	for in, want := range map[string]string{
		"PRODUCTION": "PRODUCTION", "a/b\\c\td": "a-b-c-d", "none": "", "NONE": "", "latest": "", "..": "", " ": "",
		" x ": "x", "a b": "a b",
	} {
		assert.Equal(t, want, Name(in, MaxEnvironment), in)
	}
	assert.Len(t, Name(strings.Repeat("r", 300), MaxRelease), MaxRelease)
	assert.Equal(t, strings.Repeat("生", 21), Name(strings.Repeat("生", 300), MaxEnvironment), "counted in bytes")
}

func TestURL(t *testing.T) {
	for in, want := range map[string]string{
		"http://dify/v1/run": "http://dify/v1/run",
		"/v1/运行 x":           "/v1/%E8%BF%90%E8%A1%8C%20x",
		"http://[bad":        "",
	} {
		assert.Equal(t, want, URL(in))
	}
	for n := range 6 { // wherever the cut falls
		got := URL("http://x/" + strings.Repeat("a", n) + strings.Repeat("字", 100))
		assert.LessOrEqual(t, len(got), MaxURL)
		_, err := url.Parse(strings.TrimSuffix(got, "..."))
		require.NoError(t, err)
	}
}

func TestTag(t *testing.T) {
	for _, c := range []struct{ key, value, wantKey, wantValue string }{
		{"dify.app_id", "x", "dify.app_id", "x"},
		{"a/b c", "x", "a_b_c", "x"},
		{"k", "two\nlines", "k", "two lines"},
		{"k", strings.Repeat("é", 300), "k", strings.Repeat("é", 197) + "..."},
		{"release", "1", "otel.release", "1"},
		{"server_name", "h", "otel.server_name", "h"},
	} {
		tags := map[string]string{}
		Tag(tags, c.key, c.value)
		assert.Equal(t, map[string]string{c.wantKey: c.wantValue}, tags)
	}
	tags := map[string]string{}
	Tag(tags, "empty", " \n ")
	Tag(tags, "", "x")
	assert.Empty(t, tags)
}

func TestOrigin(t *testing.T) {
	assert.Equal(
		t,
		"auto.http.otel.opentelemetry.instrumentation.flask",
		Origin("http", "opentelemetry.instrumentation.flask"),
	)
	assert.Equal(t, "auto.db.otel.github.com_XSAM_otelsql", Origin("db", "github.com/XSAM/otelsql"))
	assert.Equal(t, "auto.default.otel", Origin("default", ""))
	assert.Len(t, Origin("db", strings.Repeat("x", 500)), MaxOp)
}

func TestExtraKeepsAllText(t *testing.T) {
	text := strings.Repeat("Zeile für Zeile\n", 5000)
	extra := map[string]string{}
	Extra(extra, "trace", text)
	pieces := []string{extra["trace"]}
	for i := 2; i <= len(extra); i++ {
		pieces = append(pieces, extra[fmt.Sprintf("trace.%02d", i)])
	}
	assert.Equal(t, text, strings.Join(pieces, ""))
	for key, piece := range extra {
		assert.LessOrEqual(t, len(piece), MaxExtraValue, key)
	}
}

func TestFramesKeepsBothEnds(t *testing.T) {
	all := make([]Frame, 1000)
	for i := range all {
		all[i].Lineno = i
	}
	got := Frames(all)
	require.Len(t, got, MaxFrames)
	assert.Equal(t, 0, got[0].Lineno)
	assert.Equal(t, keptOldest-1, got[keptOldest-1].Lineno)
	assert.Equal(t, 999, got[MaxFrames-1].Lineno)
	assert.Equal(t, 800, got[keptOldest].Lineno)
}
