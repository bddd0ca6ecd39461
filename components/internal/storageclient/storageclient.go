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

// otherProcess is the holder of a lock that can't be seen from here.
const otherProcess = "another process, probably a second collector"

// Open opens the storage extension id, which the configuration has under key. Its errors name the key, the file and the
// fix. It also fails if another file of the same directory is damaged.
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
	dir := directory(extension)
	err := checkFiles(dir)
	if err == nil {
		var client storage.Client
		if client, err = getClient(ctx, extension, owner); err == nil {
			return client, nil
		}
		err = explain(dir, owner, err)
	}
	return nil, fmt.Errorf("`%s`: open the storage %q: %w", key, id, err)
}

// getClient returns an error where the database panics, as it does for some damaged files.
func getClient(ctx context.Context, extension storage.Extension, owner Owner) (client storage.Client, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	return extension.GetClient(ctx, owner.Kind, owner.ID, owner.Name)
}
