// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
)

// archives writes an archive for each platform.
func (r *release) archives() error {
	for _, p := range platforms {
		files := map[string]string{
			"otelcol-dify": r.binary(p, "otelcol-dify"), "difyctl": r.binary(p, "difyctl"),
			"LICENSE": filepath.Join(r.root, "LICENSE"), "THIRD_PARTY_LICENSES.txt": r.thirdParty(),
			"CHANGELOG.md":   filepath.Join(r.root, "CHANGELOG.md"),
			"collector.yaml": filepath.Join(r.root, "config", "collector.yaml"),
			"overlays":       filepath.Join(r.root, "config", "overlays"),
		}
		if err := r.archive(p, files); err != nil {
			return err
		}
	}
	return nil
}

func (r *release) archive(p platform, files map[string]string) (err error) {
	out, err := os.Create(r.file(p.os + "_" + p.arch + ".tar.gz"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	zw, err := gzip.NewWriterLevel(out, gzip.BestCompression)
	if err != nil {
		return err
	}
	folder := "otelcol-dify_" + r.version + "_" + p.os + "_" + p.arch
	return errors.Join(r.tar(zw, folder, files, 0), zw.Close())
}

// tar writes files and folders below a folder, by their names there, with an owner and the release's date.
func (r *release) tar(w io.Writer, below string, files map[string]string, owner int) error {
	tw := tar.NewWriter(w)
	for _, name := range sorted(files) {
		err := filepath.WalkDir(files[name], func(file string, _ fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			rest, err := filepath.Rel(files[name], file)
			if err != nil {
				return err
			}
			return r.add(tw, file, path.Join(below, name, filepath.ToSlash(rest)), owner)
		})
		if err != nil {
			return err
		}
	}
	return tw.Close()
}

func (r *release) add(tw *tar.Writer, file, name string, owner int) error {
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	header := &tar.Header{Name: name, ModTime: r.date, Mode: 0o644, Uid: owner, Gid: owner, Typeflag: tar.TypeReg}
	switch {
	case info.IsDir():
		header.Name, header.Mode, header.Typeflag = name+"/", 0o755, tar.TypeDir
	case info.Mode()&0o100 != 0:
		header.Mode = 0o755
	}
	if info.IsDir() {
		return tw.WriteHeader(header)
	}
	header.Size = info.Size()
	err = tw.WriteHeader(header)
	if err != nil {
		return err
	}
	in, err := os.Open(file)
	if err != nil {
		return err
	}
	defer in.Close()
	_, err = io.Copy(tw, in)
	return err
}
