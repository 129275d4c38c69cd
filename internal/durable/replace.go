package durable

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// Replace is WriteFile for a file that is replaced often. sync makes a file's
// content, or the names in a folder, durable.
//
// The old file stays beside the new one as path + ".spare", the next call's: to
// overwrite a file and to exchange two names costs the file system a fraction of
// making a file and deleting another. Where names cannot be exchanged, it renames.
func Replace(path string, data []byte, mode fs.FileMode, sync func(*os.File) error) error {
	spare := path + ".spare"
	if err := overwrite(spare, data, mode, sync); err != nil {
		return err
	}
	if err := exchange(spare, path); err != nil {
		// There is no file yet, or the file system cannot exchange names.
		if err := os.Rename(spare, path); err != nil {
			return err
		}
	}
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(sync(folder), folder.Close())
}

// overwrite makes data the whole, durable content of a file, in place.
func overwrite(path string, data []byte, mode fs.FileMode, sync func(*os.File) error) (err error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, mode)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if _, err := file.WriteAt(data, 0); err != nil {
		return err
	}
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if info.Size() != int64(len(data)) {
		if err := file.Truncate(int64(len(data))); err != nil {
			return err
		}
	}
	return sync(file)
}
