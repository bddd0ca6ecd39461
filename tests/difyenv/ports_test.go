// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package difyenv

import (
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/collector"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/repo"
)

// TestNoOtherPortIsOpen checks that the documented list of ports is complete: the two that require the key, and the
// three that are read-only.
func TestNoOtherPortIsOpen(t *testing.T) {
	env := maps.Clone(away)
	env["OTLP_API_KEY"], env["OTELCOL_OPENSEARCH_URL"] = rightKey, "http://127.0.0.1:1"
	c := collector.Start(t, collector.Options{
		Configs: []string{collector.ShippedConfig(), repo.Path("config", "overlays", "auth.yaml")}, Env: env,
	})
	open := listening(t, c.Pid())
	for _, address := range []string{c.OTLPGRPC, c.OTLPHTTP, c.Prometheus, c.Telemetry, c.Status} {
		assert.Contains(t, open, portOf(t, address))
	}
	assert.Len(t, open, 6, "these five and the health check")
}

func portOf(t *testing.T, address string) string {
	t.Helper()
	_, port, err := net.SplitHostPort(address)
	require.NoError(t, err)
	return port
}

// listening returns the TCP ports on which a process listens, as the kernel lists them.
func listening(t *testing.T, pid int) []string {
	t.Helper()
	const stateListen = "0A"
	sockets := socketsOf(t, pid)
	var ports []string
	for _, table := range []string{"tcp", "tcp6"} {
		for line := range strings.Lines(readFile(t, fmt.Sprintf("/proc/%d/net/%s", pid, table))) {
			fields := strings.Fields(line)
			if len(fields) < 10 || fields[3] != stateListen || !sockets["socket:["+fields[9]+"]"] {
				continue
			}
			_, hex, _ := strings.Cut(fields[1], ":")
			port, err := strconv.ParseUint(hex, 16, 16)
			require.NoError(t, err)
			ports = append(ports, strconv.FormatUint(port, 10))
		}
	}
	return ports
}

func socketsOf(t *testing.T, pid int) map[string]bool {
	t.Helper()
	links, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	require.NoError(t, err)
	sockets := map[string]bool{}
	for _, link := range links {
		if target, err := os.Readlink(link); err == nil { // a file that was closed meanwhile is irrelevant
			sockets[target] = true
		}
	}
	return sockets
}
