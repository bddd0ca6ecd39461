// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package workflowlogreceiver

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/stretchr/testify/require"
)

// What the benchmark's peer reads is recorded from the receiver itself, so that both always read the same rows with
// the same statements: a proxy records the two messages of PostgreSQL's protocol that carry them.
const (
	messageParse = 'P' // a statement's text
	messageBind  = 'B' // its parameters
)

// startRecorder forwards connections to a server, and appends the statements to a file.
func startRecorder(tb testing.TB, host string, port int, file string) (proxyPort int) {
	tb.Helper()
	out, err := os.Create(file)
	require.NoError(tb, err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(tb, err)
	tb.Cleanup(func() {
		_ = listener.Close()
		_ = out.Close()
	})
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go forward(client, net.JoinHostPort(host, strconv.Itoa(port)), out)
		}
	}()
	return listener.Addr().(*net.TCPAddr).Port
}

func forward(client net.Conn, address string, out io.Writer) {
	defer func() { _ = client.Close() }()
	server, err := net.Dial("tcp", address)
	if err != nil {
		return
	}
	defer func() { _ = server.Close() }()
	go func() {
		_, _ = io.Copy(client, server)
		_ = client.Close()
	}()
	from := bufio.NewReader(client)
	startup, err := readMessage(from, 0)
	for message := startup; err == nil; message, err = readMessage(from, 1) {
		if _, err := server.Write(message); err != nil {
			return
		}
		if message[0] == messageParse || message[0] == messageBind {
			if _, err := out.Write(message); err != nil {
				return
			}
		}
	}
}

// readMessage reads a type, which the first message of a connection lacks, a length and the content.
func readMessage(from io.Reader, typeLength int) ([]byte, error) {
	header := make([]byte, typeLength+4)
	if _, err := io.ReadFull(from, header); err != nil {
		return nil, err
	}
	message := make([]byte, typeLength+int(binary.BigEndian.Uint32(header[typeLength:])))
	copy(message, header)
	_, err := io.ReadFull(from, message[len(header):])
	return message, err
}

// replay sends the recorded queries again, and reads and discards the rows. It returns how long that took.
func replay(b *testing.B, server *postgresServer, database, file string) time.Duration {
	b.Helper()
	recording, err := os.Open(file)
	require.NoError(b, err)
	defer func() { _ = recording.Close() }()
	conn, err := server.connect(database)
	require.NoError(b, err)
	ctx := context.WithoutCancel(b.Context())
	defer func() { _ = conn.Close(ctx) }()

	start := time.Now()
	parsed := map[string]pgproto3.Parse{}
	from := bufio.NewReaderSize(recording, 1<<20)
	for {
		message, err := readMessage(from, 1)
		if errors.Is(err, io.EOF) {
			return time.Since(start)
		}
		require.NoError(b, err)
		if message[0] == messageParse {
			var statement pgproto3.Parse
			require.NoError(b, statement.Decode(message[5:]))
			parsed[statement.Name] = statement
			continue
		}
		var bound pgproto3.Bind
		require.NoError(b, bound.Decode(message[5:]))
		statement := parsed[bound.PreparedStatement]
		if !strings.HasPrefix(statement.Query, "SELECT") {
			continue // BEGIN, COMMIT
		}
		rows := conn.PgConn().
			ExecParams(ctx, statement.Query, bound.Parameters, statement.ParameterOIDs,
				bound.ParameterFormatCodes, bound.ResultFormatCodes)
		for rows.NextRow() {
			_ = rows.Values()
		}
		_, err = rows.Close()
		require.NoError(b, err)
	}
}
