// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package servers

import (
	"context"
	"database/sql"
	"fmt"
	"net"
	"path/filepath"
	"strconv"

	"github.com/go-sql-driver/mysql"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/proc"
)

// MariaDB is a MariaDB server, which represents the MySQL family.
type MariaDB struct {
	server
	Host     string
	Port     int
	User     string // has all permissions and no password
	Database string // empty
}

// StartMariaDB starts one. Its time zone is not UTC, because that may also be the case for Dify.
func StartMariaDB(ctx context.Context) (*MariaDB, error) {
	m := &MariaDB{Host: "127.0.0.1", User: "root", Database: "dify"}
	if err := m.boot(ctx); err != nil {
		_ = m.Stop()
		return nil, err
	}
	return m, nil
}

func (m *MariaDB) boot(ctx context.Context) error {
	mariadbd, err := program("mariadb-server", []string{"mariadbd"})
	if err != nil {
		return err
	}
	ports, err := proc.FreePorts(1)
	if err != nil {
		return err
	}
	m.Port = ports[0]
	if m.dir, err = proc.NewDir("mariadb"); err != nil {
		return err
	}
	if err := m.install(ctx); err != nil {
		return err
	}
	return m.start(ctx, proc.Spec{
		Name: "mariadb",
		Path: mariadbd,
		Args: []string{
			"--no-defaults", "--datadir=" + m.data(), "--socket=" + filepath.Join(m.dir, "s"), "--port=" + strconv.Itoa(m.Port),
			"--bind-address=" + m.Host, "--tmpdir=" + m.dir, "--default-time-zone=+08:00", "--character-set-server=utf8mb4",
			"--innodb-flush-log-at-trx-commit=2", // a commit survives a crash of the server, but not of the machine
		},
		Unprivileged: true,
	}, m.ping)
}

func (m *MariaDB) data() string {
	return filepath.Join(m.dir, "data")
}

func (m *MariaDB) install(ctx context.Context) error {
	install, err := program("mariadb-server", []string{"mariadb-install-db"})
	if err != nil {
		return err
	}
	return m.run(ctx, proc.Spec{
		Name: "mariadb-install-db",
		Path: install,
		Args: []string{
			"--no-defaults", "--datadir=" + m.data(), "--auth-root-authentication-method=normal", "--skip-test-db",
			"--tmpdir=" + m.dir, // the names of temporary tables are not unique in /tmp
		},
		Unprivileged: true,
	})
}

// ping also creates the database when the server responds for the first time.
func (m *MariaDB) ping(ctx context.Context) error {
	config := m.Config()
	config.DBName = ""
	db, err := sql.Open("mysql", config.FormatDSN())
	if err != nil {
		return err
	}
	defer db.Close()
	if _, err := db.ExecContext(ctx, "CREATE DATABASE IF NOT EXISTS "+m.Database); err != nil {
		return fmt.Errorf("MariaDB: %w", err)
	}
	return nil
}

// Config returns the client configuration for the database.
func (m *MariaDB) Config() *mysql.Config {
	config := mysql.NewConfig()
	config.User, config.DBName = m.User, m.Database
	config.Net, config.Addr = "tcp", net.JoinHostPort(m.Host, strconv.Itoa(m.Port))
	config.Logger = &mysql.NopLogger{} // the errors report a server that is unavailable
	return config
}
