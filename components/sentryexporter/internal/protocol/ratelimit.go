// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package protocol

import (
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Category is Sentry's name for a kind of data in quotas, rate limits and client reports.
type Category string

// Categories that this exporter sends or counts.
const (
	CategoryAll         Category = ""
	CategoryError       Category = "error"
	CategoryTransaction Category = "transaction"
	CategorySpan        Category = "span"
	CategoryLogItem     Category = "log_item"
	CategoryLogByte     Category = "log_byte"
)

// known are the categories of relay-base-schema's data_category.rs. A limit that names only other categories does not
// apply to this exporter; one that names none applies to everything.
var known = map[string]bool{
	"default": true, "error": true, "transaction": true, "span": true, "log_item": true, "log_byte": true,
	"attachment": true, "session": true, "profile": true, "replay": true, "monitor": true, "feedback": true,
	"security": true, "trace_metric": true, "trace_metric_byte": true, "metric_bucket": true, "internal": true,
}

// defaultDelay is the delay that Sentry specifies for a response 429 without any other.
const defaultDelay = time.Minute

// RateLimits remembers until when a server accepts no data of a category. It is safe for concurrent use. The zero
// value is ready to use.
type RateLimits struct {
	mu sync.Mutex
	// until is guarded by mu.
	until map[Category]time.Time
}

// Until returns when an item of these categories may be sent again; the zero time if it may be sent now.
func (l *RateLimits) Until(now time.Time, categories ...Category) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	latest := l.until[CategoryAll]
	for _, c := range categories {
		if t := l.until[c]; t.After(latest) {
			latest = t
		}
	}
	if !latest.After(now) {
		return time.Time{}
	}
	return latest
}

// Update applies the rate limits in a response, which may have any status.
func (l *RateLimits) Update(status int, header http.Header, now time.Time) {
	limits := header.Values("X-Sentry-Rate-Limits")
	if len(limits) > 0 {
		for limit := range strings.SplitSeq(strings.Join(limits, ","), ",") {
			l.apply(limit, now)
		}
		return
	}
	if status == http.StatusTooManyRequests {
		l.extend(CategoryAll, now.Add(retryAfter(header.Get("Retry-After"), now)))
	}
}

// apply parses `retry_after:categories:scope:reason_code:namespaces`.
func (l *RateLimits) apply(limit string, now time.Time) {
	parts := strings.Split(limit, ":")
	seconds, err := strconv.ParseFloat(strings.TrimSpace(parts[0]), 64)
	if err != nil || !(seconds >= 0 && seconds <= maxDelay.Seconds()) { // NaN too
		return
	}
	until := now.Add(time.Duration(seconds * float64(time.Second)))
	if len(parts) < 2 || strings.TrimSpace(parts[1]) == "" {
		l.extend(CategoryAll, until)
		return
	}
	for name := range strings.SplitSeq(parts[1], ";") {
		if name = strings.ToLower(strings.TrimSpace(name)); known[name] {
			l.extend(Category(name), until)
		}
	}
}

// maxDelay bounds what a server can request; quotas last a month at most.
const maxDelay = 31 * 24 * time.Hour

// extend keeps the later deadline.
func (l *RateLimits) extend(c Category, until time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.until == nil {
		l.until = map[Category]time.Time{}
	}
	if until.After(l.until[c]) {
		l.until[c] = until
	}
}

func retryAfter(value string, now time.Time) time.Duration {
	value = strings.TrimSpace(value)
	if seconds, err := strconv.ParseFloat(value, 64); err == nil && seconds >= 0 && seconds <= maxDelay.Seconds() {
		return time.Duration(seconds * float64(time.Second))
	}
	if date, err := http.ParseTime(value); err == nil && date.After(now) {
		return min(date.Sub(now), maxDelay)
	}
	return defaultDelay
}
