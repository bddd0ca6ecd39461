// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package hostile

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/collector"
)

// transport sends messages in random ways: as they are, compressed, damaged, cut off, slowly.
type transport struct {
	*mutator
	c     *collector.Collector
	conn  *grpc.ClientConn
	slots chan struct{} // connections that are held open
	seen  map[string]int
}

func newTransport(t *testing.T, m *mutator, c *collector.Collector) *transport {
	t.Helper()
	conn, err := grpc.NewClient(c.OTLPGRPC, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return &transport{mutator: m, c: c, conn: conn, slots: make(chan struct{}, 20), seen: map[string]int{}}
}

var methods = map[string]string{
	"traces":  tracesMethod,
	"metrics": "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
	"logs":    "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
}

// send sends a message. An error is a response that no client should get.
func (s *transport) send(t *testing.T, msg message) error {
	t.Helper()
	way := s.IntN(20)
	switch {
	case way < 6 && msg.kind == protobuf:
		return s.sendGRPC(t, msg)
	case way == 18:
		s.hold(msg)
		return nil
	case way == 19:
		return s.sendRaw(msg)
	}
	return s.sendHTTP(t, msg)
}

func (s *transport) sendGRPC(t *testing.T, msg message) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	opts := []grpc.CallOption{grpc.ForceCodec(rawCodec{})}
	if s.IntN(2) == 0 {
		opts = append(opts, grpc.UseCompressor("gzip"))
	}
	code := status.Code(s.conn.Invoke(ctx, methods[msg.signal], msg.body, nil, opts...))
	s.seen["gRPC "+code.String()]++
	if !slices.Contains([]codes.Code{codes.OK, codes.InvalidArgument, codes.Unavailable, codes.ResourceExhausted}, code) {
		return fmt.Errorf("gRPC code %s", code)
	}
	return nil
}

func (s *transport) sendHTTP(t *testing.T, msg message) error {
	t.Helper()
	body, encoding, signal, kind := msg.body, "", msg.signal, msg.kind
	switch s.IntN(8) {
	case 0, 1, 2:
		body, encoding = compress(t, body), "gzip"
	case 3:
		body, encoding = s.changeBytes(compress(t, body)), "gzip"
	case 4:
		encoding = pick(s.mutator, []string{"gzip", "deflate", "zstd", "snappy", "lz4", "br", "identity", "x"})
	case 5:
		kind = pick(s.mutator, []string{json, protobuf, "", "text/plain", "application/json; charset=utf-8"})
	case 6:
		signal = pick(s.mutator, []string{"traces", "metrics", "logs", "profiles"})
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	url := "http://" + s.c.OTLPHTTP + "/v1/" + signal
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", kind)
	if encoding != "" {
		req.Header.Set("Content-Encoding", encoding)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	s.seen["HTTP "+resp.Status]++
	if !slices.Contains([]int{200, 400, 404, 413, 415, 503}, resp.StatusCode) {
		return fmt.Errorf("HTTP status %s: %.300q", resp.Status, answer)
	}
	return nil
}

// sendRaw sends a part of the body, or nonsense, and closes the connection.
func (s *transport) sendRaw(msg message) error {
	address := pick(s.mutator, []string{s.c.OTLPHTTP, s.c.OTLPHTTP, s.c.OTLPGRPC})
	conn, err := net.DialTimeout("tcp", address, 10*time.Second)
	if err != nil {
		return err
	}
	defer conn.Close()
	text := fmt.Appendf(nil, "POST /v1/%s HTTP/1.1\r\nHost: x\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n",
		msg.signal, msg.kind, len(msg.body))
	if s.IntN(3) == 0 {
		text = s.changeBytes(text)
	}
	text = append(text, msg.body[:s.IntN(len(msg.body)+1)]...)
	_ = conn.SetWriteDeadline(time.Now().Add(10 * time.Second))
	_, _ = conn.Write(text) // the collector may have closed it
	s.seen["cut off"]++
	return nil
}

// hold sends half of a header or of a body, and the rest never.
func (s *transport) hold(msg message) {
	select {
	case s.slots <- struct{}{}:
	default:
		return
	}
	text := fmt.Sprintf("POST /v1/%s HTTP/1.1\r\nHost: x\r\nContent-Type: %s\r\nContent-Length: 1000000\r\n\r\nxxx", msg.signal, msg.kind)
	text = text[:1+s.IntN(len(text)-1)]
	wait := time.Duration(s.IntN(70)) * time.Second
	s.seen["slow"]++
	go func() {
		defer func() { <-s.slots }()
		conn, err := net.DialTimeout("tcp", s.c.OTLPHTTP, 10*time.Second)
		if err != nil {
			return
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, text)
		time.Sleep(wait)
	}()
}
