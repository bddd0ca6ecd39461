// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package hostile

import (
	"bytes"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/collector"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/repo"
)

// TestHalfRequestsHoldNoShutdown opens connections that send nothing, or a part of a request, and never the rest. The
// collector stops all the same, before Docker would kill it with what it holds in memory.
func TestHalfRequestsHoldNoShutdown(t *testing.T) {
	env, socket := backEnds(), filepath.Join(t.TempDir(), "fluent.sock")
	env["OTELCOL_FLUENT_ENDPOINT"] = "unix://" + socket
	c := collector.Start(t, collector.Options{
		Configs: []string{collector.ShippedConfig(), repo.Path("config", "overlays", "logs.yaml")}, Env: env,
	})
	const (
		post    = "POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\n"
		length  = post + "Content-Length: 1000\r\n\r\n"
		chunked = post + "Transfer-Encoding: chunked\r\n\r\n64\r\n"
		get     = "GET / HTTP/1.1\r\nHo"
	)
	for _, connection := range []struct {
		address string
		texts   []string
	}{
		{c.OTLPHTTP, []string{"", post, length, length + "xxx", chunked + "xxx", strings.Replace(length, "1000", "9000000", 1)}},
		{c.OTLPGRPC, []string{"", http2.ClientPreface[:9], http2.ClientPreface, grpcRequest(t, ""), grpcRequest(t, "\x00\x00\x00\x03\xe8xxx")}},
		{c.Prometheus, []string{"", get}},
		{c.Telemetry, []string{"", get}},
		{c.Status, []string{"", get}},
		{socket, []string{"", "\x93\xa6dock"}},
	} {
		for _, text := range connection.texts {
			network := "tcp"
			if connection.address == socket {
				network = "unix"
			}
			conn, err := net.Dial(network, connection.address)
			require.NoError(t, err)
			defer conn.Close()
			_, err = io.WriteString(conn, text)
			require.NoError(t, err)
		}
	}
	checkGood(t, c, 0)
	t.Logf("stopped after %s", c.Terminate(t).Round(100*time.Millisecond))
}

// grpcRequest returns a request whose message is not sent to its end.
func grpcRequest(t *testing.T, message string) string {
	t.Helper()
	var headers, request bytes.Buffer
	encoder := hpack.NewEncoder(&headers)
	for _, field := range [][2]string{
		{":method", "POST"},
		{":scheme", "http"},
		{":path", tracesMethod},
		{":authority", "x"},
		{"content-type", "application/grpc"},
		{"te", "trailers"},
	} {
		require.NoError(t, encoder.WriteField(hpack.HeaderField{Name: field[0], Value: field[1]}))
	}
	request.WriteString(http2.ClientPreface)
	framer := http2.NewFramer(&request, nil)
	require.NoError(t, framer.WriteSettings())
	require.NoError(t, framer.WriteHeaders(http2.HeadersFrameParam{
		StreamID: 1, BlockFragment: headers.Bytes(), EndHeaders: true,
	}))
	require.NoError(t, framer.WriteData(1, false, []byte(message)))
	return request.String()
}
