// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"net"
	"strconv"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	Keep()
	goleak.VerifyTestMain(m)
}

func TestStartAndClose(t *testing.T) {
	s, err := Start(t.Context(), "secret")
	require.NoError(t, err)
	conn, err := pgx.Connect(t.Context(), s.URL())
	require.NoError(t, err)
	var version, name string
	require.NoError(
		t,
		conn.QueryRow(t.Context(), "SELECT current_setting('server_version_num'), current_database()").Scan(&version, &name),
	)
	assert.Regexp(t, "^15", version)
	assert.Equal(t, "dify", name)
	require.NoError(t, conn.Close(t.Context()))

	require.NoError(t, s.Close())
	assert.NoDirExists(t, s.Dir)
	_, err = net.Dial("tcp", net.JoinHostPort(s.Host(), strconv.Itoa(int(s.Port))))
	assert.Error(t, err, "the server is gone")
}

// TestServerEndsWithoutClose simulates a crash of the first process: only its end of the pipe is closed.
func TestServerEndsWithoutClose(t *testing.T) {
	s, err := Start(t.Context(), "secret")
	require.NoError(t, err)
	require.NoError(t, s.stdin.Close())
	<-s.exited
	_, err = net.Dial("tcp", net.JoinHostPort(s.Host(), strconv.Itoa(int(s.Port))))
	require.Error(t, err)
	assert.NoDirExists(t, s.Dir)
}
