// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package protocol

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestRateLimits(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name       string
		status     int
		limits     []string
		retryAfter string
		want       map[Category]time.Duration // after now; what is not named is free
	}{
		{name: "none", status: 200},
		{
			name: "one category, on 200 too", status: 200, limits: []string{"60:transaction:key"},
			want: map[Category]time.Duration{CategoryTransaction: time.Minute},
		},
		{
			name: "several, blanks, later wins", status: 429,
			limits: []string{" 60:transaction , 2700:default;error:organization, 5:error"},
			want: map[Category]time.Duration{
				CategoryTransaction: time.Minute, CategoryError: 45 * time.Minute,
			},
		},
		{
			name: "header twice", status: 429, limits: []string{"1:error", "2:error"},
			want: map[Category]time.Duration{CategoryError: 2 * time.Second},
		},
		{name: "empty is all", status: 429, limits: []string{"30::organization"}, want: map[Category]time.Duration{
			CategoryError: 30 * time.Second, CategoryTransaction: 30 * time.Second, CategoryLogItem: 30 * time.Second,
		}},
		{name: "no more fields is all", status: 429, limits: []string{"30"}, want: map[Category]time.Duration{
			CategoryError: 30 * time.Second, CategoryTransaction: 30 * time.Second, CategoryLogItem: 30 * time.Second,
		}},
		{name: "only unknown is nobody", status: 429, limits: []string{"30:bananas;apples:key"}},
		{
			name: "unknown and known", status: 429, limits: []string{"30:bananas;error:key"},
			want: map[Category]time.Duration{CategoryError: 30 * time.Second},
		},
		{
			name: "fraction", status: 429, limits: []string{"1.5:error"},
			want: map[Category]time.Duration{CategoryError: 1500 * time.Millisecond},
		},
		{name: "unreadable is skipped", status: 429, limits: []string{"soon:error, -1:error, 1e300:error, NaN:error"}},
		{
			name: "header outweighs Retry-After", status: 429, limits: []string{"5:transaction"}, retryAfter: "100",
			want: map[Category]time.Duration{CategoryTransaction: 5 * time.Second},
		},
		{name: "Retry-After in seconds", status: 429, retryAfter: "7", want: map[Category]time.Duration{
			CategoryError: 7 * time.Second, CategoryTransaction: 7 * time.Second, CategoryLogItem: 7 * time.Second,
		}},
		{
			name: "Retry-After as date", status: 429, retryAfter: "Mon, 23 Nov 2026 12:00:09 GMT",
			want: map[Category]time.Duration{
				CategoryError: 9 * time.Second, CategoryTransaction: 9 * time.Second, CategoryLogItem: 9 * time.Second,
			},
		},
		{name: "Retry-After unreadable", status: 429, retryAfter: "later", want: map[Category]time.Duration{
			CategoryError: time.Minute, CategoryTransaction: time.Minute, CategoryLogItem: time.Minute,
		}},
		{name: "bare 429", status: 429, want: map[Category]time.Duration{
			CategoryError: time.Minute, CategoryTransaction: time.Minute, CategoryLogItem: time.Minute,
		}},
		{name: "Retry-After without 429", status: 503, retryAfter: "7"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var l RateLimits
			header := http.Header{}
			for _, v := range c.limits {
				header.Add("X-Sentry-Rate-Limits", v)
			}
			if c.retryAfter != "" {
				header.Set("Retry-After", c.retryAfter)
			}
			l.Update(c.status, header, now)
			for _, category := range []Category{CategoryError, CategoryTransaction, CategoryLogItem} {
				want := time.Time{}
				if d, ok := c.want[category]; ok {
					want = now.Add(d)
				}
				assert.Equal(t, want, l.Until(now, category), category)
			}
			assert.Zero(t, l.Until(now.Add(time.Hour), CategoryError), "limits pass")
		})
	}
}

func TestLogsStopOnEitherCategory(t *testing.T) {
	now := time.Now()
	var l RateLimits
	l.Update(200, http.Header{"X-Sentry-Rate-Limits": {"60:log_byte:key"}}, now)
	assert.Equal(t, now.Add(time.Minute), l.Until(now, CategoryLogItem, CategoryLogByte))
	assert.Zero(t, l.Until(now, CategoryLogItem))
}
