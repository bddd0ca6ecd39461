// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package celeryqueuereceiver

import (
	"context"
	"errors"
	"net"
)

type dialer func(ctx context.Context, network, addr string) (net.Conn, error)

// failLater gives the driver a connection that returns on first use the error of the failed dial. If the dial itself
// failed, the driver would start a goroutine that tries again every second, even for some time after Close; instead,
// the next collection dials again.
func failLater(dial dialer) dialer {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if err == nil {
			return conn, nil
		}
		idle, _ := net.Pipe() // for deadlines and addresses
		// A new error: the driver would unwrap err and lose the address.
		return failedConn{Conn: idle, err: errors.New(err.Error())}, nil
	}
}

type failedConn struct {
	net.Conn
	err error
}

func (c failedConn) Read([]byte) (int, error)  { return 0, c.err }
func (c failedConn) Write([]byte) (int, error) { return 0, c.err }
