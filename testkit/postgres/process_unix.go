// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

//go:build unix

package postgres

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"runtime"
	"syscall"
)

// nobody is the user and group of PostgreSQL if the first process is root.
const nobody = 65534

func isRoot() bool {
	return os.Geteuid() == 0
}

// giveToNobody lets the second process write below dir, if it runs as another user.
func giveToNobody(dir string) error {
	if !isRoot() {
		return nil
	}
	if err := chownAll(dir); err != nil {
		return fmt.Errorf("PostgreSQL cannot run as root and nothing can be given to another user here; "+
			"run as another user or set DB_HOST: %w", err)
	}
	return nil
}

func chownAll(dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	return fs.WalkDir(root.FS(), ".", func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return root.Lchown(path, nobody, nobody)
	})
}

// setProcess keeps the terminal's Ctrl-C and root's privileges away from the second process.
func setProcess(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if isRoot() {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: nobody, Gid: nobody}
	}
}

// selfPath is the path of this program. Linux's link also works for the user nobody, who may have no access to the
// real path.
func selfPath() string {
	if runtime.GOOS == "linux" {
		return "/proc/self/exe"
	}
	path, err := os.Executable()
	if err != nil {
		return os.Args[0]
	}
	return path
}
