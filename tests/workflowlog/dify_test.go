// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package workflowlog

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-dify/otelcol-dify/testkit/schema"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/repo"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/servers"
)

// role is the collector's role, which may only read.
const (
	role         = "otelcol"
	rolePassword = "Otelcol-5ecret" //nolint:gosec // of a server that the test starts
)

// dify is a Dify database with its server.
type dify struct {
	*sql.DB
	server  server
	env     map[string]string // the collector's variables for it
	dialect dialect
}

// server is one that can be halted.
type server interface {
	Halt(crash bool) error
	Resume(ctx context.Context) error
	Stop() error
}

// dialect has the differences between the databases.
type dialect struct {
	placeholder func(n int) string
	ignore      [2]string // before and after the rest of an INSERT that ignores existing rows
	connections string    // ids of the collector's connections
	cut         string    // closes one
	price       string    // the price in a node's execution_metadata
}

var databases = map[string]func(t *testing.T) *dify{"postgresql": newPostgres, "mysql": newMariaDB}

func newPostgres(t *testing.T) *dify {
	t.Helper()
	pg, err := servers.StartOwnPostgres(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, pg.Stop()) })
	config, err := pgx.ParseConfig(pg.URL("postgres"))
	require.NoError(t, err)
	config.RuntimeParams["timezone"] = "UTC" // as Dify's sessions
	db := open(t, stdlib.GetConnector(*config))
	db.server = pg
	db.env = map[string]string{
		"DB_TYPE": "postgresql", "DB_HOST": pg.Host, "DB_PORT": strconv.Itoa(pg.Port), "DB_DATABASE": "postgres",
	}
	db.dialect = dialect{
		placeholder: func(n int) string { return "$" + strconv.Itoa(n) },
		ignore:      [2]string{"INSERT", "ON CONFLICT DO NOTHING"},
		connections: "SELECT pid FROM pg_stat_activity WHERE usename = '" + role + "'",
		cut:         "SELECT pg_terminate_backend(%d)",
		price:       "(execution_metadata::json ->> 'total_price')::double precision",
	}
	db.must(t, schema.SQL)
	db.must(t, "CREATE ROLE "+role+" LOGIN PASSWORD '"+rolePassword+"'")
	db.must(t, "GRANT SELECT ON ALL TABLES IN SCHEMA public TO "+role)
	return db
}

func newMariaDB(t *testing.T) *dify {
	t.Helper()
	maria, err := servers.StartMariaDB(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, maria.Stop()) })
	config := maria.Config()
	config.MultiStatements = true
	config.Params = map[string]string{"sql_mode": "'ANSI_QUOTES,STRICT_TRANS_TABLES'"}
	connector, err := mysql.NewConnector(config)
	require.NoError(t, err)
	db := open(t, connector)
	db.server = maria
	db.env = map[string]string{
		"DB_TYPE": "mysql", "DB_HOST": maria.Host, "DB_PORT": strconv.Itoa(maria.Port),
		"DB_DATABASE": maria.Database,
	}
	db.dialect = dialect{
		placeholder: func(int) string { return "?" },
		ignore:      [2]string{"INSERT IGNORE", ""},
		connections: "SELECT id FROM information_schema.processlist WHERE user = '" + role + "'",
		cut:         "KILL %d",
		price:       "JSON_VALUE(execution_metadata, '$.total_price') + 0e0",
	}
	tables, err := os.ReadFile(repo.Path("components", "workflowlogreceiver", "testdata", "schema_mysql.sql"))
	require.NoError(t, err)
	db.must(t, string(tables))
	db.must(t, "CREATE USER '"+role+"'@'%' IDENTIFIED BY '"+rolePassword+"'")
	db.must(t, "GRANT SELECT ON "+maria.Database+".* TO '"+role+"'@'%'")
	return db
}

func open(t *testing.T, connector driver.Connector) *dify {
	t.Helper()
	db := sql.OpenDB(connector)
	t.Cleanup(func() { assert.NoError(t, db.Close()) })
	return &dify{DB: db}
}

// collectorEnv returns the variables that a collector needs to read the database.
func (d *dify) collectorEnv() map[string]string {
	env := maps.Clone(d.env)
	env["DB_USERNAME"], env["DB_PASSWORD"] = role, rolePassword
	return env
}

func (d *dify) must(t *testing.T, statement string) {
	t.Helper()
	_, err := d.ExecContext(t.Context(), statement)
	require.NoError(t, err, statement)
}

// cutConnections closes the collector's connections, possibly during a statement.
func (d *dify) cutConnections(t *testing.T) {
	t.Helper()
	for _, id := range list[int](t, d, d.dialect.connections) {
		_, err := d.ExecContext(t.Context(), fmt.Sprintf(d.dialect.cut, id))
		if err != nil {
			var gone *mysql.MySQLError
			require.ErrorAs(t, err, &gone)
			require.EqualValues(t, 1094, gone.Number, "no such connection any more")
		}
	}
}

// list reads a column.
func list[T any](t *testing.T, d *dify, query string) []T {
	t.Helper()
	rows, err := d.QueryContext(t.Context(), query)
	require.NoError(t, err)
	defer rows.Close()
	var found []T
	for rows.Next() {
		var value T
		require.NoError(t, rows.Scan(&value))
		found = append(found, value)
	}
	require.NoError(t, rows.Err())
	return found
}

// row is a row to insert, by column.
type row map[string]any

// executor is a database or a transaction.
type executor interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// insert adds rows with the same columns, unless they exist: a commit whose response was lost is repeated.
func (d *dify) insert(ctx context.Context, into executor, table string, rows ...row) error {
	columns := slices.Sorted(maps.Keys(rows[0]))
	var statement strings.Builder
	fmt.Fprintf(&statement, `%s INTO %s ("%s") VALUES `, d.dialect.ignore[0], table, strings.Join(columns, `", "`))
	args := make([]any, 0, len(rows)*len(columns))
	for i, row := range rows {
		statement.WriteString([]string{"(", ", ("}[min(i, 1)])
		for j, column := range columns {
			args = append(args, value(row[column]))
			statement.WriteString([]string{"", ", "}[min(j, 1)] + d.dialect.placeholder(len(args)))
		}
		statement.WriteString(")")
	}
	_, err := into.ExecContext(ctx, statement.String()+" "+d.dialect.ignore[1], args...)
	return err
}

// value converts a time as Dify does: to UTC, without a zone.
func value(v any) any {
	if at, ok := v.(time.Time); ok {
		return at.UTC().Format("2006-01-02 15:04:05.000000")
	}
	return v
}

// bind converts the question marks of a statement to the database's placeholders.
func (d *dify) bind(statement string) string {
	var bound strings.Builder
	for i, part := range strings.Split(statement, "?") {
		if i > 0 {
			bound.WriteString(d.dialect.placeholder(i))
		}
		bound.WriteString(part)
	}
	return bound.String()
}
