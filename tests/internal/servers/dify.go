// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package servers

import (
	"context"
	"strconv"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-dify/otelcol-dify/testkit/schema"
)

// Run runs a server until the end of the test.
func Run[S interface{ Stop() error }](tb testing.TB, start func(context.Context) (S, error)) S {
	tb.Helper()
	server, err := start(tb.Context())
	require.NoError(tb, err)
	tb.Cleanup(func() { assert.NoError(tb, server.Stop()) })
	return server
}

// Dify is a Dify database that exists until the end of a test.
type Dify struct {
	*pgxpool.Pool
	Name string
	Env  map[string]string // its variables in Dify's .env
}

// NewDify creates one. fill gets its name and fills it; without fill, Dify's tables exist and are empty.
func (pg *Postgres) NewDify(tb testing.TB, fill func(ctx context.Context, database string) error) *Dify {
	tb.Helper()
	name, drop, err := pg.NewDatabase(tb.Context())
	require.NoError(tb, err)
	tb.Cleanup(func() { assert.NoError(tb, drop(context.WithoutCancel(tb.Context()))) })
	db, err := schema.Open(tb.Context(), pg.URL(name))
	require.NoError(tb, err)
	tb.Cleanup(db.Close)
	if fill == nil {
		fill = func(ctx context.Context, _ string) error { return schema.Create(ctx, db) }
	}
	require.NoError(tb, fill(tb.Context(), name))
	return &Dify{Pool: db, Name: name, Env: map[string]string{
		"DB_TYPE": "postgresql", "DB_HOST": pg.Host, "DB_PORT": strconv.Itoa(pg.Port), "DB_USERNAME": pg.User,
		"DB_PASSWORD": pg.Password,
		"DB_DATABASE": name,
	}}
}
