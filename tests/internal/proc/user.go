// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package proc

import (
	"fmt"
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// nobody returns the credentials of an unprivileged child: nil, our own, unless the tests run as root.
func nobody() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	uid, gid, err := nobodyIDs()
	if err != nil {
		return nil, err
	}
	return &syscall.Credential{Uid: uid, Gid: gid}, nil
}

func nobodyIDs() (uid, gid uint32, err error) {
	u, err := user.Lookup("nobody")
	if err != nil {
		return 0, 0, fmt.Errorf("the user that servers run as: %w", err)
	}
	uid64, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return 0, 0, err
	}
	gid64, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return 0, 0, err
	}
	return uint32(uid64), uint32(gid64), nil
}

// NewDir creates a temporary folder that an unprivileged child owns and can enter. The caller removes it. Other users
// can't enter the folders of testing.TB.
func NewDir(name string) (string, error) {
	dir, err := os.MkdirTemp("", "otelcol-dify-"+name+"-")
	if err != nil {
		return "", err
	}
	if os.Geteuid() != 0 {
		return dir, nil
	}
	uid, gid, err := nobodyIDs()
	if err != nil {
		return "", err
	}
	return dir, os.Chown(dir, int(uid), int(gid))
}
