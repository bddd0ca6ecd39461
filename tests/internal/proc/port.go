// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package proc

import (
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
)

// Ports are handed out from blocks below the range of outgoing connections (net.ipv4.ip_local_port_range), so that no
// connection gets the port of a server that is down. A test binary owns a block while it listens on its first port.
const (
	firstBlock = 15000
	endOfPorts = 32000
	blockSize  = 100
)

var allocator struct {
	sync.Mutex
	claims []net.Listener // for as long as the process lives
	next   int
	end    int // of the block
}

// FreePorts returns n distinct ports of 127.0.0.1 that are free, and that neither this process nor another test binary
// gets again.
func FreePorts(n int) ([]int, error) {
	allocator.Lock()
	defer allocator.Unlock()
	ports := make([]int, 0, n)
	for len(ports) < n {
		if allocator.next == allocator.end {
			if err := claimBlock(); err != nil {
				return nil, err
			}
		}
		if l, err := listen(allocator.next); err == nil {
			_ = l.Close()
			ports = append(ports, allocator.next)
		}
		allocator.next++
	}
	return ports, nil
}

func claimBlock() error {
	for _, block := range rand.Perm((endOfPorts - firstBlock) / blockSize) {
		first := firstBlock + block*blockSize
		if l, err := listen(first); err == nil {
			allocator.claims = append(allocator.claims, l)
			allocator.next, allocator.end = first+1, first+blockSize
			return nil
		}
	}
	return errors.New("find free ports: every block is in use")
}

func listen(port int) (net.Listener, error) {
	return net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port))
}
