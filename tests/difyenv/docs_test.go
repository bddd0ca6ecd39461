// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package difyenv

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/collector"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/repo"
)

var (
	link     = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading  = regexp.MustCompile(`(?m)^#+ (.+)$`)
	variable = regexp.MustCompile(`\$\{(?:env:)?([A-Z][A-Z_]+)`)
	notID    = regexp.MustCompile(`[^a-z0-9 _-]`)
)

// pages returns all documents that operators read, by path.
func pages(t *testing.T) map[string]string {
	t.Helper()
	pages := map[string]string{}
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/*/*.md", "config/*/*.md", "components/*/README.md"} {
		paths, err := filepath.Glob(repo.Path(filepath.FromSlash(pattern)))
		require.NoError(t, err)
		require.NotEmpty(t, paths, pattern)
		for _, path := range paths {
			pages[path] = readFile(t, path)
		}
	}
	return pages
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(text)
}

func TestLinksLeadSomewhere(t *testing.T) {
	for path, text := range pages(t) {
		for _, match := range link.FindAllStringSubmatch(prose(text), -1) {
			checkLink(t, path, match[1])
		}
	}
}

func checkLink(t *testing.T, page, target string) {
	t.Helper()
	if strings.Contains(target, "://") {
		return
	}
	file, anchor, _ := strings.Cut(target, "#")
	path := page
	if file != "" {
		path = filepath.Join(filepath.Dir(page), filepath.FromSlash(file))
	}
	if _, err := os.Stat(path); !assert.NoErrorf(t, err, "%s links to %s", page, target) || anchor == "" {
		return
	}
	assert.Containsf(t, anchors(readFile(t, path)), anchor, "%s links to %s", page, target)
}

// anchors are the ids that a page's headings get on GitHub.
func anchors(text string) []string {
	var ids []string
	for _, match := range heading.FindAllStringSubmatch(prose(text), -1) {
		id := notID.ReplaceAllString(strings.ToLower(match[1]), "")
		ids = append(ids, strings.ReplaceAll(id, " ", "-"))
	}
	return ids
}

func TestConfigurationPageNamesEachVariable(t *testing.T) {
	page := readFile(t, repo.Path("docs", "configuration.md"))
	for _, pattern := range []string{
		"docker-compose*.yaml", "config/*.yaml", "config/overlays/*.yaml", "config/scale/*.yaml", "config/scale/*.sh",
		"config/alertmanager/*.yaml",
	} {
		paths, err := filepath.Glob(repo.Path(filepath.FromSlash(pattern)))
		require.NoError(t, err)
		require.NotEmpty(t, paths, pattern)
		for _, path := range paths {
			for _, match := range variable.FindAllStringSubmatch(readFile(t, path), -1) {
				assert.Containsf(t, page, "`"+match[1]+"`", "%s uses it", path)
			}
		}
	}
}

func TestExampleConfigurationIsValid(t *testing.T) {
	blocks := blocksOf(t, "configuration.md", "yaml", "# my.yaml")
	require.Len(t, blocks, 1)
	path := filepath.Join(t.TempDir(), "my.yaml")
	require.NoError(t, os.WriteFile(path, []byte(blocks[0]), 0o600))
	result := collector.Validate(t, nil, collector.ShippedConfig(), path)
	assert.Zero(t, result.Code, result.Output)

	blocks = blocksOf(t, "configuration.md", "yaml", "# mine.yaml")
	require.Len(t, blocks, 1)
	require.NoError(t, os.WriteFile(path, []byte(blocks[0]), 0o600))
	result = collector.Difyctl(t, nil, "config", collector.ShippedConfig(), path)
	require.Zero(t, result.Code, result.Output)
	result = collector.Validate(t, nil, "yaml:"+result.Output)
	assert.Zero(t, result.Code, result.Output)
}

// block is a page's code block.
type block struct{ language, text string }

// parse divides a page into its prose and its code blocks.
func parse(text string) (prose string, blocks []block) {
	var inside *block
	for line := range strings.Lines(text) {
		language, isFence := strings.CutPrefix(strings.TrimSpace(line), "```")
		switch {
		case isFence && inside == nil:
			inside = &block{language: language}
		case isFence:
			blocks, inside = append(blocks, *inside), nil
		case inside != nil:
			inside.text += line
		default:
			prose += line
		}
	}
	return prose, blocks
}

func prose(text string) string {
	prose, _ := parse(text)
	return prose
}

// blocksOf returns a page's code blocks of one language that contain the text.
func blocksOf(t *testing.T, page, language, holds string) []string {
	t.Helper()
	var texts []string
	_, blocks := parse(readFile(t, repo.Path("docs", page)))
	for _, b := range blocks {
		if b.language == language && strings.Contains(b.text, holds) {
			texts = append(texts, b.text)
		}
	}
	return texts
}
