// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package sink

import (
	"net/http"
	"net/url"
	"strings"
)

// authFields are the fields of X-Sentry-Auth that Relay supports.
var authFields = map[string]bool{
	"sentry_key": true, "sentry_version": true, "sentry_client": true, "sentry_secret": true, "sentry_timestamp": true,
}

// checkAuth reads the public key from X-Sentry-Auth or from the query. The two are mutually exclusive.
func checkAuth(r *http.Request) error {
	header := r.Header.Get("X-Sentry-Auth")
	query := r.URL.Query()
	switch {
	case header == "" && query.Get("sentry_key") == "":
		return refuse(http.StatusUnauthorized, "missing authorization information")
	case header != "" && query.Get("sentry_key") != "":
		return refuse(http.StatusUnauthorized, "multiple authorization payloads detected")
	case header != "":
		fields, err := parseAuthHeader(header)
		if err != nil {
			return err
		}
		return checkAuthFields(fields)
	default:
		return checkAuthFields(query)
	}
}

func parseAuthHeader(header string) (url.Values, error) {
	scheme, list, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Sentry") {
		return nil, refuse(http.StatusUnauthorized, "X-Sentry-Auth does not begin with Sentry")
	}
	fields := url.Values{}
	for field := range strings.SplitSeq(list, ",") {
		key, value, found := strings.Cut(strings.TrimSpace(field), "=")
		if !found || !authFields[key] {
			return nil, refuse(http.StatusUnauthorized, "malformed field %q in X-Sentry-Auth", key)
		}
		fields.Set(key, value)
	}
	return fields, nil
}

func checkAuthFields(fields url.Values) error {
	if v := fields.Get("sentry_version"); v != "7" {
		return bad("sentry_version %q, expected 7", v)
	}
	if !hex32.MatchString(fields.Get("sentry_key")) {
		return bad("the public key is not 32 hexadecimal digits")
	}
	return nil
}
