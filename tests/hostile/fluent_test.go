// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package hostile

import (
	"net"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/collector"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/repo"
)

// H5: with the shipped files, and without the variable that opens it, the port of log lines accepts connections from
// this machine only.
func TestFluentIsNotReachable(t *testing.T) {
	addresses, err := net.InterfaceAddrs()
	require.NoError(t, err)
	collector.Start(t, collector.Options{
		Configs: []string{collector.ShippedConfig(), repo.Path("config", "overlays", "logs.yaml")}, Env: backEnds(),
	})
	conn, err := net.DialTimeout("tcp", "127.0.0.1:24224", time.Second)
	require.NoError(t, err)
	require.NoError(t, conn.Close())
	for _, address := range addresses {
		ip := address.(*net.IPNet).IP
		if ip.IsLoopback() {
			continue
		}
		conn, err := net.DialTimeout("tcp", net.JoinHostPort(ip.String(), "24224"), time.Second)
		if !assert.Error(t, err, ip) {
			_ = conn.Close()
		}
	}
	gateway, err := os.ReadFile(repo.Path("config", "scale", "gateway.yaml"))
	require.NoError(t, err)
	assert.Contains(t, string(gateway), "${env:OTELCOL_FLUENT_ENDPOINT:-127.0.0.1:24224}")
	manifest, err := os.ReadFile(repo.Path("config", "scale", "kubernetes", "gateway.yaml"))
	require.NoError(t, err)
	assert.NotContains(t, string(manifest), "24224")
}
