// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package difystatusextension

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component/componentstatus"
	"go.uber.org/zap"

	"github.com/otelcol-dify/otelcol-dify/components/difystatusextension/internal/page"
)

// states are what the components have reported last. It is safe for concurrent use.
type states struct {
	logger *zap.Logger
	now    func() time.Time

	mu   sync.Mutex
	last map[key]page.Component // guarded by mu
}

type key struct{ kind, id string }

func (s *states) set(source *componentstatus.InstanceID, event *componentstatus.Event) {
	k := key{kind: strings.ToLower(source.Kind().String()), id: source.ComponentID().String()}
	c := page.Component{
		ID: k.id, Kind: k.kind, Status: strings.TrimPrefix(event.Status().String(), "Status"), Since: event.Timestamp(),
	}
	if err := event.Err(); err != nil {
		c.Error = err.Error()
		s.explain(k, c.Error)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last == nil {
		s.last = map[key]page.Component{}
	}
	// A component has an instance for each signal: one that reports that it runs does not hide another's error.
	if before, ok := s.last[k]; ok && before.Error != "" && event.Status() == componentstatus.StatusStarting {
		return
	}
	s.last[k] = c
}

// variables of the shipped configuration that set the addresses of components.
var variables = map[key]string{
	{"receiver", "otlp"}:          "OTELCOL_OTLP_GRPC_ENDPOINT or OTELCOL_OTLP_HTTP_ENDPOINT",
	{"exporter", "prometheus"}:    "OTELCOL_PROMETHEUS_ENDPOINT",
	{"extension", "health_check"}: "OTELCOL_HEALTH_ENDPOINT",
}

// explain logs the likely fix of an error that a stock component does not explain.
func (s *states) explain(k key, text string) {
	if strings.Contains(text, "address already in use") {
		s.logger.Warn("Another program listens on an address of "+k.id+", perhaps a second collector: stop it, or set "+
			cmp.Or(variables[k], "another address"), zap.String("error", text))
	}
}

func (s *states) list() []page.Component {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]page.Component, 0, len(s.last))
	for _, c := range s.last {
		list = append(list, c)
	}
	slices.SortFunc(list, func(a, b page.Component) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.ID, b.ID))
	})
	return list
}
