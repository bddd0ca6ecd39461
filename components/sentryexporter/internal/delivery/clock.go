// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"net/http"
	"time"

	"go.uber.org/zap"

	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/item"
)

// clockTolerance is how far ahead a transaction may be before Sentry drops it, after it responded with 200.
const clockTolerance = time.Minute

// checkServerClock compares this host's clock with that of Sentry's server, by the date of its response.
func (d *Destination) checkServerClock(header http.Header, now time.Time, logger *zap.Logger) {
	date, err := http.ParseTime(header.Get("Date"))
	if err != nil {
		return
	}
	if off := now.Sub(date); off.Abs() > clockTolerance && d.logged.First("clock of the server") {
		logger.Error("The clocks of this host and of Sentry's server differ. Sentry drops transactions that are more than "+
			"a minute ahead of its own clock, and from 55 minutes on, it shifts all timestamps by the difference: "+
			"synchronize this host's clock (NTP).",
			zap.String("host", d.Host), zap.Duration("ahead", off.Round(time.Second)))
	}
}

// checkOriginClock compares the time of an item with this host's clock.
func (d *Destination) checkOriginClock(it *item.Item, now time.Time, logger *zap.Logger) {
	if off := it.Time.Sub(now); off > clockTolerance && d.logged.First("clock of the origin") {
		logger.Error("Telemetry has timestamps in the future. Sentry drops such transactions and changes the time of such "+
			"errors to now: synchronize the clocks of Dify's hosts and of this one (NTP).",
			zap.Duration("ahead", off.Round(time.Second)))
	}
}
