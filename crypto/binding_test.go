package crypto_test

import (
	"bytes"
	"encoding/binary"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/pipesecrets/pipesecrets/crypto"
	"github.com/pipesecrets/pipesecrets/secrets"
)

// text draws from few characters, so that fields run into one another if
// anything lets them.
var text = rapid.SampledFrom([]string{"", "a", "b", "aa", "ab", "ba", "\x00", "\x00\x00\x00\x01", "\x00\x00\x00\x01a", "a\x00\x00\x00\x01"})

var names = func() (all []secrets.Name) {
	for _, s := range []string{"aa", "ab", "aaa", "AA", "a_", "aa_a"} {
		n, err := secrets.ParseName(s)
		if err != nil {
			panic(err)
		}
		all = append(all, n)
	}
	return all
}()

func drawSecret(t *rapid.T, label string) secrets.Secret {
	return rapid.Custom(func(t *rapid.T) secrets.Secret {
		s := secrets.Secret{
			Pin: secrets.Pin{
				ID:      secrets.ID(rapid.Int64Range(1, 3).Draw(t, "id")),
				Version: secrets.Version(rapid.Uint64Range(1, 3).Draw(t, "version")),
			},
			Name: rapid.SampledFrom(names).Draw(t, "name"),
			Scope: secrets.Scope{
				Kind: secrets.Kind(rapid.Uint8Range(1, 3).Draw(t, "kind")),
				ID:   text.Draw(t, "scope"),
			},
		}
		s.Policy.Disabled = rapid.Bool().Draw(t, "disabled")
		s.Policy.Locked = rapid.Bool().Draw(t, "locked")
		s.Policy.Pipelines = rapid.SliceOfN(text, 0, 3).Draw(t, "pipelines")
		s.Policy.Expires = rapid.SampledFrom([]time.Time{
			{}, (time.Time{}).Add(time.Nanosecond), time.Unix(0, 0), time.Unix(1, 0), time.Unix(1, 1), time.Unix(1<<40, 0),
		}).Draw(t, "expires")
		return s
	}).Draw(t, label)
}

// bound is what of a secret must tell two bindings apart.
func bound(s secrets.Secret) secrets.Secret {
	never := s.Policy.Expires.IsZero()
	s.Policy = s.Policy.Canonical()
	if !never && s.Policy.Expires.IsZero() {
		s.Policy.Expires = time.Unix(-1, 0).UTC() // anything but none
	}
	return s
}

func TestTwoSecretsShareABindingOnlyIfAllThatIsBoundIsEqual(t *testing.T) {
	var installation [16]byte
	rapid.Check(t, func(t *rapid.T) {
		a := drawSecret(t, "a")
		b := a
		if rapid.Bool().Draw(t, "unrelated") {
			b = drawSecret(t, "b")
		} else { // one field of another, so that near misses are common
			other := drawSecret(t, "other")
			switch rapid.IntRange(0, 9).Draw(t, "field") {
			case 0:
				b.ID = other.ID
			case 1:
				b.Version = other.Version
			case 2:
				b.Name = other.Name
			case 3:
				b.Scope.Kind = other.Scope.Kind
			case 4:
				b.Scope.ID = other.Scope.ID
			case 5:
				b.Policy.Disabled = other.Policy.Disabled
			case 6:
				b.Policy.Locked = other.Policy.Locked
			case 7:
				b.Policy.Pipelines = other.Policy.Pipelines
			case 8:
				b.Policy.Expires = other.Policy.Expires
			case 9: // the same in another order
				b.Policy.Pipelines = slices.Clone(a.Policy.Pipelines)
				slices.Reverse(b.Policy.Pipelines)
			}
		}
		same := bytes.Equal(crypto.Binding(installation, a), crypto.Binding(installation, b))
		if want := reflect.DeepEqual(bound(a), bound(b)); same != want {
			t.Fatalf("same binding: %v, same secret: %v", same, want)
		}
	})
}

// The binding is read back by its lengths alone: what can be read back in one way
// only was written in one way only.
func TestABindingReadsBackFieldByField(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSecret(t, "secret")
		installation := [16]byte(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "installation"))
		var got [][]byte
		for rest := crypto.Binding(installation, s); len(rest) > 0; {
			n := binary.BigEndian.Uint32(rest)
			got = append(got, rest[4:4+n])
			rest = rest[4+n:]
		}

		be := func(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }
		flag := func(b bool) []byte {
			if b {
				return []byte{1}
			}
			return []byte{0}
		}
		p := s.Policy.Canonical()
		want := [][]byte{
			[]byte("pipesecrets/record/v1"), installation[:], be(uint64(s.ID)),
			{byte(s.Scope.Kind)}, []byte(s.Scope.ID), []byte(s.Name.String()), be(uint64(s.Version)),
			{}, flag(s.Policy.Disabled), flag(s.Policy.Locked), {0, 0, 0, byte(len(p.Pipelines))},
		}
		if !s.Policy.Expires.IsZero() {
			want[7] = be(uint64(s.Policy.Expires.Unix()))
		}
		for _, pipeline := range p.Pipelines {
			want = append(want, []byte(pipeline))
		}
		if !slices.EqualFunc(got, want, bytes.Equal) {
			t.Fatalf("got  %q\nwant %q", got, want)
		}
	})
}
