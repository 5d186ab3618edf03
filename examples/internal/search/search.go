// Package search looks for values in what a run leaves behind.
package search

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"io/fs"
	"os"
	"path/filepath"
)

// Walk calls use with every file under dir.
func Walk(dir string, use func(path string, content []byte) error) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return use(path, content)
	})
}

// Holds reports whether content has plain in it: as it is, in hexadecimal, or in
// base64 at any alignment.
func Holds(content, plain []byte) bool {
	forms := [][]byte{plain, []byte(hex.EncodeToString(plain)), bytes.ToUpper([]byte(hex.EncodeToString(plain)))}
	for _, enc := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		for shift := range 3 {
			// Without the characters at both ends, which the neighbours have a share in.
			text := enc.EncodeToString(append(make([]byte, shift), plain...))
			if from, to := []int{0, 2, 3}[shift], len(text)-2; to-from >= 8 {
				forms = append(forms, []byte(text[from:to]))
			}
		}
	}
	for _, form := range forms {
		if len(form) >= 4 && bytes.Contains(content, form) {
			return true
		}
	}
	return false
}
