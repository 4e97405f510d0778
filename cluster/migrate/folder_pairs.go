package migrate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
)

// PairFolders reads the files of a folder and those that a run over a shard of it has written into another one side by
// side. Both are open. A file that the run did not write, because it is no regular one or too long, is there without another.
func PairFolders(before, after *Folder, shard Shard) Pairs {
	after.most = maxReplaced
	return &twoFolders{before, after, shard}
}

type twoFolders struct {
	before, after *Folder
	shard         Shard
}

func (p *twoFolders) Next(ctx context.Context) (before, after *Row, err error) {
	for before, err = p.before.Next(ctx); err == nil && !p.shard.has(before); {
		before, err = p.before.Next(ctx)
	}
	if err != nil && err != io.EOF {
		return nil, nil, err
	}
	if err == nil && before.carried.(*folderFile).content == nil {
		return before, before, nil
	}
	after, afterErr := p.after.Next(ctx)
	switch {
	case afterErr != nil && afterErr != io.EOF:
		return nil, nil, afterErr
	case err == io.EOF && afterErr == io.EOF:
		return nil, nil, io.EOF
	case err == io.EOF:
		return nil, nil, fmt.Errorf("%w: only the output has %q", ErrRows, after.ID)
	case afterErr == io.EOF:
		return nil, nil, fmt.Errorf("%w: only the input has %q", ErrRows, before.ID)
	case before.ID != after.ID:
		return nil, nil, fmt.Errorf("%w: where the input has %q the output has %q", ErrRows, before.ID, after.ID)
	case before.Fault == nil && after.Fault != nil: // the other way round the run left it as it was, as a file whose context is a link
		return nil, nil, fmt.Errorf("%w: of %q only the input can be read: %s", ErrRows, before.ID, after.Fault.Reason)
	}
	return before, after, nil
}

// FolderPairs reads what a run in place has changed: blobs as they were, of its undo file, and as they are, of the files.
type FolderPairs struct {
	folder  *Folder
	changes *UndoReader
	// changed are the files where neither blob of the changes so far is found.
	changed map[string]bool
	back    int64
}

// Pairs begins to read. The folder has to be open, and the undo file of a run over it.
func (f *Folder) Pairs(undo UndoFile) (*FolderPairs, error) {
	changes, err := ReadUndo(undo)
	if err != nil {
		return nil, err
	}
	return &FolderPairs{folder: f, changes: changes, changed: map[string]bool{}}, nil
}

// Next returns the next file as it was and as it is; [io.EOF] after the last. Files that others have changed or deleted
// since are left out and counted, also where it was the context beside it, and so are changes that were never made or were
// taken back. A file that cannot be read is an error.
func (p *FolderPairs) Next(ctx context.Context) (before, after *Row, err error) {
	for {
		if err := ctx.Err(); err != nil {
			return nil, nil, err
		}
		c, err := p.changes.Next()
		if err != nil {
			return nil, nil, err
		}
		now, err := p.folder.now(c.Key)
		switch {
		case err != nil:
			return nil, nil, err
		case now != nil && bytes.Equal(now, c.Before):
			delete(p.changed, c.Key)
			p.back++
			continue
		case now != nil && bytes.Equal(now, c.After):
			if before, after = p.folder.pair(c); before != nil {
				delete(p.changed, c.Key)
				return before, after, nil
			}
		}
		p.changed[c.Key] = true // unless a later change of this file explains what is there
	}
}

// now is what a file holds, nil if there is none that a run could have written.
func (f *Folder) now(at string) ([]byte, error) {
	info, err := f.root.Lstat(at)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	content, refused := readSmall(f.root, at, info, maxReplaced)
	if refused != nil && refused.Code == FaultFile && info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: %s", at, refused.Reason)
	}
	return content, nil
}

// pair makes rows of a change; nil if its blobs or the context beside the file cannot be read.
func (f *Folder) pair(c Change) (before, after *Row) {
	row := Row{Number: c.Row, ID: c.Key, Context: f.cfg.Context}
	if f.readContext(&row, &folderFile{}) != nil {
		return nil, nil
	}
	was, is := row, row
	var refused, refusedAfter *RowError
	was.Blob, _, refused = readForm(c.Before)
	is.Blob, _, refusedAfter = readForm(c.After)
	if refused != nil || refusedAfter != nil {
		return nil, nil
	}
	return &was, &is
}

// Changed is how many files others have changed or deleted since the run moved them.
func (p *FolderPairs) Changed() int64 { return int64(len(p.changed)) }

// NotMade is how many changes were never made, or were taken back.
func (p *FolderPairs) NotMade() int64 { return p.back }

// Close closes the undo file.
func (p *FolderPairs) Close() error { return p.changes.Close() }
