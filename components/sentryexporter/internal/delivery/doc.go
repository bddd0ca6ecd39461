// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package delivery takes finished items to Sentry's server in three steps:
//
//   - Queues.Queue puts items into the queue of their project, in memory or in a storage.
//   - Pusher.Push, called by the consumers of a queue, sends the items of a request and decides what happens to each.
//   - poster.post sends one envelope over HTTP and reports what the server's response means.
//
// It knows neither OpenTelemetry's data nor the exporter's configuration.
//
// # Invariants
//
//   - An item is finished before it is queued. A retry sends the same bytes under the same event ID, so that Sentry
//     recognizes an event or a transaction that it accepted before. Log items have no ID.
//   - Queue returns nil only after the queue accepted the items. With a storage, they are on disk by then (with the
//     storage's fsync, also after a power failure).
//   - Each attempt sends exactly the items that are left: those that were accepted or discarded leave the request,
//     and a request leaves the queue only after all its items have done so.
//   - Each item is counted exactly once, as sent or as discarded with a reason, by whoever decides its fate.
//
// What a crash costs, with a queue in a storage: before Queue returned, nothing, since the client sends again. While
// a request is being pushed, what it had sent already is sent again after the restart, under the same IDs; logs are
// then duplicated. Between the response of the server and the removal from the queue, the same. Without a storage,
// everything in the queues is lost. Client reports that were not delivered are lost in either case.
package delivery
