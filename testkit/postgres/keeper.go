// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	embeddedpostgres "github.com/fergusstrange/embedded-postgres"
)

const (
	keeperEnv = "DIFYDEMO_KEEP_POSTGRES"

	ready  = "ready"
	failed = "failed: "
)

// Keep runs the second process if this process is one, and does not return then. Call it first in main and in TestMain.
func Keep() {
	if os.Getenv(keeperEnv) == "" {
		return
	}
	if err := keep(); err != nil {
		fmt.Println(failed + strings.ReplaceAll(err.Error(), "\n", " "))
		os.Exit(1)
	}
	os.Exit(0)
}

func keep() (err error) {
	signal.Ignore(syscall.SIGINT, syscall.SIGHUP) // the end of stdin is what counts
	s, err := receive(os.Stdin)
	if err != nil {
		return err
	}
	server := embeddedpostgres.NewDatabase(config(s))
	if err := server.Start(); err != nil {
		return err // the first process cleans up, and keeps the archive
	}
	fmt.Println(ready)
	_, _ = io.Copy(io.Discard, os.Stdin)
	return errors.Join(server.Stop(), os.RemoveAll(s.Dir))
}

func config(s settings) embeddedpostgres.Config {
	cfg := embeddedpostgres.DefaultConfig().
		Version(embeddedpostgres.V15).
		Port(s.Port).
		Username(user).
		Password(s.Password).
		Database(database).
		CachePath(archiveDir(s.Dir)).
		RuntimePath(filepath.Join(s.Dir, "runtime")).
		DataPath(filepath.Join(s.Dir, "data")).
		Locale("C").
		Encoding("UTF8").
		Logger(io.Discard).
		StartParameters(map[string]string{
			"listen_addresses":        "localhost",
			"unix_socket_directories": "",    // its default directory may not exist
			"fsync":                   "off", // the data does not outlive the demo
			"timezone":                "UTC",
		})
	if installed := installedBinaries(); installed != "" {
		return cfg.BinariesPath(installed)
	}
	return cfg
}

// installedBinaries is where Debian and derived distributions install PostgreSQL 15; it saves the download.
func installedBinaries() string {
	const dir = "/usr/lib/postgresql/15"
	for _, name := range []string{"initdb", "pg_ctl", "postgres"} {
		if _, err := os.Stat(filepath.Join(dir, "bin", name)); err != nil {
			return ""
		}
	}
	return dir
}
