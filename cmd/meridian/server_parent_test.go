package main

import (
	"fmt"
	"os"
	"syscall"
	"testing"
)

func TestParentPipeIsKnownByItsInode(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	info, err := r.Stat()
	if err != nil {
		t.Fatal(err)
	}
	inode := info.Sys().(*syscall.Stat_t).Ino
	fd, err := syscall.Dup(int(r.Fd())) // parentPipe takes it over
	if err != nil {
		t.Fatal(err)
	}
	pipe := parentPipe(fmt.Sprintf("%d:%d", fd, inode))
	if pipe == nil {
		t.Fatal("the pipe is not taken")
	}
	pipe.Close()

	file, err := os.Create(t.TempDir() + "/file")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for _, text := range []string{
		"", "3", ":", "x:1", "3:x", "1:1", "-1:5",
		fmt.Sprintf("%d:%d", r.Fd(), inode+1), // another pipe
		fmt.Sprintf("%d:%d", file.Fd(), inode),
		fmt.Sprintf("9999:%d", inode), // not open
	} {
		if p := parentPipe(text); p != nil {
			t.Errorf("%q is taken for the pipe", text)
		}
	}
}
