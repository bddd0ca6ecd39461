// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package mysql reads Dify's tables from MySQL, MariaDB, and other servers that speak their protocol.
package mysql

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"database/sql/driver"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/source"
)

const (
	connectTimeout = 10 * time.Second

	// idleTimeout lets the server close a connection whose peer is gone, and release its lock. By default this takes
	// eight hours.
	idleTimeout = "SET SESSION wait_timeout = 600"
)

// Connector opens connections to MySQL.
type Connector struct {
	driver   driver.Connector
	timeout  time.Duration
	lockName string
}

var _ source.Connector = (*Connector)(nil)

// NewConnector validates the settings. It does not connect.
func NewConnector(set source.Settings) (*Connector, error) {
	config := mysql.NewConfig()
	config.Net, config.Addr = "tcp", net.JoinHostPort(set.Host, strconv.Itoa(set.Port))
	if strings.HasPrefix(set.Host, "/") {
		config.Net, config.Addr = "unix", set.Host
	}
	config.User = set.Username
	config.Passwd = set.Password
	config.DBName = set.Database
	config.TLS = set.TLS
	config.Timeout = connectTimeout
	config.Loc = time.UTC
	config.ParseTime = true
	config.InterpolateParams = true // one round trip per statement, and no prepared statements
	config.Logger = &mysql.NopLogger{}

	connector, err := mysql.NewConnector(config)
	if err != nil {
		return nil, fmt.Errorf("prepare the connection: %w", err)
	}
	// Lock names are per server and at most 64 characters long, so a hash of the database's name is part of them.
	sum := sha256.Sum256([]byte(set.Database))
	return &Connector{
		driver:   connector,
		timeout:  set.StatementTimeout,
		lockName: "otelcol-dify.workflow_log." + hex.EncodeToString(sum[:8]),
	}, nil
}

// Connect opens a connection and prepares its session.
func (c *Connector) Connect(ctx context.Context) (source.Conn, error) {
	opening, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	db := sql.OpenDB(c.driver)
	pinned, err := db.Conn(opening)
	if err != nil {
		return nil, errors.Join(explain("connect", err), db.Close())
	}
	opened := &session{db: db, sql: pinned, timeout: c.timeout, lockName: c.lockName}
	if err := opened.prepare(opening); err != nil {
		return nil, errors.Join(err, opened.Close(ctx))
	}
	return &conn{opened, tables{opened}, related{opened}, appLogs{opened}}, nil
}

// conn is one connection. Its methods are in its parts.
type conn struct {
	*session
	tables
	related
	appLogs
}

// session is what the parts share. It pins the only connection of a pool.
type session struct {
	db       *sql.DB
	sql      *sql.Conn
	timeout  time.Duration
	lockName string
	schema   source.Schema
}

// prepare makes the session read-only and limits its statements.
func (c *session) prepare(ctx context.Context) error {
	var version string
	if err := c.sql.QueryRowContext(ctx, "SELECT VERSION()").Scan(&version); err != nil {
		return explain("read the version", err)
	}
	for _, statement := range []string{
		timeoutStatement(version, c.timeout), idleTimeout, "SET SESSION TRANSACTION READ ONLY",
	} {
		if _, err := c.sql.ExecContext(ctx, statement); err != nil {
			return explain("prepare the session", err)
		}
	}
	return nil
}

// timeoutStatement returns the statement that sets the timeout, in the server's dialect.
func timeoutStatement(version string, timeout time.Duration) string {
	switch {
	case strings.Contains(version, "MariaDB"):
		return fmt.Sprintf("SET SESSION max_statement_time = %.3f", timeout.Seconds())
	case strings.Contains(version, "OceanBase"):
		return fmt.Sprintf("SET SESSION ob_query_timeout = %d", timeout.Microseconds())
	default:
		return fmt.Sprintf("SET SESSION max_execution_time = %d", timeout.Milliseconds())
	}
}

// Lock acquires a named lock of the session, which the server releases when the connection ends.
func (c *session) Lock(ctx context.Context) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout+source.Grace)
	defer cancel()
	var locked sql.NullInt64
	if err := c.sql.QueryRowContext(ctx, "SELECT GET_LOCK(?, 0)", c.lockName).Scan(&locked); err != nil {
		return false, explain("lock", err)
	}
	if locked.Int64 != 1 {
		return false, source.ErrLockHeld
	}
	return true, nil
}

func (c *session) Close(context.Context) error {
	return errors.Join(c.sql.Close(), c.db.Close())
}

func (c *session) Now(ctx context.Context) (time.Time, error) {
	found, err := query(ctx, c, "read the clock", sqlNow, func(rows *sql.Rows) (now time.Time, err error) {
		err = rows.Scan(&now)
		return now, err
	})
	if err != nil {
		return time.Time{}, err
	}
	return found[0], nil
}

// DetailsAndRunsAfter sends one statement after the other: the protocol has no pipelining.
func (c *conn) DetailsAndRunsAfter(
	ctx context.Context, runs []*source.Run, after source.Position, limit int,
) ([]source.AppLog, []source.Node, []source.Run, error) {
	appLogs, nodes, err := c.Details(ctx, runs)
	if err != nil {
		return nil, nil, nil, err
	}
	next, err := c.RunsAfter(ctx, after, limit)
	return appLogs, nodes, next, err
}
