// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package workflows checks the workflows of .github, which nothing runs before they are on GitHub.
package workflows

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rhysd/actionlint"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/repo"
)

func read(t *testing.T, file string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Clean(file))
	require.NoError(t, err)
	return text
}

// parsed returns the workflows by name, as actionlint reads them.
func parsed(t *testing.T) map[string]*actionlint.Workflow {
	t.Helper()
	files, err := filepath.Glob(repo.Path(".github", "workflows", "*"))
	require.NoError(t, err)
	found := map[string]*actionlint.Workflow{}
	for _, file := range files {
		workflow, problems := actionlint.Parse(read(t, file))
		require.Empty(t, problems, file)
		found[filepath.Base(file)] = workflow
	}
	for _, name := range []string{"test.yml", "release.yml", "soak.yml", "dependencies.yml"} {
		require.Contains(t, found, name)
	}
	return found
}

func TestActionlint(t *testing.T) {
	var out bytes.Buffer
	linter, err := actionlint.NewLinter(&out, &actionlint.LinterOptions{})
	require.NoError(t, err)
	problems, err := linter.LintDir(repo.Path(".github", "workflows"), nil)
	require.NoError(t, err)
	assert.Empty(t, problems, out.String())
}

var pinned = regexp.MustCompile(`uses: (\S+)@([0-9a-f]{40} # v\d+\.\d+\.\d+)$`)

// A tag can be moved to other code. The comment is what dependabot updates together with the hash.
func TestActionsArePinned(t *testing.T) {
	versions := map[string]string{}
	for name := range parsed(t) {
		uses := 0
		for line := range strings.Lines(string(read(t, repo.Path(".github", "workflows", name)))) {
			if !strings.Contains(line, "uses:") {
				continue
			}
			uses++
			match := pinned.FindStringSubmatch(strings.TrimSpace(line))
			require.NotNil(t, match, "%s: %s: not a hash with the version as a comment", name, line)
			if known, ok := versions[match[1]]; ok {
				assert.Equal(t, known, match[2], match[1])
			}
			versions[match[1]] = match[2]
		}
		assert.Positive(t, uses, name)
	}
}

// Only the job that publishes may write, and it runs nothing of the repository.
func TestPermissions(t *testing.T) {
	for name, workflow := range parsed(t) {
		require.NotNil(t, workflow.Permissions, name)
		require.Len(t, workflow.Permissions.Scopes, 1, name)
		assert.Equal(t, "read", workflow.Permissions.Scopes["contents"].Value.Value, name)
		for id, job := range workflow.Jobs {
			assert.NotNil(t, job.TimeoutMinutes, "%s %s", name, id)
			publishes := name == "release.yml" && id == "publish"
			assert.Equal(t, publishes, job.Permissions != nil, "%s %s", name, id)
			for _, step := range job.Steps {
				action, ok := step.Exec.(*actionlint.ExecAction)
				if !ok || !strings.HasPrefix(action.Uses.Value, "actions/checkout@") {
					continue
				}
				assert.False(t, publishes, "it checks out the repository")
				require.Contains(t, action.Inputs, "persist-credentials", "%s %s", name, id)
				assert.Equal(t, "false", action.Inputs["persist-credentials"].Value.Value, "%s %s", name, id)
			}
		}
	}
}

var (
	makeTarget = regexp.MustCompile(`(?m)(?:^|&& )make ([a-z-]+)`)
	definition = regexp.MustCompile(`(?m)^([a-z-]+):`)
)

// Each make target exists, the workflows call those that they are for, and no text from outside is part of a script.
func TestScripts(t *testing.T) {
	called := map[string]bool{}
	for name, workflow := range parsed(t) {
		for _, job := range workflow.Jobs {
			for _, step := range job.Steps {
				run, ok := step.Exec.(*actionlint.ExecRun)
				if !ok {
					continue
				}
				assert.NotContains(t, run.Run.Value, "${{", "%s: an expression in a script: use env", name)
				for _, match := range makeTarget.FindAllStringSubmatch(run.Run.Value, -1) {
					called[match[1]] = true
				}
			}
		}
	}
	for _, want := range []string{"test", "soak", "vulncheck", "check-exporter", "release"} {
		assert.True(t, called[want], "nothing calls make %s", want)
	}
	var targets []string
	for _, match := range definition.FindAllSubmatch(read(t, repo.Path("Makefile")), -1) {
		targets = append(targets, string(match[1]))
	}
	for target := range called {
		assert.Contains(t, targets, target, "in the Makefile")
	}
}

func TestSoakRunsEachSuite(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), repo.Path("tests", "soak.sh"), "--list").Output()
	require.NoError(t, err)
	var want, got []string
	for line := range strings.Lines(string(out)) {
		want = append(want, strings.Fields(line)[0])
	}
	for _, suite := range parsed(t)["soak.yml"].Jobs["soak"].Strategy.Matrix.Rows["suite"].Values {
		got = append(got, strings.Trim(suite.String(), `"`))
	}
	assert.Equal(t, want, got)
}

type dependabot struct {
	Version int `yaml:"version"`
	Updates []struct {
		Ecosystem   string   `yaml:"package-ecosystem"`
		Directory   string   `yaml:"directory"`
		Directories []string `yaml:"directories"`
		Schedule    struct {
			Interval string `yaml:"interval"`
		} `yaml:"schedule"`
		Ignore []struct {
			Name string `yaml:"dependency-name"`
		} `yaml:"ignore"`
		Groups map[string]struct {
			Patterns []string `yaml:"patterns"`
		} `yaml:"groups"`
	} `yaml:"updates"`
}

// Dependabot updates each Go module but the generated one, and each of npm.
func TestDependabotKnowsEachModule(t *testing.T) {
	decoder := yaml.NewDecoder(bytes.NewReader(read(t, repo.Path(".github", "dependabot.yml"))))
	decoder.KnownFields(true)
	var config dependabot
	require.NoError(t, decoder.Decode(&config))
	assert.Equal(t, 2, config.Version)
	directories := map[string][]string{}
	for _, update := range config.Updates {
		directories[update.Ecosystem] = append(update.Directories, update.Directory)
	}
	assert.Contains(t, directories, "github-actions")
	assert.ElementsMatch(t, append(folders(t, "go.mod"), ""), directories["gomod"])
	assert.ElementsMatch(t, append(folders(t, "package.json"), ""), directories["npm"])
}

// folders returns the folders of a file in the repository, as dependabot.yml names them.
func folders(t *testing.T, name string) []string {
	t.Helper()
	notOurs := []string{"bin", "distro", "node_modules", "testdata"}
	var found []string
	require.NoError(t, fs.WalkDir(os.DirFS(repo.Path()), ".", func(file string, entry fs.DirEntry, err error) error {
		switch hidden := strings.HasPrefix(entry.Name(), ".") && file != "."; {
		case err != nil:
			return err
		case entry.IsDir() && (hidden || slices.Contains(notOurs, entry.Name())):
			return fs.SkipDir
		case entry.Name() == name && !entry.IsDir():
			found = append(found, path.Join("/", path.Dir(file)))
		}
		return nil
	}))
	return found
}
