//go:build unix

package command

import (
	"errors"
	"flag"
	"io"
	"os"
	"strings"
)

// Parse parses args, and says what is wrong with them without quoting more than the
// name of a flag: package flag would print what it refuses. flag.ErrHelp says that
// the usage was asked for, and printed.
func Parse(flags *flag.FlagSet, args []string) error {
	flags.SetOutput(io.Discard)
	err := flags.Parse(args)
	flags.SetOutput(os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		flags.Usage()
		return err
	case err != nil && strings.HasPrefix(err.Error(), "flag "): // is unknown, or needs an argument
		return errors.New(err.Error() + " (" + flags.Name() + " -h lists the flags)")
	case err != nil:
		return errors.New("an argument is no flag, or is not what its flag takes (" + flags.Name() + " -h lists the flags)")
	}
	return nil
}
