//go:build unix

package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/pipesecrets/pipesecrets/secrets"
)

// Given is a secret from the command line: its name, and the file that holds its
// value, "-" for standard input. Values are not taken from arguments, which any user
// of a machine can see; and as one may have been written there by mistake, no error
// quotes what was given.
type Given struct {
	Name secrets.Name
	File string
}

// ParseGiven reads NAME=FILE.
func ParseGiven(s string) (Given, error) {
	name, file, ok := strings.Cut(s, "=")
	if !ok || file == "" {
		return Given{}, errors.New("a secret is given as NAME=FILE")
	}
	parsed, err := secrets.ParseName(name)
	if err != nil {
		return Given{}, err
	}
	return Given{parsed, file}, nil
}

// Givens reads lists of NAME=FILE, of which only one in all may name standard input.
func Givens(lists ...[]string) (given [][]Given, err error) {
	stdin := 0
	for _, list := range lists {
		var read []Given
		for _, s := range list {
			g, err := ParseGiven(s)
			if err != nil {
				return nil, err
			}
			if g.File == "-" {
				stdin++
			}
			read = append(read, g)
		}
		given = append(given, read)
	}
	if stdin > 1 {
		return nil, errors.New("only one secret can come from standard input")
	}
	return given, nil
}

// Collect keeps the arguments of a flag for later: package flag would quote a
// refused one, which may be a value that somebody wrote in the wrong place.
func Collect(into *[]string) func(string) error {
	return func(s string) error {
		*into = append(*into, s)
		return nil
	}
}

// Read returns the value that the file or standard input holds. It does not wait for
// a terminal or a pipe any longer than ctx lasts.
func (g Given) Read(ctx context.Context) (secrets.Value, error) {
	done := make(chan struct{})
	var value secrets.Value
	var err error
	go func() {
		defer close(done)
		value, err = g.readAll()
	}()
	select {
	case <-done:
		return value, err
	case <-ctx.Done():
		return secrets.Value{}, context.Cause(ctx)
	}
}

func (g Given) readAll() (secrets.Value, error) {
	in := os.Stdin
	if g.File != "-" {
		f, err := os.Open(g.File)
		if err != nil {
			return secrets.Value{}, fmt.Errorf("%s: the file can't be opened", g.Name)
		}
		defer f.Close()
		in = f
	}
	plain := make([]byte, secrets.MaxValue+1) // one more than fits, to tell that it is too long
	defer clear(plain)
	n, err := io.ReadFull(in, plain)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return secrets.Value{}, fmt.Errorf("%s: the file can't be read", g.Name)
	}
	value, err := secrets.NewValue(plain[:n])
	if err != nil {
		return secrets.Value{}, fmt.Errorf("%s: %w", g.Name, err)
	}
	return value, nil
}
