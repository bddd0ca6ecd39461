// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package sqlliterals

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/DataDog/datadog-agent/pkg/obfuscate"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/recordings"
)

// obfuscator removes the literals of statements of a database system.
type obfuscator func(statements []string, system string) []string

// ours is what dify_filter does with db.statement, without its search for secrets.
func ours(tb testing.TB) obfuscator {
	tb.Helper()
	cfg, ok := difyfilterprocessor.NewFactory().CreateDefaultConfig().(*difyfilterprocessor.Config)
	require.True(tb, ok)
	cfg.Redaction.Secrets = false
	redactor, err := difyfilterprocessor.NewRedactor(cfg, func(difyfilterprocessor.Redaction) {})
	require.NoError(tb, err)
	return func(statements []string, system string) []string {
		td := ptrace.NewTraces()
		spans := td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans()
		for _, s := range statements {
			span := spans.AppendEmpty()
			span.Attributes().PutStr("db.system", system)
			span.Attributes().PutStr("db.statement", s)
		}
		redactor.Traces(td)
		clean := make([]string, 0, len(statements))
		for _, span := range spans.All() {
			v, _ := span.Attributes().Get("db.statement")
			clean = append(clean, v.Str())
		}
		return clean
	}
}

// theirs is DataDog's obfuscator in one of its modes, without what it changes beyond literals as far as it can be off.
// A statement that it can't parse is replaced, as DataDog's agent does.
func theirs(tb testing.TB, mode obfuscate.ObfuscationMode) obfuscator {
	tb.Helper()
	o := obfuscate.NewObfuscator(obfuscate.Config{SQL: obfuscate.SQLConfig{
		KeepSQLAlias: true, KeepIdentifierQuotation: true, ObfuscationMode: mode,
	}})
	tb.Cleanup(o.Stop)
	return func(statements []string, system string) []string {
		clean := make([]string, 0, len(statements))
		for _, s := range statements {
			if system == "redis" {
				clean = append(clean, o.ObfuscateRedisString(s))
				continue
			}
			text := "Non-parsable SQL query"
			if query, err := o.ObfuscateSQLStringForDBMS(s, system); err == nil {
				text = query.Query
			}
			clean = append(clean, text)
		}
		return clean
	}
}

// modes are DataDog's.
var modes = map[string]obfuscate.ObfuscationMode{
	"DataDog's default":             "",
	"DataDog's obfuscate_only":      obfuscate.ObfuscateOnly,
	"DataDog's obfuscate_normalize": obfuscate.ObfuscateAndNormalize,
}

// score is how many statements are right, and what is wrong with the others.
type score struct {
	right, left, destroyed int
	wrong                  []string // one of each form
}

func measure(statements []statement, by obfuscator) score {
	var result score
	bySystem := map[string][]int{}
	for i, s := range statements {
		bySystem[s.system] = append(bySystem[s.system], i)
	}
	seen := map[string]bool{}
	for system, indexes := range bySystem {
		texts := make([]string, 0, len(indexes))
		for _, i := range indexes {
			texts = append(texts, statements[i].text)
		}
		for n, clean := range by(texts, system) {
			s := &statements[indexes[n]]
			left := slices.ContainsFunc(s.literals, func(part string) bool { return strings.Contains(clean, part) })
			destroyed := slices.ContainsFunc(s.names, func(part string) bool { return !strings.Contains(clean, part) })
			switch {
			case left:
				result.left++
			case destroyed:
				result.destroyed++
			default:
				result.right++
				continue
			}
			if !seen[s.form] {
				seen[s.form] = true
				result.wrong = append(result.wrong, fmt.Sprintf("%s: %q became %q", system, s.text, clean))
			}
		}
	}
	slices.Sort(result.wrong)
	return result
}

// Ours leaves no literal and destroys no name; DataDog's obfuscator would not be better in any of its modes.
func TestNoLiteralIsLeftAndNoNameDestroyed(t *testing.T) {
	const each = 20
	statements := generate(rand.New(rand.NewPCG(1, 2)), each)
	require.Greater(t, len(statements), 700)
	our := measure(statements, ours(t))
	t.Logf("ours: right on %d of %d", our.right, len(statements))
	assert.Equal(t, len(statements), our.right, strings.Join(our.wrong, "\n"))
	for name, mode := range modes {
		their := measure(statements, theirs(t, mode))
		t.Logf("%s: right on %d of %d; %d have a literal, %d lack a name:\n%s", name, their.right, len(statements),
			their.left, their.destroyed, strings.Join(their.wrong, "\n"))
		assert.GreaterOrEqual(t, our.right, their.right, name)
	}
}

// recordedStatements returns the statements that a real Dify emitted, each with a literal, so that no cache knows it.
func recordedStatements(b *testing.B) []string {
	b.Helper()
	var statements []string
	for _, td := range recordings.TracesNow(b) {
		recordings.EachSpan(td, func(_ string, span ptrace.Span) {
			if v, ok := span.Attributes().Get("db.statement"); ok && strings.HasPrefix(v.Str(), "SELECT") {
				statements = append(statements, v.Str()+" AND x = 'literal'")
			}
		})
	}
	require.NotEmpty(b, statements)
	return statements[:min(2000, len(statements))]
}

// BenchmarkStatements measures the cost of a byte of recorded statements.
func BenchmarkStatements(b *testing.B) {
	statements := recordedStatements(b)
	size := int64(len(strings.Join(statements, "")))
	all := map[string]obfuscator{"ours": ours(b)}
	for name, mode := range modes {
		all[strings.ReplaceAll(name, " ", "_")] = theirs(b, mode)
	}
	for name, by := range all {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(size)
			b.ReportAllocs()
			for b.Loop() {
				by(statements, "postgresql")
			}
		})
	}
}
