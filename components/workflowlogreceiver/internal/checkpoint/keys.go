// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package checkpoint

import (
	"strconv"

	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/tracker"
)

// version is the format of the checkpoint that this version writes. It reads this and all older formats.
const version = 3

// localVersion is written while a checkpoint has a local time, and nothing that only later formats have.
const localVersion = 2

// firstVersion is written while a checkpoint has nothing that only later formats have.
const firstVersion = 1

// Keys of the storage. They are names on disk and must never change.
const (
	headerKey = "checkpoint"
	auditKey  = "census" // the audit of late rows
	// arrivalKey has the day of arrival. Versions that do not know it leave it alone.
	arrivalKey = "arrival"
)

// Kind is a kind of rows whose IDs are stored. Its values are names on disk.
type Kind string

// The kinds of rows.
const (
	Runs     Kind = "runs"
	Messages Kind = "messages"
	AppLogs  Kind = "app_logs"
)

func appKey(number int) string { return "app/" + strconv.Itoa(number) }

func openKey(kind Kind, stuck bool) string {
	if stuck {
		return string(kind) + "/stuck"
	}
	return string(kind) + "/open"
}

func processedKey(kind Kind, minute tracker.Minute, part int) string {
	return string(kind) + "/" + strconv.FormatInt(int64(minute), 10) + "/" + strconv.Itoa(part)
}
