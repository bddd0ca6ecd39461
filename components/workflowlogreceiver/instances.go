// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package workflowlogreceiver

import (
	"sync"

	"go.opentelemetry.io/collector/receiver"
)

// instances gives the logs and the metrics pipeline of one configuration the same receiver: both are fed by one poller
// and one checkpoint.
type instances struct {
	mu       sync.Mutex // guards byConfig
	byConfig map[*Config]*workflowLogReceiver
}

func (s *instances) get(set receiver.Settings, cfg *Config) (*workflowLogReceiver, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r, ok := s.byConfig[cfg]; ok {
		return r, nil
	}
	r, err := newReceiver(set, cfg, func() { s.forget(cfg) })
	if err != nil {
		return nil, err
	}
	s.byConfig[cfg] = r
	return r, nil
}

func (s *instances) forget(cfg *Config) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.byConfig, cfg)
}
