// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package schema

import (
	"cmp"
	"context"
	"fmt"
	"time"
)

// Message is a row of messages as Dify inserts it when a reply starts: no tokens, no price, no answer.
type Message struct {
	ID             string
	AppID          string
	ConversationID string
	Query          string
	ModelProvider  string // empty: NULL, as for chatflows
	ModelID        string // empty: NULL, as for chatflows
	InvokeFrom     string // default: service-api
	EndUserID      string // empty: NULL
	RunID          string // set for chatflows
	AppMode        string
	CreatedAt      time.Time
}

// StartMessage inserts a message.
func (w *Writer) StartMessage(ctx context.Context, m Message) error {
	return w.exec(ctx, "start message",
		`INSERT INTO messages (id, app_id, conversation_id, inputs, query, message, message_unit_price, answer,
		   answer_unit_price, currency, from_source, from_end_user_id, workflow_run_id, invoke_from, app_mode, model_provider,
		   model_id, created_at, updated_at)
		 VALUES ($1, $2, $3, '{}', $4, '""', 0, '', 0, 'USD', 'api', $5, $6, $7, $8, $9, $10, $11, $11)`,
		m.ID, m.AppID, m.ConversationID, m.Query, null(m.EndUserID), null(m.RunID), cmp.Or(m.InvokeFrom, "service-api"),
		null(m.AppMode), null(m.ModelProvider), null(m.ModelID), utc(m.CreatedAt))
}

// Reply is what Dify writes into a message's row when the reply ends.
type Reply struct {
	Answer        string
	MessageTokens int64
	AnswerTokens  int64
	TotalPrice    string // decimal; default: 0
	Currency      string // default: USD
	Latency       time.Duration
	Status        string // default: normal
	Error         string
	UpdatedAt     time.Time
}

// EndMessage updates a message that StartMessage inserted.
func (w *Writer) EndMessage(ctx context.Context, messageID string, r Reply) error {
	tag, err := w.db.Exec(ctx,
		`UPDATE messages SET answer = $2, message_tokens = $3, answer_tokens = $4, total_price = $5::text::numeric,
		   currency = $6, provider_response_latency = $7, status = $8, error = $9, updated_at = $10 WHERE id = $1`,
		messageID, r.Answer, r.MessageTokens, r.AnswerTokens, cmp.Or(r.TotalPrice, "0"), cmp.Or(r.Currency, "USD"),
		r.Latency.Seconds(), cmp.Or(r.Status, "normal"), null(r.Error), utc(r.UpdatedAt))
	if err != nil {
		return fmt.Errorf("end message: %w", err)
	}
	if tag.RowsAffected() != 1 {
		return fmt.Errorf("end message: no message %s", messageID)
	}
	return nil
}
