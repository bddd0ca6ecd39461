// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package workflowlogreceiver

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componentstatus"
)

// TestTopologies reads from a server with TLS, from its hot standby, and through PgBouncer.
func TestTopologies(t *testing.T) {
	dir := serverDir(t)
	certificate, key := selfSigned(t, dir)
	initPostgres(t, dir)
	access := filepath.Join(dir, "data", "pg_hba.conf")
	trusting, err := os.ReadFile(access)
	require.NoError(t, err)
	require.NoError(
		t, os.WriteFile(access, append([]byte("host all "+guarded+" 127.0.0.1/32 scram-sha-256\n"), trusting...), 0o600),
	)
	s := newPostgresServer(t, bootPostgres(t, dir, "ssl=on", "ssl_cert_file="+certificate, "ssl_key_file="+key))

	t.Run("tls", func(t *testing.T) { testTLS(t, s.newDatabase(t), certificate) })
	t.Run("wrong password", func(t *testing.T) { testWrongPassword(t, s.newDatabase(t)) })
	t.Run("hot standby", func(t *testing.T) { testStandby(t, s) })
	t.Run("PgBouncer in transaction mode", func(t *testing.T) { testPgBouncer(t, s.newDatabase(t)) })
}

// guarded is a role whose password the server checks.
const guarded = "guarded"

func testWrongPassword(t *testing.T, db *database) {
	db.createRole(t, guarded)
	defer db.dropRole(t, guarded)
	db.grant(t, guarded)
	run := newRun()
	db.insert(t, run)
	cfg := db.config()
	cfg.Username, cfg.Password = guarded, "wrong-secret"
	r := startHarness(t, cfg, newMemory())
	require.Eventually(t, func() bool { return r.host.last() == componentstatus.StatusRecoverableError }, waitFor, tick)
	for _, entry := range r.log.All() {
		assert.NotContains(t, entryText(entry), "wrong-secret")
	}
	assert.Contains(
		t, entryText(r.log.FilterMessageSnippet("Reading Dify's database failed").All()[0]),
		"check `username` and `password`",
	)
	r.stop(t)

	cfg = db.config()
	cfg.Username, cfg.Password = guarded, "hunter2"
	r = startHarness(t, cfg, newMemory())
	r.waitDelivered(t, runEvent, run.id)
	assert.Zero(t, r.logged("cannot be read"), "the privileges in the README are sufficient")
	r.stop(t)
}

func testTLS(t *testing.T, db *database, certificate string) {
	run := newRun()
	db.insert(t, run)
	cfg := db.config()
	cfg.TLS.Insecure = false
	strangers := startHarness(t, cfg, newMemory())
	require.Eventually(
		t, func() bool { return strangers.host.last() == componentstatus.StatusRecoverableError }, waitFor, tick,
	)
	assert.Contains(
		t, entryText(strangers.log.FilterMessageSnippet("Reading Dify's database failed").All()[0]), "certificate",
	)
	strangers.stop(t)

	trusted := db.config()
	trusted.TLS.Insecure, trusted.TLS.CAFile = false, certificate
	r := startHarness(t, trusted, newMemory())
	r.waitDelivered(t, runEvent, run.id)
	encrypted := "DO $$ BEGIN ASSERT (SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE " +
		"application_name = 'otelcol-dify'); END $$"
	require.NoError(t, db.run(encrypted))
}

// testStandby reads from a hot standby that follows the server.
func testStandby(t *testing.T, primary *postgresServer) {
	db := primary.newDatabase(t)
	before := newRun()
	db.insert(t, before)
	dir := serverDir(t)
	runAs(
		t, dir, filepath.Join(postgresBinaries, "pg_basebackup"), "-D", dir+"/data", "-h", db.host, "-p",
		strconv.Itoa(db.port), "-U", db.user, "-R", "-X", "stream", "-c", "fast", "--no-sync",
	)
	standby, err := pgx.ParseConfig(bootPostgres(t, dir))
	require.NoError(t, err)

	cfg := db.config()
	cfg.Port = int(standby.Port)
	r := startHarness(t, cfg, newMemory())
	r.waitDelivered(t, runEvent, before.id)
	after := newRun()
	db.insert(t, after)
	r.waitDelivered(t, runEvent, before.id, after.id)
	second := startHarness(t, cfg, newMemory())
	require.Eventually(t, func() bool { return second.logged("this one waits") == 1 }, waitFor, tick)
}

// testPgBouncer has two server connections behind one address: no session belongs to the receiver alone.
func testPgBouncer(t *testing.T, db *database) {
	run := newRun()
	db.insertAppLog(t, run)
	db.insert(t, run)
	cfg := db.config()
	cfg.Port = startPgBouncer(t, db)
	r := startHarness(t, cfg, newMemory())
	r.waitDelivered(t, runEvent, run.id)
	assert.Equal(t, 1, r.logged("connection pooler"))
	late := newRun().at(time.Now().Add(-time.Minute))
	db.insert(t, late)
	r.waitDelivered(t, runEvent, run.id, late.id)
	db.cutConnections(t)
	last := newRun()
	db.insert(t, last)
	r.waitDelivered(t, runEvent, run.id, late.id, last.id)
}

func startPgBouncer(t *testing.T, db *database) (port int) {
	t.Helper()
	const program = "/usr/sbin/pgbouncer"
	require.FileExists(t, program, "install the Debian package pgbouncer")
	dir, port := serverDir(t), freePort(t)
	file := filepath.Join(dir, "pgbouncer.ini")
	settings := fmt.Sprintf(
		"[databases]\n* = host=%s port=%d user=%s\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = "+
			"%d\nunix_socket_dir = %s\n"+
			"auth_type = any\npool_mode = transaction\ndefault_pool_size = 2\n",
		db.host,
		db.port,
		db.user,
		port,
		dir,
	)
	require.NoError(t, os.WriteFile(file, []byte(settings), 0o644)) //nolint:gosec // another user reads it
	startProcess(t, dir, syscall.SIGINT, program, file)
	require.Eventually(t, func() bool {
		conn, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	}, waitFor, tick)
	return port
}

// selfSigned writes a certificate for 127.0.0.1 and its key, as files that the server's user may read.
func selfSigned(t *testing.T, dir string) (certificate, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	require.NoError(t, err)
	secret, err := x509.MarshalECPrivateKey(private)
	require.NoError(t, err)
	certificate, key = filepath.Join(dir, "server.crt"), filepath.Join(dir, "server.key")
	for file, block := range map[string]*pem.Block{
		certificate: {Type: "CERTIFICATE", Bytes: der},
		key:         {Type: "EC PRIVATE KEY", Bytes: secret},
	} {
		require.NoError(t, os.WriteFile(file, pem.EncodeToMemory(block), 0o600))
		if os.Geteuid() == 0 {
			require.NoError(t, os.Chown(file, nobody, nobody))
		}
	}
	return certificate, key
}
