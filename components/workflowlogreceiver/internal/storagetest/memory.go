// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package storagetest has a storage extension for tests.
package storagetest

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"sync"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/extension/xextension/storage"
)

// Memory is a storage extension, and its only client, that can be full.
type Memory struct {
	component.StartFunc
	component.ShutdownFunc

	mu      sync.Mutex // guards what follows
	values  map[string][]byte
	full    bool
	written int
	closed  int
}

var (
	_ storage.Extension = (*Memory)(nil)
	_ storage.Client    = (*Memory)(nil)
)

// NewMemory returns a storage with the given content.
func NewMemory(values map[string][]byte) *Memory {
	m := &Memory{values: map[string][]byte{}}
	maps.Copy(m.values, values)
	return m
}

// GetClient returns the storage itself.
func (m *Memory) GetClient(context.Context, component.Kind, component.ID, string) (storage.Client, error) {
	return m, nil
}

// Get returns a value, or nil.
func (m *Memory) Get(_ context.Context, key string) ([]byte, error) { return m.Value(key), nil }

// Set stores a value.
func (m *Memory) Set(ctx context.Context, key string, value []byte) error {
	return m.Batch(ctx, storage.SetOperation(key, value))
}

// Delete removes a value.
func (m *Memory) Delete(ctx context.Context, key string) error {
	return m.Batch(ctx, storage.DeleteOperation(key))
}

// Batch applies all operations or none.
func (m *Memory) Batch(_ context.Context, operations ...*storage.Operation) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.full {
		return storage.ErrStorageFull
	}
	for _, operation := range operations {
		switch operation.Type {
		case storage.Set:
			m.values[operation.Key] = bytes.Clone(operation.Value)
			m.written += len(operation.Value)
		case storage.Delete:
			delete(m.values, operation.Key)
		case storage.Get:
			return errors.New("the receiver reads one by one")
		}
	}
	return nil
}

// Close counts its calls.
func (m *Memory) Close(context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed++
	return nil
}

// SetFull makes Batch fail, or succeed again.
func (m *Memory) SetFull(full bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.full = full
}

// Value returns a value, or nil.
func (m *Memory) Value(key string) []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	return bytes.Clone(m.values[key])
}

// Values returns all values.
func (m *Memory) Values() map[string][]byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.values)
}

// Written returns the number of bytes written since the last call.
func (m *Memory) Written() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	written := m.written
	m.written = 0
	return written
}

// Closed returns how often the client was closed.
func (m *Memory) Closed() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.closed
}
