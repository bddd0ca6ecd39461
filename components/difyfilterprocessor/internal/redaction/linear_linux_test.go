// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package redaction

import (
	"testing"

	"github.com/otelcol-dify/otelcol-dify/components/internal/lineartest"
)

var linearParts = []string{
	"sk-", "authorization:", "token=${", "bearer ", "AIza", "PRIVATE KEY-----", "password==", "api key is ", "「", "密码“",
	"args={", "Request Body:", "LINE 1: ", "[SQL: [parameters: ", "[SQL: '", "Failing row contains (", "Duplicate entry '",
	"['token', '", "token=\\\n", "<token ", "--pass ", "Command # 1 (", "$1 = '", "right syntax to use near '",
}

func TestTextIsScrubbedInLinearTime(t *testing.T) {
	for _, v := range []view{viewText, viewKept, viewIdentity} {
		lineartest.CheckText(t, func(text string) { everything.scrub(text, v) }, linearParts...)
	}
}

func TestStatementsLoseLiteralsInLinearTime(t *testing.T) {
	for _, system := range []string{"", "mysql", "postgresql", "oracle", "redis"} {
		lineartest.CheckText(
			t, func(text string) { withoutLiterals(text, system) }, "q'[", "E'", "N'", "$$", "$a$", "IDENTIFIED BY ", "0x", "1e",
		)
	}
}
