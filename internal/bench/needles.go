package main

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/pipesecrets/pipesecrets/secrets"
)

// needleSize is the size of the values that are masked, in bytes.
const needleSize = 24

const (
	hexDigits = "0123456789abcdef"
	alphabet  = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
)

// needlesOf returns n random values of so many bytes, the same for the same seed:
// by turns hexadecimal, as keys are, and of letters and digits, as tokens are.
func needlesOf(seed uint64, n, size int) []string {
	random := rand.New(rand.NewPCG(seed, 1))
	all := make([]string, n)
	for i := range all {
		all[i] = draw(random, []string{alphabet, hexDigits}[i%2], size)
	}
	return all
}

// draw returns size random bytes of an alphabet.
func draw(random *rand.Rand, of string, size int) string {
	var b strings.Builder
	for range size {
		b.WriteByte(of[random.IntN(len(of))])
	}
	return b.String()
}

// valuesOf gives each needle a name.
func valuesOf(needles []string) (map[secrets.Name]secrets.Value, error) {
	values := make(map[secrets.Name]secrets.Value, len(needles))
	for i, needle := range needles {
		name, err := secrets.ParseName(fmt.Sprint("KEY_", i))
		if err != nil {
			return nil, err
		}
		if values[name], err = secrets.NewValue([]byte(needle)); err != nil {
			return nil, err
		}
	}
	return values, nil
}
