// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package mysql

import (
	"errors"
	"fmt"

	"github.com/go-sql-driver/mysql"
)

// fatal are the errors that say nothing about a function, by the server's error number.
var fatal = map[uint16]bool{
	1053: true, // the server shuts down
	1317: true, // the statement was interrupted
	1927: true, // the connection was killed
	1969: true, // it ran too long (MariaDB)
	3024: true, // it ran too long (MySQL)
	4031: true, // the client was idle for too long
}

// codeAbsent is the error number of a table that does not exist.
const codeAbsent = 1146

// hints say what to do about an error, by the server's error number.
var hints = map[uint16]string{
	1040: "the server has no connections left",
	1044: "grant SELECT in `database` to the user in `username`",
	1045: "check `username` and `password`",
	1049: "check `database`",
	1054: "the table differs from the one that Dify 1.10.1 and later create: check `database`, and that Dify's " +
		"migrations have run",
	1298:       "set `time_zone` to an offset such as +08:00, or load the server's time zone tables",
	1142:       "grant SELECT on it to the user in `username`",
	1143:       "grant SELECT on it to the user in `username`",
	codeAbsent: "the table does not exist: check `database`, and that Dify's migrations have run",
	1969:       "the statement ran longer than `statement_timeout`: is an index missing?", // MariaDB
	3024:       "the statement ran longer than `statement_timeout`: is an index missing?", // MySQL
}

// explain names the step that failed and what to do about it.
func explain(step string, err error) error {
	hint := ""
	var myErr *mysql.MySQLError
	switch {
	case errors.As(err, &myErr):
		hint = hints[myErr.Number]
	case errors.Is(err, mysql.ErrNoTLS):
		hint = "the server does not offer TLS: set `tls::insecure: true` if the network is trusted"
	}
	if hint == "" {
		return fmt.Errorf("%s: %w", step, err)
	}
	return fmt.Errorf("%s: %w: %s", step, err, hint)
}
