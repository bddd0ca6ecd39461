// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package servers

import (
	"context"
	"path/filepath"
	"strconv"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/proc"
)

// Alertmanager is an Alertmanager.
type Alertmanager struct {
	server
	Address string // host:port
}

// StartAlertmanager starts one with the text of a configuration.
func StartAlertmanager(ctx context.Context, config string) (*Alertmanager, error) {
	a := &Alertmanager{}
	if err := a.boot(ctx, config); err != nil {
		_ = a.Stop()
		return nil, err
	}
	return a, nil
}

func (a *Alertmanager) boot(ctx context.Context, config string) error {
	path, err := program("prometheus-alertmanager", []string{"prometheus-alertmanager", "alertmanager"})
	if err != nil {
		return err
	}
	ports, err := proc.FreePorts(1)
	if err != nil {
		return err
	}
	if a.dir, err = proc.NewDir("alertmanager"); err != nil {
		return err
	}
	if err := writeFiles(a.dir, map[string]string{"alertmanager.yaml": config}); err != nil {
		return err
	}
	a.Address = "127.0.0.1:" + strconv.Itoa(ports[0])
	return a.start(ctx, proc.Spec{
		Name: "alertmanager",
		Path: path,
		Args: []string{
			"--config.file=" + filepath.Join(a.dir, "alertmanager.yaml"), "--storage.path=" + filepath.Join(a.dir, "data"),
			"--web.listen-address=" + a.Address, "--cluster.listen-address=", "--log.level=warn",
		},
		Unprivileged: true,
	}, func(ctx context.Context) error {
		_, err := getJSON[any](ctx, "http://"+a.Address+"/api/v2/status")
		return err
	})
}
