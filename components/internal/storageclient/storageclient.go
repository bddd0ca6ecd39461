// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package storageclient opens the storage that a component's configuration names.
package storageclient

import (
	"context"
	"fmt"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/extension/xextension/storage"
)

// Owner identifies what a storage is opened for: no other owner gets the same data. Name distinguishes several storages
// of one component.
type Owner struct {
	Kind component.Kind
	ID   component.ID
	Name string
}

// Open opens the storage extension id, which the configuration has under key. Its errors name the key and the
// fix.
func Open(ctx context.Context, host component.Host, key string, id component.ID, owner Owner) (storage.Client, error) {
	found, ok := host.GetExtensions()[id]
	if !ok {
		return nil, fmt.Errorf("`%s`: there is no extension %q: add it to `extensions` and to `service::extensions`",
			key, id)
	}
	extension, ok := found.(storage.Extension)
	if !ok {
		return nil, fmt.Errorf("`%s`: the extension %q is not a storage extension", key, id)
	}
	client, err := extension.GetClient(ctx, owner.Kind, owner.ID, owner.Name)
	if err != nil {
		return nil, fmt.Errorf("`%s`: open the storage %q: %w", key, id, err)
	}
	return client, nil
}
