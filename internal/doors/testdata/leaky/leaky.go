// Package leaky has a door of each kind, and next to it what only looks like one.
package leaky

import (
	"bytes"
	"io"
	"iter"

	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/secrets"
)

// Results, and parameters of what is given to be called.

func Result() (secrets.Value, error)               { panic(0) }
func Nested() map[string][]*secrets.Value          { panic(0) }
func Anonymous() struct{ V secrets.Value }         { panic(0) }
func Sequence() iter.Seq2[int, secrets.Value]      { panic(0) }
func Callback(use func(v secrets.Value, n int))    { panic(0) }
func Twice(outer func(inner func() secrets.Value)) { panic(0) }
func Pointer(v *secrets.Value)                     { panic(0) }
func Channel(c chan<- secrets.Value)               { panic(0) }
func Channels() <-chan secrets.Value               { panic(0) }
func ByOpener() provider.Opener                    { panic(0) }
func ByStruct() *Struct                            { panic(0) }
func Method(m interface{ Take(v secrets.Value) })  { panic(0) }
func hidden() secrets.Value                        { panic(0) }
func Given(secrets.Value, []secrets.Value)         { panic(0) }
func Asked(func() secrets.Value, provider.Opener)  { panic(0) }
func GivenChannel(<-chan secrets.Value)            { panic(0) }
func GivenTwice(func(func(secrets.Value)))         { panic(0) }
func Returned() func(secrets.Value)                { panic(0) }
func Text() (string, error)                        { panic(0) }
func Kinds() ([]secrets.Kind, [16]byte)            { panic(0) }
func GivenBytes(plain []byte)                      { panic(0) }
func Bytes() []byte                                { panic(0) }
func Buffer() *bytes.Buffer                        { panic(0) }
func Reader() io.Reader                            { panic(0) }
func GivenReader(io.Reader)                        { panic(0) }
func Writer(to io.Writer)                          { panic(0) }
func Write() io.Writer                             { panic(0) }
func ByHidden() *shy                               { panic(0) }
func Generic[T any](T, []byte) T                   { panic(0) }

// Variables and types.

var Variable secrets.Value

type Struct struct {
	Field  secrets.Value
	Fields []struct{ Deep, private []byte }
	Call   func(given []byte) secrets.Value
	Self   *Struct
	hidden secrets.Value
	Buffered
	concealed
}

func (*Struct) Method(a []byte) (b []byte) { panic(0) }
func (*Struct) Read(p []byte) (int, error) { panic(0) }
func (*Struct) private() []byte            { panic(0) }

type Buffered struct{ N int }

func (Buffered) Promoted() []byte { panic(0) }

type shy struct{ Given chan secrets.Value }

type concealed struct{ Seen secrets.Value }

func (*concealed) Shown() []byte { panic(0) }

type Interface interface {
	Implemented(v secrets.Value) []byte
	io.Closer
	io.WriterTo
	Smaller
}

type Smaller interface{ Small(plain []byte) }

type (
	Blob  []byte
	Map   map[secrets.Name]secrets.Value
	Open  func(key []byte) Blob
	Alias = Map
)
