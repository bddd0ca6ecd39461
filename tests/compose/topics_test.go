// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package compose

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/repo"
)

// topicCommands runs topics.sh with fake Kafka programs that record their arguments, and returns these.
func topicCommands(t *testing.T, env ...string) []string {
	t.Helper()
	dir := t.TempDir()
	log := filepath.Join(dir, "log")
	for _, program := range []string{"kafka-topics.sh", "kafka-configs.sh"} {
		script := "#!/bin/sh\necho " + program + ` "$@" >>` + log + "\n"
		require.NoError(t, os.WriteFile(filepath.Join(dir, program), []byte(script), 0o700)) //nolint:gosec // a program
	}
	cmd := exec.CommandContext(t.Context(), "sh", repo.Path("config", "scale", "topics.sh"))
	cmd.Env = slices.Concat(env, []string{"PATH=" + dir + string(filepath.ListSeparator) + os.Getenv("PATH")})
	out, err := cmd.CombinedOutput()
	require.NoErrorf(t, err, "%s", out)
	text, err := os.ReadFile(filepath.Clean(log))
	require.NoError(t, err)
	return strings.Split(strings.TrimSpace(string(text)), "\n")
}

var (
	topicKey     = regexp.MustCompile(`(?m)^ +topic: (\S+)$`)
	messageBytes = regexp.MustCompile(`(?m)^ +max_message_bytes: (\d+)$`)
	topicBytes   = regexp.MustCompile(`max\.message\.bytes=(\d+)`)
)

// The topics are those of the collectors' files, each accepts the largest message that a gateway may send, and the
// operator's settings are applied.
func TestTopicsScriptAgreesWithTheFiles(t *testing.T) {
	calls := topicCommands(
		t, "OTELCOL_KAFKA_TOPIC_PREFIX=acme", "OTELCOL_KAFKA_PARTITIONS=24", "OTELCOL_KAFKA_RETENTION_HOURS=2",
		"OTELCOL_KAFKA_ADMIN_CONFIG=/a b",
	)
	made, largest := map[string]bool{}, 0
	for _, file := range []string{"gateway", "reader", "writer", "metrics"} {
		text, err := os.ReadFile(repo.Path("config", "scale", file+".yaml"))
		require.NoError(t, err)
		for _, match := range topicKey.FindAllStringSubmatch(string(text), -1) {
			made[strings.Replace(match[1], "${env:OTELCOL_KAFKA_TOPIC_PREFIX:-dify}", "acme", 1)] = false
		}
		for _, match := range messageBytes.FindAllStringSubmatch(string(text), -1) {
			size, err := strconv.Atoi(match[1])
			require.NoError(t, err)
			largest = max(largest, size)
		}
	}
	require.Len(t, made, 4)
	require.Positive(t, largest)
	for _, call := range calls {
		assert.Contains(t, call, "--bootstrap-server kafka:9092 --command-config /a b ")
		for topic := range made {
			if !strings.Contains(call, "--topic "+topic+" ") {
				continue
			}
			made[topic] = true
			partitions := " --partitions 24 "
			if topic == "acme-metrics" {
				partitions = " --partitions 1 "
			}
			assert.Contains(t, call, partitions)
			assert.Contains(t, call, "--replication-factor 3")
		}
		if match := topicBytes.FindStringSubmatch(call); match != nil {
			size, err := strconv.Atoi(match[1])
			require.NoError(t, err)
			assert.GreaterOrEqual(t, size, largest)
			assert.Contains(t, call, "min.insync.replicas=2,retention.ms=7200000,")
		}
	}
	for topic, ok := range made {
		assert.True(t, ok, topic)
	}
	assert.Len(t, calls, 1+2*len(made), "a question whether Kafka is there, and two calls for each topic")
}

// With a single broker, as in the compose file, one replica acknowledges.
func TestTopicsScriptOnOneBroker(t *testing.T) {
	for _, call := range topicCommands(t, "OTELCOL_KAFKA_REPLICATION=1")[1:] {
		assert.Regexp(t, `--replication-factor 1$|min\.insync\.replicas=1,`, call)
		assert.NotContains(t, call, "--command-config")
	}
}
