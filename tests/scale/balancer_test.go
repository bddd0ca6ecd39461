// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package scale

import (
	"errors"
	"io"
	"net"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// balancer passes each TCP connection to the next of its back ends that accepts it, as the simplest load balancers
// do.
type balancer struct {
	Address  string
	backends []string
	listener net.Listener
	serving  sync.WaitGroup

	mu   sync.Mutex // guards the fields below
	next int
	open map[net.Conn]bool // nil after it was closed
}

func newBalancer(t *testing.T, backends ...string) *balancer {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	b := &balancer{Address: listener.Addr().String(), backends: backends, listener: listener, open: map[net.Conn]bool{}}
	b.serving.Go(b.serve)
	t.Cleanup(b.close)
	return b
}

func (b *balancer) serve() {
	for {
		client, err := b.listener.Accept()
		if err != nil {
			return
		}
		b.serving.Go(func() { b.pipe(client) })
	}
}

// pipe connects a client with a back end until either closes the connection. The connection is closed if no back end
// accepts it.
func (b *balancer) pipe(client net.Conn) {
	defer b.forget(client)
	if !b.remember(client) {
		return
	}
	backend, err := b.dial()
	if err != nil {
		return
	}
	defer b.forget(backend)
	if !b.remember(backend) {
		return
	}
	var answers sync.WaitGroup
	answers.Go(func() {
		_, _ = io.Copy(client, backend)
		_ = client.Close()
	})
	_, _ = io.Copy(backend, client)
	_ = backend.Close()
	answers.Wait()
}

func (b *balancer) dial() (conn net.Conn, err error) {
	err = errors.New("no backends")
	for range b.backends {
		if conn, err = net.Dial("tcp", b.turn()); err == nil {
			return conn, nil
		}
	}
	return nil, err
}

func (b *balancer) turn() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.next++
	return b.backends[b.next%len(b.backends)]
}

// remember reports whether the balancer is still open.
func (b *balancer) remember(conn net.Conn) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.open == nil {
		return false
	}
	b.open[conn] = true
	return true
}

func (b *balancer) forget(conn net.Conn) {
	_ = conn.Close()
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.open, conn)
}

func (b *balancer) close() {
	_ = b.listener.Close()
	b.mu.Lock()
	for conn := range b.open {
		_ = conn.Close()
	}
	b.open = nil
	b.mu.Unlock()
	b.serving.Wait()
}
