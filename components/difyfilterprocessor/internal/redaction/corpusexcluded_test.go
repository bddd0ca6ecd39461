// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package redaction

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// excludedForms are the kinds that docs/redaction.md lists as what can't be recognized, each with what makes its
// values.
func (g generator) excludedForms() map[string]func() string {
	return map[string]func() string{
		"the session ended with %s": func() string { return g.text("0123456789abcdef", 32) },
		"using cohere %s":           func() string { return g.text(letters, 40) },
		"pushed %s":                 func() string { return g.text("0123456789abcdef", 40) },
		"kind: Secret\nstringData:\n  license: %s": func() string { return g.text(letters, 24) },
		"password=correct %s staple":               func() string { return g.text(lowerLetters, 9) },
		"entered %s": func() string {
			return "4062b193-7acf-49d8-88fa-" + g.text("0123456789abcdef", 12)
		},
		"the password is %s for now": func() string { return g.text(lowerLetters, 9) },
		"cannot parse %s":            func() string { return "dear model, " + g.text(lowerLetters, 9) },
		"node %s failed":             func() string { return g.text(lowerLetters, 9) },
	}
}

// What is excluded from the corpora is little, and nothing that is recognized after all.
func TestLittleIsExcludedFromTheCorpora(t *testing.T) {
	const each = 4
	g := generator{rand.New(rand.NewPCG(5, 6))}
	known, _ := g.secrets(each)
	excluded := 0
	for form, value := range g.excludedForms() {
		left := 0
		for range each {
			excluded++
			secret := value()
			clean, _ := everything.scrub(fmt.Sprintf(form, secret), viewText)
			if strings.Contains(clean, secret) {
				left++
			}
		}
		assert.NotZero(t, left, "%q is recognized: move it to the corpus, and remove it from the list in the docs", form)
	}
	all := len(known) + excluded
	t.Logf("%d of %d (%.1f %%) can't be known", excluded, all, float64(excluded)*100/float64(all))
	assert.LessOrEqual(t, excluded*10, all)
}
