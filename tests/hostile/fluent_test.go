// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package hostile

import (
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/collector"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/repo"
)

// H5: with the shipped files, and without the variable that opens a port, log lines are accepted through a Unix socket
// only.
func TestFluentIsNotReachable(t *testing.T) {
	addresses, err := net.InterfaceAddrs()
	require.NoError(t, err)
	overlay := repo.Path("config", "overlays", "logs.yaml")
	text, err := os.ReadFile(overlay)
	require.NoError(t, err)
	assert.Contains(t, string(text), "${env:OTELCOL_FLUENT_ENDPOINT:-unix:///run/otelcol-dify/fluent.sock}")
	env, socket := backEnds(), filepath.Join(t.TempDir(), "fluent.sock")
	env["OTELCOL_FLUENT_ENDPOINT"] = "unix://" + socket // as the default, in a folder that every user has
	collector.Start(t, collector.Options{Configs: []string{collector.ShippedConfig(), overlay}, Env: env})
	conn, err := net.DialTimeout("unix", socket, time.Second)
	require.NoError(t, err)
	require.NoError(t, conn.Close())
	for _, address := range addresses {
		port := net.JoinHostPort(address.(*net.IPNet).IP.String(), "24224")
		if open, dialErr := net.DialTimeout("tcp", port, time.Second); dialErr == nil {
			t.Errorf("%s accepts connections", port)
			_ = open.Close()
		}
	}
	gateway, err := os.ReadFile(repo.Path("config", "scale", "gateway.yaml"))
	require.NoError(t, err)
	assert.Contains(t, string(gateway), "${env:OTELCOL_FLUENT_ENDPOINT:-127.0.0.1:24224}")
	templates, err := filepath.Glob(repo.Path("charts", "otelcol-dify", "templates", "*"))
	require.NoError(t, err)
	require.NotEmpty(t, templates)
	for _, path := range append(templates, repo.Path("charts", "otelcol-dify", "values.yaml")) {
		text, err = os.ReadFile(path)
		require.NoError(t, err)
		assert.NotRegexp(t, "24224|OTELCOL_FLUENT_ENDPOINT", string(text), path)
	}
}
