package main

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"io/fs"
	"os"
	"path/filepath"
)

// walk calls use with the content of every file under dir.
func walk(dir string, use func(content []byte) error) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return use(content)
	})
}

// holds reports whether content has plain in it: as it is, in hexadecimal, or in
// base64 at any alignment.
func holds(content, plain []byte) bool {
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
