// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"net/http"
	"time"
)

// outageAfter is the time from the start until the back ends refuse requests, if an outage is configured.
const outageAfter = 5 * time.Second

// outage is a period in which both back ends return 503.
type outage struct {
	b           *backends
	begin, over *time.Timer
}

// outageText says whether the back ends are down, and what became of it.
func outageText(running, outage time.Duration) string {
	switch end := outageAfter + outage; {
	case outage == 0:
		return ""
	case running < outageAfter:
		return fmt.Sprintf("; OpenSearch and Sentry go down in %s", (outageAfter - running).Round(time.Second))
	case running < end:
		return fmt.Sprintf("\nOpenSearch and Sentry are DOWN for another %s: what is emitted waits on disk, nothing is lost",
			(end - running).Round(time.Second))
	}
	return "\nOpenSearch and Sentry are back: what waited arrives now, each item once"
}

func (s *scene) outage() *outage {
	o := &outage{b: s.backends}
	if s.options.outage > 0 {
		o.begin = time.AfterFunc(outageAfter, func() { o.set(http.StatusServiceUnavailable) })
		o.over = time.AfterFunc(outageAfter+s.options.outage, func() { o.set(0) })
	}
	return o
}

func (o *outage) set(status int) {
	o.b.openSearch.SetFailing(status)
	o.b.sentry.SetFailing(status)
}

// end stops the timers; the back ends keep their state.
func (o *outage) end() {
	if o.begin != nil {
		o.begin.Stop()
		o.over.Stop()
	}
}
