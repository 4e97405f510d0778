package migrate

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"path"
)

// reserve opens the folder if it is not, and keeps others away from it until it is closed.
func (f *Folder) reserve() error {
	if err := f.openOnce(); err != nil {
		return err
	}
	return f.keep()
}

func (f *Folder) openOnce() error {
	if f.root != nil {
		return nil
	}
	return f.Open()
}

// Restore puts Before back where After still is.
func (f *Folder) Restore(ctx context.Context, changes []Change, dry bool) ([]Found, error) {
	if err := f.openOnce(); err != nil {
		return nil, err
	}
	found := make([]Found, len(changes))
	for i, c := range changes {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		var err error
		if found[i], err = f.restore(c, dry); err != nil {
			return nil, err
		}
	}
	_, err := f.Sync()
	return found, err
}

// restore puts one file back.
func (f *Folder) restore(c Change, dry bool) (Found, error) {
	info, err := f.root.Lstat(c.Key)
	if errors.Is(err, fs.ErrNotExist) {
		return FoundNone, nil
	}
	if err != nil && denied(err) {
		return FoundRefused, nil
	}
	if err != nil {
		return "", err
	}
	content, refused := readSmall(f.root, c.Key, info, maxReplaced)
	switch {
	case refused != nil && refused.Code == FaultFile && info.Mode().IsRegular(): // nobody has changed what it is
		return FoundRefused, nil
	case refused != nil:
		return FoundOther, nil
	case bytes.Equal(content, c.Before):
		if !dry { // a rollback that was killed may have put it there, and its name not be on disk
			f.dirty[path.Dir(c.Key)] = true
		}
		return FoundBefore, nil
	case !bytes.Equal(content, c.After):
		return FoundOther, nil
	case dry:
		return FoundAfter, nil
	}
	refused, err = f.replace(Change{Row: c.Row, Key: c.Key, Before: c.After, After: c.Before}, info)
	switch {
	case err != nil:
		return "", err
	case refused != nil && refused.Code == FaultFile:
		return FoundRefused, nil
	case refused != nil:
		return FoundOther, nil
	}
	return FoundAfter, nil
}
