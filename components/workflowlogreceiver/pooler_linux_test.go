// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package workflowlogreceiver

import (
	"encoding/binary"
	"io"
	"net"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// testPooler checks that no lock is taken on a session that a pooler may give to others: a second reader reads too.
func testPooler(t *testing.T, db *database) {
	run := newRun()
	db.insert(t, run)
	cfg := db.config()
	cfg.Port = startPooler(t, net.JoinHostPort(db.host, strconv.Itoa(db.port)))
	for range 2 {
		r := startRig(t, cfg, newMemory())
		r.waitTold(t, runEvent, run.id)
		assert.Equal(t, 1, r.logged("connection pooler"))
	}
}

// startPooler passes connections on and tells at start-up, as PgBouncer does, a process id that is not the server's.
func startPooler(t *testing.T, address string) int {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go pool(client, address)
		}
	}()
	return listener.Addr().(*net.TCPAddr).Port
}

func pool(client net.Conn, address string) {
	defer func() { _ = client.Close() }()
	server, err := net.Dial("tcp", address)
	if err != nil {
		return
	}
	go func() {
		_, _ = io.Copy(server, client)
		_ = server.Close()
	}()
	for passMessage(client, server) {
	}
	_, _ = io.Copy(client, server)
}

// passMessage passes one message of the server's start-up, and reports whether there are more before the key.
func passMessage(client io.Writer, server io.Reader) bool {
	header := make([]byte, 5)
	if _, err := io.ReadFull(server, header); err != nil {
		return false
	}
	body := make([]byte, binary.BigEndian.Uint32(header[1:])-4)
	if _, err := io.ReadFull(server, body); err != nil {
		return false
	}
	isKey := header[0] == 'K'
	if isKey {
		binary.BigEndian.PutUint32(body, 7)
	}
	_, err := client.Write(append(header, body...))
	return err == nil && !isKey
}
