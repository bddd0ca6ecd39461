// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package celeryqueuereceiver

import (
	"context"
	"errors"
	"net"
)

type dialer func(ctx context.Context, network, addr string) (net.Conn, error)

// failLater gives the driver a connection that tells on first use why it could not be made. A failed dial would start a
// goroutine of the driver that tries again every second, even for a while after Close; here the next collection does.
func failLater(dial dialer) dialer {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if err == nil {
			return conn, nil
		}
		idle, _ := net.Pipe()                                            // for deadlines and addresses; both ends are memory only
		return failedConn{Conn: idle, err: errors.New(err.Error())}, nil // the driver would unwrap it and lose the address
	}
}

type failedConn struct {
	net.Conn
	err error
}

func (c failedConn) Read([]byte) (int, error)  { return 0, c.err }
func (c failedConn) Write([]byte) (int, error) { return 0, c.err }
