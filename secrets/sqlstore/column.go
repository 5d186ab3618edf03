package sqlstore

import (
	"encoding"
	"encoding/json"
	"time"

	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/provider/stage"
	"github.com/pipesecrets/pipesecrets/secrets"
)

// How Go values lie in columns: a time as microseconds since 1970, 0 for the
// zero time; a name or run id as text, "" for the zero one; a mark as 16 bytes;
// a list as JSON.

// toMicro returns t as it will be read again.
func toMicro(t time.Time) time.Time { return fromStamp(stamp(t)) }

func stamp(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func fromStamp(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

// stampIn reads a time.
type stampIn struct{ t *time.Time }

func (c stampIn) Scan(v any) error {
	us, ok := v.(int64)
	if !ok {
		return errUnreadable
	}
	*c.t = fromStamp(us)
	return nil
}

// textIn reads a name or a run id.
type textIn struct{ x encoding.TextUnmarshaler }

func (c textIn) Scan(v any) error {
	s, ok := v.(string)
	if !ok {
		return errUnreadable
	}
	if s != "" && c.x.UnmarshalText([]byte(s)) != nil {
		return errUnreadable
	}
	return nil
}

// numberIn reads a 64-bit number that the database keeps as a signed one.
type numberIn[T ~uint64] struct{ n *T }

func (c numberIn[T]) Scan(v any) error {
	n, ok := v.(int64)
	if !ok {
		return errUnreadable
	}
	*c.n = T(n)
	return nil
}

// placeIn reads a place in the log: as the database has it, and as 0 if it is below
// 1, where no row of ours is, so that it reads as out of order.
type placeIn struct {
	seq    *uint64
	stored *int64
}

func (c placeIn) Scan(v any) error {
	n, ok := v.(int64)
	if !ok {
		return errUnreadable
	}
	*c.seq, *c.stored = uint64(max(n, 0)), n
	return nil
}

// fixedIn reads exactly as many bytes as there is room for.
type fixedIn struct{ b []byte }

func (c fixedIn) Scan(v any) error {
	if b, ok := v.([]byte); !ok || copy(c.b, b) != len(c.b) || len(b) != len(c.b) {
		return errUnreadable
	}
	return nil
}

// bytesOut returns b, or an empty slice for nil, which would be NULL.
func bytesOut(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// bytesIn reads bytes; none as nil.
type bytesIn struct{ b *[]byte }

func (c bytesIn) Scan(v any) error {
	b, ok := v.([]byte)
	if !ok && v != nil {
		return errUnreadable
	}
	*c.b = append([]byte(nil), b...) // the driver's own until the next row
	return nil
}

// listOut returns a list as JSON.
func listOut[T any](list []T) string {
	if len(list) == 0 {
		return "[]"
	}
	b, err := json.Marshal(list)
	if err != nil {
		panic("sqlstore: a list of plain strings and numbers can't be encoded")
	}
	return string(b)
}

// listIn reads a list of JSON; an empty one as nil.
type listIn[T any] struct{ list *[]T }

func (c listIn[T]) Scan(v any) error {
	s, ok := v.(string)
	if !ok || json.Unmarshal([]byte(s), c.list) != nil {
		return errUnreadable
	}
	if len(*c.list) == 0 {
		*c.list = nil
	}
	return nil
}

// itemJSON is an item of a run, or of an object, where the scope is left out.
type itemJSON struct {
	Name    string          `json:"name"`
	ID      secrets.ID      `json:"id"`
	Version secrets.Version `json:"version"`
	Kind    secrets.Kind    `json:"kind,omitempty"`
	Scope   string          `json:"scope,omitempty"`
	Revoked bool            `json:"revoked,omitempty"`
}

func itemOut(it provider.Item, s secrets.Scope) itemJSON {
	return itemJSON{Name: it.Name.String(), ID: it.Pin.ID, Version: it.Pin.Version, Kind: s.Kind, Scope: s.ID}
}

func (j itemJSON) item() (it stage.Item, err error) {
	if err := (textIn{&it.Name}).Scan(j.Name); err != nil {
		return stage.Item{}, err
	}
	it.Pin = secrets.Pin{ID: j.ID, Version: j.Version}
	it.Scope = secrets.Scope{Kind: j.Kind, ID: j.Scope}
	return it, nil
}
