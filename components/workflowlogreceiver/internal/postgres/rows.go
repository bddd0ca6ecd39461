// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"encoding/binary"
	"encoding/hex"
	"math"
	"time"

	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/source"
)

// Rows arrive in the protocol's binary format and are decoded by hand: with a general scanner, the conversion of
// values cost more than everything done with them. A NULL is read as the zero value in every column: a row that
// violates the schema must not block the rows after it.

// interner returns one string for equal texts, as long as there are few.
type interner map[string]string

const maxInterned = 10_000

func (in interner) text(value []byte) string {
	if len(value) == 0 {
		return ""
	}
	if known, ok := in[string(value)]; ok {
		return known
	}
	return in.keep(string(value), string(value))
}

// id decodes a UUID that many rows share.
func (in interner) id(value []byte) string {
	if value == nil {
		return ""
	}
	if known, ok := in[string(value)]; ok {
		return known
	}
	return in.keep(string(value), uuidText(value))
}

func (in interner) keep(key, text string) string {
	if len(in) >= maxInterned {
		clear(in)
	}
	in[key] = text
	return text
}

func uuidText(value []byte) string {
	if len(value) != 16 {
		return ""
	}
	var text [36]byte
	hex.Encode(text[0:8], value[0:4])
	hex.Encode(text[9:13], value[4:6])
	hex.Encode(text[14:18], value[6:8])
	hex.Encode(text[19:23], value[8:10])
	hex.Encode(text[24:36], value[10:16])
	text[8], text[13], text[18], text[23] = '-', '-', '-', '-'
	return string(text[:])
}

// integer decodes an int2, int4 or int8: Dify's versions have widened some columns.
func integer(value []byte) int64 {
	switch len(value) {
	case 2:
		return int64(int16(binary.BigEndian.Uint16(value))) //nolint:gosec // two's complement
	case 4:
		return int64(int32(binary.BigEndian.Uint32(value))) //nolint:gosec // two's complement
	case 8:
		return int64(binary.BigEndian.Uint64(value)) //nolint:gosec // two's complement
	default:
		return 0
	}
}

func float(value []byte) float64 {
	if len(value) != 8 {
		return 0
	}
	return math.Float64frombits(binary.BigEndian.Uint64(value))
}

// epoch is the time from which PostgreSQL counts microseconds, as Unix time in microseconds.
const epoch = 946_684_800_000_000

// farFuture replaces an infinite time. It is later than any real one.
var farFuture = time.Date(200_000, 1, 1, 0, 0, 0, 0, time.UTC)

func timestamp(value []byte) time.Time {
	if len(value) != 8 {
		return time.Time{}
	}
	micros := integer(value)
	if micros == math.MaxInt64 {
		return farFuture
	}
	t := time.UnixMicro(micros + epoch).UTC()
	if micros == math.MinInt64 || t.Year() < 1 { // JSON cannot represent a year before 1
		return time.Time{}
	}
	return t
}

func readKey(values [][]byte) source.Key {
	return source.Key{ID: uuidText(values[0]), CreatedAt: timestamp(values[1])}
}

func (in interner) readRun(values [][]byte) source.Run {
	return source.Run{
		Key:             readKey(values),
		TenantID:        in.id(values[2]),
		AppID:           in.id(values[3]),
		WorkflowID:      in.id(values[4]),
		Type:            in.text(values[5]),
		TriggeredFrom:   in.text(values[6]),
		Status:          in.text(values[7]),
		CreatedByRole:   in.text(values[8]),
		CreatedBy:       uuidText(values[9]),
		Error:           string(values[10]),
		ElapsedTime:     float(values[11]),
		TotalTokens:     integer(values[12]),
		TotalSteps:      integer(values[13]),
		ExceptionsCount: integer(values[14]),
		FinishedAt:      timestamp(values[15]),
	}
}

func (in interner) readMessage(values [][]byte) source.Message {
	m := source.Message{
		Key:           readKey(values),
		AppID:         in.id(values[2]),
		Provider:      in.text(values[3]),
		Model:         in.text(values[4]),
		InputTokens:   integer(values[5]),
		Output:        integer(values[6]),
		Price:         float(values[7]),
		Currency:      in.text(values[8]),
		Latency:       float(values[9]),
		Status:        in.text(values[10]),
		InvokeFrom:    in.text(values[11]),
		WorkflowRunID: uuidText(values[12]),
		CreatedUTC:    timestamp(values[13]),
	}
	if len(values) > 14 {
		m.ConversationID, m.EndUserID, m.AccountID = uuidText(values[14]), uuidText(values[15]), uuidText(values[16])
		m.Error = string(values[17])
	}
	return m
}

func (in interner) readAppLog(values [][]byte) source.AppLog {
	l := source.AppLog{Key: readKey(values), RunID: uuidText(values[2]), CreatedFrom: in.text(values[3])}
	if len(values) > 4 {
		l.TenantID, l.AppID, l.WorkflowID = in.id(values[4]), in.id(values[5]), in.id(values[6])
		l.CreatedByRole, l.CreatedBy = in.text(values[7]), uuidText(values[8])
	}
	return l
}

func (in interner) readFailedNode(values [][]byte) source.FailedNode {
	return source.FailedNode{
		RunID: uuidText(values[0]), ExecutionID: uuidText(values[1]), ID: string(values[2]), Type: in.text(values[3]),
		Title: string(values[4]), AppID: in.id(values[5]), TriggeredFrom: in.text(values[6]), Error: string(values[7]),
		Index: integer(values[8]),
	}
}

func (in interner) readNode(values [][]byte) source.Node {
	return source.Node{
		RunID: uuidText(values[0]), Type: in.text(values[1]), AppID: in.id(values[2]), TriggeredFrom: in.text(values[3]),
		Metadata: string(values[4]),
	}
}
