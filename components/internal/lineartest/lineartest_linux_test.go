// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package lineartest

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

var counted int

func TestGrowth(t *testing.T) {
	small, large := strings.Repeat("[", size), strings.Repeat("[", factor*size)
	count := func(text string) {
		for i := range text {
			counted += strings.Count(text[i:min(len(text), i+100)], "]")
		}
	}
	// Each opening bracket searches the rest of the text, as fast as can be.
	search := func(text string) {
		for i := range text {
			counted += strings.IndexByte(text[i:], ']')
		}
	}
	assert.Empty(t, growth(t, small, large, count))
	assert.NotEmpty(t, growth(t, small, large, search))
}
