// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package servers

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"syscall"

	"github.com/jackc/pgx/v5"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/proc"
)

// PostgresEnv names the variable with the URL of a PostgreSQL to use, with a user who may create databases and
// extensions.
const PostgresEnv = "OTELCOL_TEST_POSTGRES_DSN"

// On Debian, the server's programs are not on the PATH.
const postgresFolders = "/usr/lib/postgresql/*/bin"

// Postgres is a PostgreSQL server. Each test uses its own database.
type Postgres struct {
	server
	Host     string
	Port     int
	User     string
	Password string

	databases atomic.Int32
}

// StartPostgres starts one, or uses the one in the environment.
func StartPostgres(ctx context.Context) (*Postgres, error) {
	if dsn := os.Getenv(PostgresEnv); dsn != "" {
		cfg, err := pgx.ParseConfig(dsn)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", PostgresEnv, err)
		}
		pg := &Postgres{Host: cfg.Host, Port: int(cfg.Port), User: cfg.User, Password: cfg.Password}
		err = pg.ping(ctx)
		return pg, err
	}
	return StartOwnPostgres(ctx)
}

// StartOwnPostgres always starts one, for tests that halt it.
func StartOwnPostgres(ctx context.Context) (*Postgres, error) {
	pg := &Postgres{Host: "127.0.0.1", User: "postgres", Password: "difyai123456"}
	if err := pg.boot(ctx); err != nil {
		_ = pg.Stop()
		return nil, err
	}
	return pg, nil
}

func (pg *Postgres) boot(ctx context.Context) error {
	postgres, err := program("postgresql-15", []string{"postgres"}, postgresFolders)
	if err != nil {
		return err
	}
	initdb, err := program("postgresql-15", []string{"initdb"}, postgresFolders)
	if err != nil {
		return err
	}
	ports, err := proc.FreePorts(1)
	if err != nil {
		return err
	}
	pg.Port = ports[0]
	pg.crash = syscall.SIGQUIT // its processes are not in one group, and a remaining one would keep the shared memory
	if pg.dir, err = proc.NewDir("postgres"); err != nil {
		return err
	}
	if err := pg.initdb(ctx, initdb); err != nil {
		return err
	}
	return pg.start(ctx, proc.Spec{
		Name: "postgres",
		Path: postgres,
		Args: []string{
			"-D", pg.data(), "-p", strconv.Itoa(pg.Port), "-k", pg.dir,
			"-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-c", "max_connections=200",
		},
		Unprivileged: true,
		Stop:         os.Interrupt, // its fast shutdown: does not wait for clients
	}, pg.ping)
}

func (pg *Postgres) data() string {
	return filepath.Join(pg.dir, "data")
}

func (pg *Postgres) initdb(ctx context.Context, initdb string) error {
	passwords := filepath.Join(pg.dir, "password")
	// Another user reads it.
	if err := os.WriteFile(passwords, []byte(pg.Password+"\n"), 0o644); err != nil { //nolint:gosec
		return err
	}
	return pg.run(ctx, proc.Spec{
		Name: "initdb",
		Path: initdb,
		Args: []string{
			"-D", pg.data(), "-U", pg.User, "--pwfile", passwords, "--auth", "scram-sha-256",
			"--encoding", "UTF8", "--no-locale", "--no-sync",
		},
		Unprivileged: true,
	})
}

func (pg *Postgres) ping(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, pg.URL("postgres"))
	if err != nil {
		return err
	}
	return conn.Close(ctx)
}

// URL returns the URL of a database.
func (pg *Postgres) URL(database string) string {
	u := url.URL{
		Scheme:   "postgres",
		User:     url.UserPassword(pg.User, pg.Password),
		Host:     fmt.Sprintf("%s:%d", pg.Host, pg.Port),
		Path:     database,
		RawQuery: "sslmode=disable",
	}
	return u.String()
}

// NewDatabase creates an empty database. It is dropped if the server was not started here.
func (pg *Postgres) NewDatabase(ctx context.Context) (name string, drop func(context.Context) error, err error) {
	name = fmt.Sprintf("otelcol_dify_%d_%d", os.Getpid(), pg.databases.Add(1))
	if err := pg.exec(ctx, "CREATE DATABASE "+name); err != nil {
		return "", nil, err
	}
	return name, func(ctx context.Context) error {
		return pg.exec(ctx, "DROP DATABASE "+name+" WITH (FORCE)")
	}, nil
}

func (pg *Postgres) exec(ctx context.Context, sql string) error {
	conn, err := pgx.Connect(ctx, pg.URL("postgres"))
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, sql)
	return err
}

// Restore loads a dump that pg_dump wrote as SQL into a database.
func (pg *Postgres) Restore(ctx context.Context, database, file string) error {
	psql, err := program("postgresql-client-15", []string{"psql"}, postgresFolders)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(
		ctx, psql, "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--file", file, pg.URL(database),
	)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("restore %s: %w\n%s", file, err, out)
	}
	return nil
}
