// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package servers

import (
	"context"
	"database/sql"
	"errors"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver pgx
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

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
	assert.ErrorContains(t, err, "no-such-program not found: install the Debian package some-package or run tests/setup.sh")
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
