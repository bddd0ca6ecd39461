// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package celeryqueuereceiver

import (
	"errors"
	"net/url"
	"strconv"
	"strings"
)

// brokerURL is a URL as kombu splits it: with Python's urllib, which is more permissive than Go's net/url. User name
// and password may have any character except `/`, `?` and `#`, percent-encoded or not.
type brokerURL struct {
	scheme, username, password, host, port, path string
	query                                        url.Values
}

// splitURL splits like kombu.utils.url.url_to_parts. Its errors never quote any part of the URL.
func splitURL(raw string) (brokerURL, error) {
	raw = strings.NewReplacer("\t", "", "\r", "", "\n", "").Replace(strings.TrimSpace(raw))
	scheme, rest, ok := strings.Cut(raw, "://")
	if !ok {
		return brokerURL{}, errors.New("is not a URL; " + expectedForm)
	}
	u := brokerURL{scheme: strings.ToLower(scheme)}
	rest, _, _ = strings.Cut(rest, "#")
	rest, query, _ := strings.Cut(rest, "?")
	u.query, _ = url.ParseQuery(query) // Python ignores what is malformed
	location, path, ok := strings.Cut(rest, "/")
	if ok {
		u.path = unquote("/" + path)
	}
	if at := strings.LastIndexByte(location, '@'); at >= 0 {
		username, password, _ := strings.Cut(location[:at], ":")
		u.username, u.password = unquote(username), unquote(password)
		location = location[at+1:]
	}
	u.setHost(location)
	if u.port != "" {
		if _, err := strconv.ParseUint(u.port, 10, 16); err != nil {
			return brokerURL{}, errors.New("has a port that is not a number up to 65535; if the password has `/`, `?` or " +
				"`#`, write %2F, %3F or %23, as Dify needs it")
		}
	}
	return u, nil
}

func (u *brokerURL) setHost(location string) {
	if inner, after, ok := strings.Cut(strings.TrimPrefix(location, "["), "]"); ok && strings.HasPrefix(location, "[") {
		u.host = inner
		u.port = strings.TrimPrefix(after, ":")
		return
	}
	host, port, _ := strings.Cut(location, ":")
	u.host, u.port = unquote(host), port
}

// unquote decodes percent-encoded bytes. Like Python's, it leaves a percent sign that begins none as it is.
func unquote(text string) string {
	if !strings.Contains(text, "%") {
		return text
	}
	var out strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] == '%' && i+2 < len(text) {
			if b, err := strconv.ParseUint(text[i+1:i+3], 16, 8); err == nil {
				out.WriteByte(byte(b))
				i += 2
				continue
			}
		}
		out.WriteByte(text[i])
	}
	return out.String()
}
