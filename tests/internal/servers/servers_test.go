// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package servers

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"errors"
	"os"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver pgx
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/wait"
)

func TestPostgresGivesEachTestItsDatabase(t *testing.T) {
	pg, err := StartPostgres(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, pg.Stop()) })

	first, dropFirst, err := pg.NewDatabase(t.Context())
	require.NoError(t, err)
	second, dropSecond, err := pg.NewDatabase(t.Context())
	require.NoError(t, err)
	assert.NotEqual(t, first, second)
	require.NoError(t, dropFirst(t.Context()))
	require.NoError(t, dropSecond(t.Context()))
	require.ErrorContains(t, pg.Restore(t.Context(), first, "/dev/null"), "does not exist")
}

func TestRedisIsEmptied(t *testing.T) {
	r, err := StartRedis(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, r.Stop()) })
	require.NoError(t, r.Reset(t.Context()))
	assert.Contains(t, r.URL(1), "/1")
}

func TestPrometheusScrapesItsTarget(t *testing.T) {
	other, err := StartPrometheus(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, other.Stop()) })
	p, err := StartPrometheus(t.Context(), other.URL[len("http://"):])
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, p.Stop()) })

	wait.For(t, "a sample of the target", func(ctx context.Context) error {
		value, err := p.Value(ctx, "up")
		if err == nil && value != 1 {
			err = errors.New("the target is down")
		}
		return err
	})
}

func TestOpenSearchForgets(t *testing.T) {
	o, err := StartOpenSearch(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, o.Stop()) })

	var created struct{ Result string }
	document := map[string]any{"name": "one"}
	require.NoError(t, o.Send(t.Context(), "PUT", "/dify-traces-test/_create/1", document, &created))
	hits, err := o.Search(t.Context(), "dify-traces-*", All())
	require.NoError(t, err)
	require.Len(t, hits, 1)
	assert.Equal(t, Hit{Index: "dify-traces-test", ID: "1", Source: document}, hits[0])
	require.NoError(t, o.Reset(t.Context()))
	count, err := o.Count(t.Context(), "dify-traces-*")
	require.NoError(t, err)
	assert.Zero(t, count)
}

func TestMissingProgramSaysWhatToInstall(t *testing.T) {
	_, err := program("some-package", []string{"no-such-program"})
	assert.ErrorContains(
		t, err, "no-such-program not found: install the Debian package some-package or run tests/setup.sh",
	)
}

func TestDatabasesKeepWhatWasCommittedBeforeACrash(t *testing.T) {
	pg, err := StartOwnPostgres(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, pg.Stop()) })
	maria, err := StartMariaDB(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, maria.Stop()) })

	for _, s := range []struct {
		driver, dsn string
		*server
	}{
		{"pgx", pg.URL("postgres"), &pg.server},
		{"mysql", maria.Config().FormatDSN(), &maria.server},
	} {
		db, err := sql.Open(s.driver, s.dsn)
		require.NoError(t, err)
		defer db.Close()
		_, err = db.ExecContext(t.Context(), "CREATE TABLE kept (n int)")
		require.NoError(t, err)
		for _, crash := range []bool{false, true} {
			_, err = db.ExecContext(t.Context(), "INSERT INTO kept VALUES (1)")
			require.NoError(t, err)
			require.NoError(t, s.Halt(crash))
			require.Error(t, db.PingContext(t.Context()))
			require.NoError(t, s.Resume(t.Context()))
		}
		var rows int
		require.NoError(t, db.QueryRowContext(t.Context(), "SELECT count(*) FROM kept").Scan(&rows))
		assert.Equal(t, 2, rows, s.driver)
	}
}

func TestKafkaKeepsWhatItTookBeforeACrash(t *testing.T) {
	k, err := StartOwnKafka(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, k.Stop()) })
	const topic, group = "kept", "readers"
	require.NoError(t, k.CreateTopics(t.Context(), 2, topic))

	for i, crash := range []bool{false, true} {
		offset, failed := k.Produce(t.Context(), topic, 1, []byte{0, 1, 2})
		require.NoError(t, failed)
		require.EqualValues(t, i, offset)
		require.NoError(t, k.Halt(crash))
		require.NoError(t, k.Resume(t.Context()))
	}
	messages, err := k.Messages(t.Context(), topic)
	require.NoError(t, err)
	require.Len(t, messages, 2)
	assert.Equal(t, []byte{0, 1, 2}, messages[1].Value)

	expectLag := func(want int64) {
		t.Helper()
		lag, failed := k.Lag(t.Context(), group, topic)
		require.NoError(t, failed)
		assert.Equal(t, want, lag)
	}
	expectLag(2)
	require.NoError(t, k.Rewind(t.Context(), group, topic, 1))
	expectLag(1)
	committed, err := k.Committed(t.Context(), group, topic)
	require.NoError(t, err)
	assert.Equal(t, map[int32]int64{0: 1, 1: 1}, committed)
	require.NoError(t, k.DeleteTopics(t.Context(), topic))
}

func TestKafkaHasADoorWithTLSAndALogin(t *testing.T) {
	k, err := StartOwnKafka(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, k.Stop()) })
	pem, err := os.ReadFile(k.CAFile)
	require.NoError(t, err)
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM(pem))

	for name, login := range map[string]sasl.Mechanism{
		"SCRAM-SHA-512": scram.Auth{User: KafkaUser, Pass: KafkaPassword}.AsSha512Mechanism(),
		"PLAIN":         plain.Auth{User: KafkaUser, Pass: KafkaPassword}.AsMechanism(),
		"":              plain.Auth{User: KafkaUser, Pass: "wrong"}.AsMechanism(),
	} {
		client, err := kgo.NewClient(
			kgo.SeedBrokers(k.Secure), kgo.DialTLSConfig(&tls.Config{RootCAs: roots}), kgo.SASL(login),
		)
		require.NoError(t, err)
		err = client.Ping(t.Context())
		client.Close()
		if name == "" {
			require.ErrorContains(t, err, "SASL_AUTHENTICATION_FAILED")
		} else {
			require.NoError(t, err, name)
		}
	}
}
