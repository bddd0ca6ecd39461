// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package difyenv tests what the documentation says about Dify's side: the lines of config/dify.env.example, with a
// client that is set up as in Dify, and the commands and names in docs/.
package difyenv
