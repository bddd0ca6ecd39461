// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package setup

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Dashboards refuses an attribute that is not in the mapping of its type.
var allowedAttributes = map[string][]string{
	typeIndexPattern:  {"title", "timeFieldName"},
	typeSearch:        {"title", "description", "hits", "columns", "sort", "version", "kibanaSavedObjectMeta"},
	typeVisualization: {"title", "description", "visState", "uiStateJSON", "version", "kibanaSavedObjectMeta"},
	typeDashboard: {
		"title",
		"description",
		"hits",
		"panelsJSON",
		"optionsJSON",
		"timeRestore",
		"version",
		"kibanaSavedObjectMeta",
	},
}

// line is a saved object as a reader of the file knows it.
type line struct {
	Type             string            `json:"type"`
	ID               string            `json:"id"`
	MigrationVersion map[string]string `json:"migrationVersion"`
	Attributes       map[string]any    `json:"attributes"`
	References       []reference       `json:"references"`
}

// eachFormat runs a test for each format of spans.
func eachFormat(t *testing.T, test func(t *testing.T, opts Options)) {
	t.Helper()
	t.Run("ss4o", func(t *testing.T) { test(t, options()) })
	t.Run("otel-v1", func(t *testing.T) { test(t, traceViewOptions()) })
}

func lines(t *testing.T, opts Options) map[string]line {
	t.Helper()
	file, err := NDJSON(Objects(opts))
	require.NoError(t, err)
	all := map[string]line{}
	for text := range bytes.Lines(file) {
		var l line
		decoder := json.NewDecoder(bytes.NewReader(text))
		decoder.DisallowUnknownFields()
		require.NoError(t, decoder.Decode(&l))
		key := l.Type + " " + l.ID
		require.NotContains(t, all, key, "an id that is there twice")
		all[key] = l
	}
	return all
}

func TestObjectsHaveTheFormOfTheirVersion(t *testing.T) {
	eachFormat(t, func(t *testing.T, opts Options) {
		for key, l := range lines(t, opts) {
			require.Contains(t, allowedAttributes, l.Type)
			assert.Equal(t, map[string]string{l.Type: formats[l.Type]}, l.MigrationVersion, key)
			assert.True(t, strings.HasPrefix(l.ID, "otelcol-dify-"), key)
			assert.NotEmpty(t, l.Attributes["title"], key)
			for name := range l.Attributes {
				assert.Contains(t, allowedAttributes[l.Type], name, key)
			}
			for _, name := range []string{"panelsJSON", "optionsJSON", "visState", "uiStateJSON"} {
				if value, ok := l.Attributes[name]; ok {
					assert.True(t, json.Valid([]byte(value.(string))), "%s %s", key, name)
				}
			}
		}
	})
}

func TestEveryReferenceResolves(t *testing.T) {
	eachFormat(t, func(t *testing.T, opts Options) {
		all := lines(t, opts)
		for key, l := range all {
			used := usedReferences(t, l)
			names := make([]string, 0, len(l.References))
			for _, r := range l.References {
				assert.Contains(t, all, r.Type+" "+r.ID, key)
				names = append(names, r.Name)
			}
			assert.ElementsMatch(t, used, names, "%s: what it refers to, and its list of references", key)
		}
	})
}

// usedReferences are the names that an object's content refers by.
func usedReferences(t *testing.T, l line) []string {
	t.Helper()
	used := []string{}
	if meta, ok := l.Attributes["kibanaSavedObjectMeta"].(map[string]any); ok {
		var source struct {
			IndexRefName string `json:"indexRefName"`
			Query        struct {
				Language string `json:"language"`
			} `json:"query"`
		}
		require.NoError(t, json.Unmarshal([]byte(meta["searchSourceJSON"].(string)), &source))
		assert.Equal(t, "lucene", source.Query.Language)
		if source.IndexRefName != "" {
			used = append(used, source.IndexRefName)
		}
	}
	for _, p := range panels(t, l) {
		used = append(used, p.PanelRefName)
	}
	return used
}

type gridPanel struct {
	PanelRefName string `json:"panelRefName"`
	PanelIndex   string `json:"panelIndex"`
	GridData     struct {
		X, Y, W, H int
		I          string
	} `json:"gridData"`
}

func panels(t *testing.T, l line) []gridPanel {
	t.Helper()
	if l.Type != typeDashboard {
		return nil
	}
	var list []gridPanel
	require.NoError(t, json.Unmarshal([]byte(l.Attributes["panelsJSON"].(string)), &list))
	return list
}

func TestPanelsDoNotOverlap(t *testing.T) {
	eachFormat(t, func(t *testing.T, opts Options) {
		for key, l := range lines(t, opts) {
			occupied := map[[2]int]string{}
			for _, p := range panels(t, l) {
				assert.Equal(t, p.PanelIndex, p.GridData.I, key)
				assert.LessOrEqual(t, p.GridData.X+p.GridData.W, 48, key)
				for x := range p.GridData.W {
					for y := range p.GridData.H {
						cell := [2]int{p.GridData.X + x, p.GridData.Y + y}
						require.Empty(t, occupied[cell], "%s: %s covers another panel", key, p.PanelRefName)
						occupied[cell] = p.PanelRefName
					}
				}
			}
		}
	})
}

// TestObjectsNameFieldsOfTheTemplates finds a misspelled field: such a panel would be empty.
func TestObjectsNameFieldsOfTheTemplates(t *testing.T) {
	eachFormat(t, func(t *testing.T, opts Options) {
		fieldsOf := map[string][]string{}
		for _, template := range Templates(opts) {
			fieldsOf[strings.TrimRight(template.pattern, "*")] = append(fieldNames("", template.mappings), "*")
		}
		all := lines(t, opts)
		for key, l := range all {
			for _, field := range namedFields(t, l) {
				over := all[typeIndexPattern+" "+l.References[0].ID]
				names := fieldsOf[strings.TrimRight(over.Attributes["title"].(string), "*")]
				assert.True(t, slices.Contains(names, strings.TrimSuffix(field, ".keyword")), "%s: %s", key, field)
			}
		}
	})
}

func namedFields(t *testing.T, l line) []string {
	t.Helper()
	var names []string
	switch l.Type {
	case typeSearch:
		for _, column := range l.Attributes["columns"].([]any) {
			names = append(names, column.(string))
		}
	case typeVisualization:
		var state struct {
			Aggs []struct {
				Params struct {
					Field string `json:"field"`
				} `json:"params"`
			} `json:"aggs"`
		}
		require.NoError(t, json.Unmarshal([]byte(l.Attributes["visState"].(string)), &state))
		for _, a := range state.Aggs {
			if a.Params.Field != "" {
				names = append(names, a.Params.Field)
			}
		}
	}
	return names
}
