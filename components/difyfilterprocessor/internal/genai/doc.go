// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package genai maps Dify's GenAI attributes to one named version of OpenTelemetry's GenAI conventions.
// It has no code yet.
package genai
