// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package opensearchbulk

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/repo"
)

// A replay that ends early deletes nothing, and no run touches the dead letters of another one. This is tested
// without a real node, which can't be made to end a replay early at a defined time.
func TestReplayThatEndsEarlyDeletesNothing(t *testing.T) {
	var mu sync.Mutex
	asked, marks := []string{}, map[string]bool{}
	mark := regexp.MustCompile(`"replay":"([^"]+)"`)
	node := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		assert.NoError(t, err)
		mu.Lock()
		defer mu.Unlock()
		asked = append(asked, r.URL.Path)
		if r.URL.Path == "/_reindex" {
			if found := mark.FindSubmatch(body); assert.NotNil(t, found, "only what is marked is replayed") {
				marks[string(found[1])] = true
			}
			_, _ = io.WriteString(
				w,
				`{"took":1,"timed_out":false,"total":3,"created":1,"version_conflicts":1,"failures":[],"canceled":"by user request"}`,
			)
			return
		}
		_, _ = io.WriteString(w, `{}`)
	}))
	t.Cleanup(node.Close)
	for range 2 {
		cmd := exec.CommandContext(t.Context(), repo.Path("config", "opensearch", "replay-dead-letters.sh"))
		cmd.Env = append(os.Environ(), "OTELCOL_OPENSEARCH_URL="+node.URL)
		output, err := cmd.CombinedOutput()
		require.Error(t, err, string(output))
		assert.Contains(t, string(output), "the task ended early, so nothing was deleted")
	}
	assert.Len(t, marks, 2, "each run has a mark of its own")
	assert.NotContains(t, strings.Join(asked, " "), "_delete_by_query")
}
