package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// openFile opens a file under an allowed directory.
func (f *Fetcher) openFile(ctx context.Context, o *order) (*source, error) {
	at := place{o.url, o.url}
	path, err := filePath(o.url)
	if err != nil {
		return nil, permanent(at, CodeBadURL, err)
	}
	dir, name, err := f.allowedDir(path)
	if err != nil {
		return nil, permanent(at, CodeFileRefused, err)
	}
	file, size, err := openRegular(dir, name)
	if err != nil {
		return nil, fileFailure(at, err)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	closeAll := func() {
		cancel(nil)
		file.Close() //nolint:errcheck // it was only read
	}
	t := &transfer{ctx: ctx, at: at, max: o.max, ratio: f.cfg.MaxRatio}
	if size > t.max {
		closeAll()
		return nil, t.tooLarge()
	}
	r := newPatient(ctx, &fileReader{ctx: ctx, r: file, left: size}, f.cfg.IdleTimeout, cancel)
	return &source{Reader: &body{t, r}, transfer: t, label: label{name: name}, close: closeAll}, nil
}

// filePath returns the absolute path of a file URL.
func filePath(u *url.URL) (string, error) {
	switch {
	case u.Opaque != "" || !strings.HasPrefix(u.Path, "/"):
		return "", errors.New("a file URL needs an absolute path, as in file:///data/list.csv")
	case u.User != nil || (u.Host != "" && u.Host != "localhost"):
		return "", errors.New("a file URL names no host; want file:///path")
	case u.RawQuery != "" || u.ForceQuery:
		return "", errors.New("a file URL has no query; a ? in a name is written %3F")
	case strings.ContainsRune(u.Path, 0):
		return "", errors.New("a path holds no zero byte")
	}
	return filepath.Clean(filepath.FromSlash(u.Path)), nil
}

// allowedDir splits a path into the innermost allowed directory and the name in it.
func (f *Fetcher) allowedDir(path string) (dir, name string, err error) {
	for _, d := range f.dirs {
		rel, err := filepath.Rel(d, path)
		if err == nil && filepath.IsLocal(rel) && len(d) > len(dir) {
			dir, name = d, rel
		}
	}
	if dir == "" {
		return "", "", fmt.Errorf("the file is not under an allowed directory; allow one with --allow-files %s", filepath.Dir(path))
	}
	return dir, name, nil
}

var errNotRegular = errors.New("not a regular file")

// openRegular opens a file without leaving dir, whatever symbolic links say.
func openRegular(dir, name string) (*os.File, int64, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, 0, err
	}
	defer root.Close() //nolint:errcheck // it was only read
	// Looked at before it is opened, as to open a FIFO or a device may wait or do
	// something; and afterwards, as it may be another by then.
	info, err := root.Stat(name)
	if err != nil {
		return nil, 0, err
	}
	if !info.Mode().IsRegular() {
		return nil, 0, errNotRegular
	}
	file, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, 0, err
	}
	if info, err = file.Stat(); err == nil && !info.Mode().IsRegular() {
		err = errNotRegular
	}
	if err != nil {
		return nil, 0, errors.Join(err, file.Close())
	}
	return file, info.Size(), nil
}

// fileFailure classifies an error of openRegular.
func fileFailure(at place, err error) error {
	var errno syscall.Errno
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		return permanent(at, CodeNotFound, errors.New("there is no such file; check the URL"))
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.ELOOP), errors.Is(err, syscall.ENAMETOOLONG),
		// What is not the system's error is our own or os.Root's: the path leaves the directory.
		!errors.As(err, &errno):
		return permanent(at, CodeFileRefused, err)
	}
	return at.wrap(err)
}

// fileReader reads a file that must stay as long as it was. It ends with ctx.
type fileReader struct {
	ctx  context.Context
	r    io.Reader
	left int64
}

func (f *fileReader) Read(p []byte) (int, error) {
	if err := f.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := f.r.Read(p)
	f.left -= int64(n)
	if f.left < 0 || (err == io.EOF && f.left != 0) {
		return 0, errors.New("the file changed its size while it was read")
	}
	return n, err
}
