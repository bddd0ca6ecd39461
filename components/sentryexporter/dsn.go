// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package sentryexporter

import (
	"errors"
	"net/url"
	"strings"

	"github.com/getsentry/sentry-go"
)

// target is where a DSN points to. Its key is in auth only and must not reach a log line or an error.
type target struct {
	url  string
	auth string
	host string // for messages
	// project names it for telemetry and storage, by host, path and number; "" is that of `dsn`.
	project string
}

// parseDSN reads a DSN. The parser's own errors quote the key, so only their kind is passed on.
func parseDSN(raw string) (target, error) {
	if _, err := url.Parse(raw); err != nil {
		return target{}, errors.New("it is not a URL")
	}
	dsn, err := sentry.NewDsn(raw)
	if err != nil {
		return target{}, dsnFault(err)
	}
	if strings.Trim(dsn.GetProjectID(), "0123456789") != "" {
		return target{}, errors.New("its project is not a number")
	}
	auth := "Sentry sentry_version=7, sentry_client=" + clientName + "/" + clientVersion + ", sentry_key=" + dsn.GetPublicKey()
	if secret := dsn.GetSecretKey(); secret != "" {
		auth += ", sentry_secret=" + secret
	}
	api := dsn.GetAPIURL()
	project := api.Host + strings.TrimRight(dsn.GetPath(), "/") + "/" + dsn.GetProjectID()
	return target{url: api.String(), auth: auth, host: dsn.GetHost(), project: project}, nil
}

func dsnFault(err error) error {
	for kind, text := range map[string]string{
		"invalid scheme":   "it does not begin with http:// or https://",
		"empty username":   "it has no public key before the @",
		"empty host":       "it has no host",
		"invalid port":     "its port is not a number",
		"empty project id": "it has no project number at its end",
	} {
		if strings.HasSuffix(err.Error(), kind) {
			return errors.New(text)
		}
	}
	return errors.New("it is not a URL")
}
