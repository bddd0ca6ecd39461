// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package difyenv proves what operators are told about Dify's side: the lines of config/dify.env.example, with a client set
// up as Dify sets it up, and the commands and names of docs/.
package difyenv
