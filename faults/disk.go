//go:build unix

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"segue/faults/fleet"
)

// disk is a file system of its own, ext4 on an image file, that can be filled and
// that can lose its power.
type disk struct {
	image string
	dir   string // where it is mounted
}

// unmountLimit is how long the processes that were killed may keep a disk busy.
const unmountLimit = 10 * time.Second

// diskSize is that of a disk, in bytes: a broker takes three quarters of what is
// free for its streams, which reserve 4 GiB. The image takes only what is used.
const diskSize = 8 << 30

// newDisk makes and mounts a disk. It is gone with the bench.
func newDisk(ctx context.Context, b *Bench, name string) (*disk, error) {
	if os.Getuid() != 0 {
		return nil, Cannot("mounting a disk image takes root")
	}
	for _, program := range []string{"mkfs.ext4", "mount", "umount"} {
		if _, err := exec.LookPath(program); err != nil {
			return nil, Cannot("%s is not installed", program)
		}
	}
	d := &disk{image: filepath.Join(b.Dir, name+".img"), dir: filepath.Join(b.Dir, name)}
	if err := os.MkdirAll(d.dir, 0o700); err != nil {
		return nil, err
	}
	image, err := os.Create(d.image)
	if err != nil {
		return nil, err
	}
	defer image.Close()
	if err := image.Truncate(diskSize); err != nil {
		return nil, err
	}
	if err := command(ctx, "mkfs.ext4", "-q", "-F", "-m", "0", d.image); err != nil {
		return nil, err
	}
	if err := d.mount(ctx); err != nil {
		return nil, Cannot("%v", err)
	}
	b.Defer(func() {
		if err := d.unmount(context.WithoutCancel(ctx)); err != nil {
			b.Log("%v", err)
		}
	})
	return d, nil
}

func (d *disk) mount(ctx context.Context) error {
	return command(ctx, "mount", "-o", "loop", d.image, d.dir)
}

// unmount waits until nobody uses the disk any more.
func (d *disk) unmount(ctx context.Context) error {
	return fleet.Within(ctx, unmountLimit, func() error { return command(ctx, "umount", d.dir) })
}

// path is a place on the disk.
func (d *disk) path(name string) string { return filepath.Join(d.dir, name) }

// ballast is the file that fills a disk.
const ballast = "ballast"

// fill takes all the space but so many bytes.
func (d *disk) fill(spare int64) error {
	free, err := freeBytes(d.dir)
	if err != nil {
		return err
	}
	f, err := os.Create(d.path(ballast))
	if err != nil {
		return fmt.Errorf("fill disk: %w", err)
	}
	defer f.Close()
	if err := reserve(f, max(0, free-spare)); err != nil {
		return fmt.Errorf("fill disk: %w", err)
	}
	return nil
}

// free gives the space back.
func (d *disk) free() error { return os.Remove(d.path(ballast)) }

// command runs a program to its end.
func command(ctx context.Context, name string, args ...string) error {
	if out, err := exec.CommandContext(ctx, name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}
