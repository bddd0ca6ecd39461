// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package sink has small local test doubles of the back ends: an OpenSearch that accepts _bulk requests, and a Sentry
// that accepts envelopes and rejects what Sentry's Relay rejects. Both store what they accept in memory before they
// respond. They are http.Handlers and safe for concurrent use.
package sink

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"
)

// Server serves a sink on a local port.
type Server struct {
	url  string
	http *http.Server
	done chan struct{}
}

// Listen starts to serve h on addr. 127.0.0.1:0 selects a free port.
func Listen(ctx context.Context, addr string, h http.Handler) (*Server, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	s := &Server{
		url:  "http://" + l.Addr().String(),
		http: &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second},
		done: make(chan struct{}),
	}
	go func() {
		defer close(s.done)
		_ = s.http.Serve(l) // ends with ErrServerClosed
	}()
	return s, nil
}

// URL returns the server's address without a trailing slash.
func (s *Server) URL() string {
	return s.url
}

// Close stops the server. Requests in progress have until ctx is done.
func (s *Server) Close(ctx context.Context) error {
	err := s.http.Shutdown(ctx)
	if err != nil {
		err = errors.Join(err, s.http.Close())
	}
	<-s.done
	return err
}
