// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package postgres reads Dify's tables from PostgreSQL, also through PgBouncer in transaction mode: it sends no
// startup option that a pooler rejects, prepares no named statement, and changes no setting of a session that may be
// shared.
package postgres

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/source"
)

const (
	applicationName = "otelcol-dify"
	connectTimeout  = 10 * time.Second

	// lockKey is the advisory lock of the single reader: the bytes of "odify_wl". Advisory locks are per database.
	lockKey int64 = 0x6f646966795f776c

	// keepAlive lets the server notice within a minute that the reader's machine is gone, and release its lock. By
	// default this takes two hours.
	keepAlive = "SET tcp_keepalives_idle = 30; SET tcp_keepalives_interval = 10; SET tcp_keepalives_count = 3"
)

// Connector opens connections to PostgreSQL.
type Connector struct {
	config *pgx.ConnConfig
	set    source.Settings
}

var _ source.Connector = (*Connector)(nil)

// NewConnector validates the settings. It does not connect.
func NewConnector(set source.Settings) (*Connector, error) {
	// Explicit values keep the libpq environment variables and files of the process out.
	config, err := pgx.ParseConfig("host=localhost port=5432 user=- password=- dbname=- sslmode=disable")
	if err != nil {
		return nil, fmt.Errorf("prepare the connection: %w", err)
	}
	config.Host = set.Host
	config.Port = uint16(set.Port) //nolint:gosec // Config.Validate limits it to 65535
	config.User = set.Username
	config.Password = set.Password
	config.Database = set.Database
	config.TLSConfig = withServerName(set.TLS, set.Host)
	config.Fallbacks = nil
	config.ConnectTimeout = connectTimeout
	config.RuntimeParams = map[string]string{"application_name": applicationName}
	config.DefaultQueryExecMode = pgx.QueryExecModeExec
	return &Connector{config: config, set: set}, nil
}

func withServerName(config *tls.Config, host string) *tls.Config {
	if config == nil || config.ServerName != "" {
		return config
	}
	config = config.Clone()
	config.ServerName = host
	return config
}

// Connect opens a connection.
func (c *Connector) Connect(ctx context.Context) (source.Conn, error) {
	pg, err := pgx.ConnectConfig(ctx, c.config.Copy())
	if err != nil {
		return nil, explain("connect", err)
	}
	s := &session{pg: pg, timeout: c.set.StatementTimeout, prologue: prologue(c.set), interner: interner{}}
	if c.set.TimeZone != "" {
		s.zone = &source.Zone{Name: c.set.TimeZone, Used: true, Known: true}
	}
	return &conn{s, tables{s}, related{s}, appLogs{s}, catalog{s}}, nil
}

// conn is one connection. Its methods are in its parts.
type conn struct {
	*session
	tables
	related
	appLogs
	catalog
}

// session is what the parts share.
type session struct {
	pg       *pgx.Conn
	timeout  time.Duration
	prologue []string // begins each transaction
	interner interner
	schema   source.Schema
	zone     *source.Zone // as configured, or nil
	parts    int64        // workflow_app_logs and its partitions, when they were last counted
}

// Lock acquires a session-level advisory lock, which the server releases when the connection ends. Behind a pooler the
// session is shared: the lock would stay with a server connection that serves other clients. A pooler reports a
// process ID of its own at startup, which is how it is recognized.
func (c *session) Lock(ctx context.Context) (unlocked, err error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout+source.Grace)
	defer cancel()
	var pid uint32
	if err := c.pg.QueryRow(ctx, "SELECT pg_backend_pid()::int8").Scan(&pid); err != nil {
		return c.refused("pg_backend_pid()", err)
	}
	if pid != c.pg.PgConn().PID() {
		return source.ErrPooled, nil
	}
	if _, err := c.pg.Exec(ctx, keepAlive); err != nil && c.pg.IsClosed() {
		return nil, explain("prepare the session", err)
	}
	var locked bool
	if err := c.pg.QueryRow(ctx, "SELECT pg_try_advisory_lock($1::int8)", lockKey).Scan(&locked); err != nil {
		return c.refused("pg_try_advisory_lock(bigint)", err)
	}
	if !locked {
		return nil, source.ErrLockHeld
	}
	return nil, nil
}

// refused separates a server that refuses to lock from an error of the connection.
func (c *session) refused(function string, err error) (unlocked, connection error) {
	var pgErr *pgconn.PgError
	switch {
	case !errors.As(err, &pgErr) || c.pg.IsClosed() || pgErr.Code == codeTimeout:
		return nil, explain("lock", err)
	case pgErr.Code == codeDenied:
		return fmt.Errorf("%w: grant EXECUTE on function pg_catalog.%s to the role in `username`",
			oneLine{err}, function), nil
	default:
		return fmt.Errorf("this server has no advisory locks: %w", oneLine{err}), nil
	}
}

func (c *session) Close(ctx context.Context) error {
	return c.pg.Close(ctx)
}

func (c *conn) DetailsAndRunsAfter(ctx context.Context, runs []*source.Run, after source.Position, limit int) (
	details source.Details, next []source.Run, err error,
) {
	err = c.query(ctx, append(c.details(runs, &details), c.runsAfter(after, limit, &next))...)
	return details, next, err
}
