// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/otelcol-dify/otelcol-dify/testkit/postgres"
	"github.com/otelcol-dify/otelcol-dify/testkit/schema"
)

// database is a PostgreSQL database with Dify's tables, and how the collector reaches it.
type database struct {
	env  map[string]string
	pool *pgxpool.Pool
	rows *schema.Writer
	end  func(context.Context) error
}

// serverVariable names a PostgreSQL server to use, as postgres://user:password@host:port. It is the demo's own: with
// the variables of Dify's .env, which an operator's shell may have loaded, the demo would use Dify's server.
const serverVariable = "OTELCOL_DEMO_POSTGRES_URL"

// openDatabase starts a server, or uses the one that the environment names.
func openDatabase(ctx context.Context) (*database, error) {
	start := startServer
	if os.Getenv(serverVariable) != "" {
		start = createDatabase
	}
	target, end, err := start(ctx)
	if err != nil {
		return nil, err
	}
	db, err := openTables(ctx, target, end)
	if err != nil {
		return nil, errors.Join(err, end(ctx))
	}
	return db, nil
}

func openTables(ctx context.Context, target *url.URL, end func(context.Context) error) (*database, error) {
	pool, err := schema.Open(ctx, target.String())
	if err != nil {
		return nil, err
	}
	if err := schema.Create(ctx, pool); err != nil {
		pool.Close()
		return nil, err
	}
	password, _ := target.User.Password()
	return &database{pool: pool, rows: schema.NewWriter(pool), end: end, env: map[string]string{
		"DB_TYPE": "postgresql", "DB_HOST": target.Hostname(), "DB_PORT": target.Port(),
		"DB_USERNAME": target.User.Username(), "DB_PASSWORD": password, "DB_DATABASE": target.Path[1:],
	}}, nil
}

func (d *database) close(ctx context.Context) error {
	d.pool.Close()
	return d.end(ctx)
}

func startServer(ctx context.Context) (*url.URL, func(context.Context) error, error) {
	server, err := postgres.Start(ctx, uuid.NewString())
	if err != nil {
		return nil, nil, err
	}
	target, err := url.Parse(server.URL())
	return target, func(context.Context) error { return server.Close() }, err
}

// createDatabase creates a separate database on the server that the environment names.
func createDatabase(ctx context.Context) (*url.URL, func(context.Context) error, error) {
	name := "difydemo_" + uuid.NewString()[:8]
	admin, err := url.Parse(os.Getenv(serverVariable))
	if err != nil || admin.Hostname() == "" || admin.User == nil { // the parser's error quotes the password
		return nil, nil, errors.New(serverVariable + " is not a URL like postgres://user:password@host:5432")
	}
	admin.Path = "/postgres"
	admin.Host = net.JoinHostPort(admin.Hostname(), cmp.Or(admin.Port(), "5432"))
	if err := onServer(ctx, admin, "CREATE DATABASE "+name); err != nil {
		return nil, nil, fmt.Errorf("create a database on the server of %s: %w", serverVariable, err)
	}
	target := *admin
	target.Path = "/" + name
	return &target, func(ctx context.Context) error {
		return onServer(ctx, admin, "DROP DATABASE "+name+" WITH (FORCE)")
	}, nil
}

func onServer(ctx context.Context, admin *url.URL, statement string) error {
	conn, err := pgx.Connect(ctx, admin.String())
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, statement)
	return errors.Join(err, conn.Close(ctx))
}
