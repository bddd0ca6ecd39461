// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package health

import (
	"sync"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
)

// Status reports the receiver's status to the pipelines that share it.
type Status struct {
	mu    sync.Mutex // guards what follows
	hosts []component.Host
	last  *componentstatus.Event
}

// Add adds a pipeline. It gets the current status at once.
func (s *Status) Add(host component.Host) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hosts = append(s.hosts, host)
	if s.last != nil {
		componentstatus.ReportStatus(host, s.last)
	}
}

// Report reports the status to all hosts; nil means healthy. An unchanged status is not reported again.
func (s *Status) Report(err error) {
	event := componentstatus.NewEvent(componentstatus.StatusOK)
	if err != nil {
		event = componentstatus.NewRecoverableErrorEvent(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last != nil && s.last.Status() == event.Status() {
		return
	}
	s.last = event
	for _, host := range s.hosts {
		componentstatus.ReportStatus(host, event)
	}
}
