// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package storageclient

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/open-telemetry/opentelemetry-collector-contrib/extension/storage/filestorage"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/extension/extensiontest"
	"go.opentelemetry.io/collector/extension/xextension/storage"
)

var (
	storageID = component.MustNewIDWithName("file_storage", "queue")
	owner     = Owner{Kind: component.KindExtension, ID: component.MustNewID("opensearch_bulk")}
)

type host map[component.ID]component.Component

func (h host) GetExtensions() map[component.ID]component.Component { return h }

// hostWith returns a host with the real extension.
func hostWith(t *testing.T, dir string) host {
	t.Helper()
	factory := filestorage.NewFactory()
	cfg := factory.CreateDefaultConfig().(*filestorage.Config)
	cfg.Directory, cfg.CreateDirectory, cfg.Timeout = dir, true, 50*time.Millisecond
	require.NoError(t, cfg.Validate())
	ext, err := factory.Create(t.Context(), extensiontest.NewNopSettings(factory.Type()), cfg)
	require.NoError(t, err)
	require.NoError(t, ext.Start(t.Context(), componenttest.NewNopHost()))
	t.Cleanup(func() { assert.NoError(t, ext.Shutdown(context.Background())) })
	return host{storageID: ext}
}

func open(t *testing.T, dir string) (storage.Client, error) {
	t.Helper()
	return Open(t.Context(), hostWith(t, dir), "storage", storageID, owner)
}

// written returns a directory with the files of two owners, as a collector leaves them.
func written(t *testing.T) (dir, file, queue string) {
	t.Helper()
	dir = t.TempDir()
	for _, o := range []Owner{
		owner, {Kind: component.KindExporter, ID: component.MustNewID("opensearch"), Name: "traces"},
	} {
		client, err := Open(t.Context(), hostWith(t, dir), "storage", storageID, o)
		require.NoError(t, err)
		require.NoError(t, client.Set(t.Context(), "key", []byte("value")))
		require.NoError(t, client.Close(t.Context()))
	}
	return dir, filepath.Join(dir, "extension_opensearch_bulk_"), filepath.Join(dir, "exporter_opensearch__traces")
}

func TestOpen(t *testing.T) {
	dir, _, _ := written(t)
	client, err := open(t, dir)
	require.NoError(t, err)
	value, err := client.Get(t.Context(), "key")
	require.NoError(t, err)
	assert.Equal(t, "value", string(value))
	require.NoError(t, client.Close(t.Context()))
}

func TestOpenInUse(t *testing.T) {
	dir, file, _ := written(t)
	client, err := open(t, dir)
	require.NoError(t, err)
	defer func() { require.NoError(t, client.Close(context.Background())) }()
	_, err = open(t, dir)
	require.ErrorContains(t, err, "`storage`: open the storage \"file_storage/queue\": "+file+" is in use by process "+
		strconv.Itoa(os.Getpid())+" (")
	require.ErrorContains(t, err, "stop it, or give this collector a directory of its own (OTELCOL_STORAGE_DIR)")
}

func TestOpenDamaged(t *testing.T) {
	for name, damage := range map[string]func(content []byte) []byte{
		"overwritten": func(c []byte) []byte { return append(make([]byte, 64<<10), c[64<<10:]...) },
		"text":        func([]byte) []byte { return []byte("not a database at all") },
		"both checksums": func(c []byte) []byte {
			size := os.Getpagesize()
			c[metaHeader+metaSummed]++
			c[size+metaHeader+metaSummed]++
			return c
		},
	} {
		for _, which := range []string{"its own file", "the queue of an exporter"} {
			t.Run(name+", "+which, func(t *testing.T) {
				dir, file, queue := written(t)
				if which != "its own file" {
					file = queue
				}
				content, err := os.ReadFile(file)
				require.NoError(t, err)
				content = append(content, make([]byte, max(0, 64<<10-len(content)))...)
				require.NoError(t, os.WriteFile(file, damage(content), 0o600))
				_, err = open(t, dir)
				require.ErrorContains(t, err, file+" is damaged: restore it from a backup or, to start without what it had, "+
					"stop the collector and run `mv "+file+" "+file+".damaged`")
				require.NoError(t, os.Rename(file, file+".damaged"), "the command of the message")
				client, err := open(t, dir)
				require.NoError(t, err)
				require.NoError(t, client.Close(t.Context()))
			})
		}
	}
}

// One meta page is enough: the other may be torn by a crash, or be written at this moment.
func TestOpenWithOneMetaPage(t *testing.T) {
	dir, file, _ := written(t)
	for _, offset := range []int64{0, int64(os.Getpagesize())} {
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		content[offset+metaHeader+metaSummed]++
		require.NoError(t, os.WriteFile(file+"copy", content, 0o600))
		ok, err := hasMeta(file + "copy")
		require.NoError(t, err)
		assert.True(t, ok)
	}
	require.NoError(t, os.Remove(file+"copy"))
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	client, err := open(t, dir)
	require.NoError(t, err, "an empty file is a first start")
	require.NoError(t, client.Close(t.Context()))
}

func TestExplain(t *testing.T) {
	for name, tt := range map[string]struct {
		err  error
		want string
	}{
		"not writable": {
			&os.PathError{Op: "open", Path: "/s/f", Err: syscall.EACCES},
			"/s/extension_opensearch_bulk_ is not writable for the collector's user: run `chown -R ",
		},
		"read-only": {&os.PathError{Op: "open", Path: "/s/f", Err: syscall.EROFS}, "/s is on a file system that is mounted read-only"},
		"full":      {&os.PathError{Op: "write", Path: "/s/f", Err: syscall.ENOSPC}, "no space is left for /s/extension_opensearch_bulk_"},
		"other":     {os.ErrInvalid, "/s/extension_opensearch_bulk_: invalid argument"},
	} {
		t.Run(name, func(t *testing.T) {
			err := explain("/s", owner, tt.err)
			require.ErrorContains(t, err, tt.want)
			require.ErrorIs(t, err, tt.err)
			assert.Equal(t, tt.err, explain("", owner, tt.err), "another kind of storage")
		})
	}
}

func TestOpenWithoutStorage(t *testing.T) {
	_, err := Open(t.Context(), host{}, "storage", storageID, owner)
	require.ErrorContains(t, err, "`storage`: there is no extension \"file_storage/queue\"")
	_, err = Open(t.Context(), host{storageID: nil}, "storage", storageID, owner)
	require.ErrorContains(t, err, "`storage`: the extension \"file_storage/queue\" is not a storage extension")
}
