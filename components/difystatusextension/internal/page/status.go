// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package page makes the status from metrics, and the page from the status.
package page

import "time"

// Status is what /status.json has.
type Status struct {
	Version string    `json:"version"`
	Now     time.Time `json:"now"`
	// Uptime is in seconds, as are all durations.
	Uptime       float64       `json:"uptime"`
	Hints        []string      `json:"hints"`
	Components   []Component   `json:"components"`
	Sources      []Source      `json:"sources"`
	Receivers    []Receiver    `json:"receivers"`
	Tails        []Tail        `json:"tails"`
	Queues       []Queue       `json:"queues"`
	Destinations []Destination `json:"destinations"`
	Removed      []Removal     `json:"removed"`
}

// Component is a component and the status that it last reported.
type Component struct {
	ID     string    `json:"id"`
	Kind   string    `json:"kind"`
	Status string    `json:"status"`
	Error  string    `json:"error,omitempty"`
	Since  time.Time `json:"since"`
}

// Source is a part of Dify whose metrics arrived in the last minutes.
type Source struct {
	Service   string `json:"service"`
	Version   string `json:"version"`
	Emitter   string `json:"emitter"`
	Processes int    `json:"processes"`
}

// Receiver is what arrives at a receiver.
type Receiver struct {
	ID        string    `json:"id"`
	Transport string    `json:"transport"`
	Signal    string    `json:"signal"`
	Accepted  float64   `json:"accepted"`
	Refused   float64   `json:"refused"`
	Rate      float64   `json:"rate"`
	LastSeen  time.Time `json:"last_seen,omitzero"`
}

// Tail is how far workflow_log is.
type Tail struct {
	Installation string  `json:"installation,omitempty"`
	Reading      bool    `json:"reading"`
	Lag          float64 `json:"lag"`
	OpenRuns     float64 `json:"open_runs"`
	StuckRuns    float64 `json:"stuck_runs"`
	Delivered    float64 `json:"delivered"`
	FailedPolls  float64 `json:"failed_polls"`
}

// Queue is one of Dify's Celery queues.
type Queue struct {
	Name   string  `json:"name"`
	Length float64 `json:"length"`
}

// Destination is an exporter.
type Destination struct {
	Exporter    string    `json:"exporter"`
	Signal      string    `json:"signal"`
	Sent        float64   `json:"sent"`
	Failed      float64   `json:"failed"`
	Waiting     float64   `json:"waiting"`
	Capacity    float64   `json:"capacity"`
	LastSuccess time.Time `json:"last_success,omitzero"`
	Error       string    `json:"error,omitempty"`
}

// Removal is what was dropped, cut or redacted, by rule.
type Removal struct {
	What  string  `json:"what"` // dropped, limited, redacted, rejected, discarded
	Rule  string  `json:"rule"`
	Count float64 `json:"count"`
}
