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
	timeZone string // as configured, or ""
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
		timeZone: set.TimeZone,
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
	if err := opened.prepare(opening, c.timeZone); err != nil {
		return nil, errors.Join(err, opened.Close(ctx))
	}
	return &conn{opened, tables{opened}, related{opened}, appLogs{opened}, catalog{opened}}, nil
}

// conn is one connection. Its methods are in its parts.
type conn struct {
	*session
	tables
	related
	appLogs
	catalog
}

// session is what the parts share. It pins the only connection of a pool.
type session struct {
	db       *sql.DB
	sql      *sql.Conn
	timeout  time.Duration
	lockName string
	schema   source.Schema
}

// prepare makes the session read-only, limits its statements, and sets its time zone if one is configured.
func (c *session) prepare(ctx context.Context, timeZone string) error {
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
	if timeZone == "" {
		return nil
	}
	if _, err := c.sql.ExecContext(ctx, "SET SESSION time_zone = ?", timeZone); err != nil {
		return explain("set the time zone", err)
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

// Lock acquires a named lock of the session, which the server releases when the connection ends. A cluster may refuse
// it, since a lock of one of its servers is none of the others.
func (c *session) Lock(ctx context.Context) (unlocked, err error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout+source.Grace)
	defer cancel()
	var locked sql.NullInt64
	err = c.sql.QueryRowContext(ctx, "SELECT GET_LOCK(?, 0)", c.lockName).Scan(&locked)
	var myErr *mysql.MySQLError
	switch {
	case errors.As(err, &myErr) && !fatal[myErr.Number]:
		return fmt.Errorf("this server refuses GET_LOCK, as Percona XtraDB Cluster does in strict mode: %w", err), nil
	case err != nil:
		return nil, explain("lock", err)
	case !locked.Valid:
		return errors.New("this server could not execute GET_LOCK"), nil
	case locked.Int64 != 1:
		return nil, source.ErrLockHeld
	}
	return nil, nil
}

func (c *session) Close(context.Context) error {
	return errors.Join(c.sql.Close(), c.db.Close())
}

// Now uses the session's time zone. It is that of Dify's sessions, since Dify sets none either.
func (c *session) Now(ctx context.Context, back time.Duration) (source.Clock, error) {
	scan := func(rows *sql.Rows) (clock source.Clock, err error) {
		var utc, local time.Time
		var before sql.NullTime
		if err := rows.Scan(&utc, &local, &before); err != nil || !before.Valid {
			return source.Clock{UTC: utc, Local: local}, err
		}
		return source.NewClock(utc, local, before.Time, back), nil
	}
	found, err := query(ctx, c, "read the clock", sqlClock, scan, int64(back.Seconds()))
	if err != nil {
		return source.Clock{}, err
	}
	return found[0], nil
}

// Local converts a time that the server's calendar does not have by the current offset.
func (c *session) Local(ctx context.Context, at time.Time) (time.Time, error) {
	if at.IsZero() {
		return at, nil
	}
	scan := func(rows *sql.Rows) (local time.Time, err error) {
		var known sql.NullTime
		var seconds int64
		err = rows.Scan(&known, &seconds)
		if !known.Valid {
			return at.Add(time.Duration(seconds) * time.Second), err
		}
		return known.Time, err
	}
	found, err := query(ctx, c, "convert a time", sqlLocal, scan, at.Unix(), at.Nanosecond()/int(time.Microsecond))
	if err != nil {
		return time.Time{}, err
	}
	return found[0], nil
}

// DetailsAndRunsAfter sends one statement after the other: the protocol has no pipelining.
func (c *conn) DetailsAndRunsAfter(
	ctx context.Context, runs []*source.Run, after source.Position, limit int,
) (source.Details, []source.Run, error) {
	details, err := c.Details(ctx, runs)
	if err != nil {
		return source.Details{}, nil, err
	}
	next, err := c.RunsAfter(ctx, after, limit)
	return details, next, err
}
