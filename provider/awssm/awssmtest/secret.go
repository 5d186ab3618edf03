package awssmtest

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/pipesecrets/pipesecrets/provider/awssm/internal/partition"
)

// Secret is a secret in truth, however late a client sees it. It has no value, but
// can tell one.
type Secret struct {
	Name, ARN    string
	Description  string
	KMSKeyID     string            // as it was asked for; "" is aws/secretsmanager
	Tags         map[string]string // nil if there are none
	Tokens       []string          // the ids of its versions, the oldest first: the ClientRequestTokens that made them
	Created      time.Time         // when it came to be, which may be later than it was asked for
	CreatedBy    string            // an access key; "" if it was planted
	DeletedDate  time.Time         // the end of its recovery window; zero if it is not scheduled for deletion
	BeingDeleted bool              // by force; it has its name until it is gone

	current *[sha256.Size]byte
	entries map[string][sha256.Size]byte // if it is a JSON object of strings
}

// Holds reports whether the secret's current version holds exactly this value.
func (s Secret) Holds(plain []byte) bool {
	return s.current != nil && *s.current == sha256.Sum256(plain)
}

// HoldsEntry reports whether the secret's current version is a JSON object of
// strings in which the key has exactly this value, as ECS would read it.
func (s Secret) HoldsEntry(key string, plain []byte) bool {
	sum, has := s.entries[key]
	return has && sum == sha256.Sum256(plain)
}

// Secrets returns what is there in truth, in the order of names.
func (f *Fake) Secrets() []Secret {
	f.enter()
	defer f.mu.Unlock()
	var all []Secret
	for _, name := range f.names {
		if s := f.slots[name].now; s != nil {
			all = append(all, s.told())
		}
	}
	return all
}

// Plant makes a secret past the wire: somebody else's, or one that no ledger knows
// of. Of s it takes Name, Description, KMSKeyID, Tags, DeletedDate and Created, if
// that is not zero. It replaces what has the name, and returns the ARN.
func (f *Fake) Plant(s Secret, value []byte) string {
	now := f.enter()
	defer f.mu.Unlock()
	if s.Created.IsZero() {
		s.Created = now
	}
	text := string(value)
	made := &secret{
		name: s.Name, arn: f.newARN(s.Name), description: s.Description, kmsKey: s.KMSKeyID,
		created: s.Created, changed: s.Created,
		versions: []version{{id: newID(), text: &text, stages: []string{current}, created: s.Created}},
	}
	for _, key := range slices.Sorted(maps.Keys(s.Tags)) {
		made.tags = append(made.tags, tag{Key: key, Value: s.Tags[key]})
	}
	f.set(s.Name, made, now)
	if !s.DeletedDate.IsZero() {
		f.schedule(made, s.DeletedDate, now)
	}
	return made.arn
}

// The staging labels that Secrets Manager itself moves.
const (
	current  = "AWSCURRENT"
	previous = "AWSPREVIOUS"
)

// secret is a secret as a call finds it. What changes is a copy.
type secret struct {
	name, arn        string
	description      string
	kmsKey           string
	tags             []tag
	versions         []version // the oldest first
	created, changed time.Time
	by               string
	deleted          time.Time // the end of its recovery window, or when it was deleted by force; else zero
	going            bool      // deleted by force, and not gone
}

type version struct {
	id      string
	text    *string
	binary  []byte
	stages  []string
	created time.Time
}

// tag is a tag on the wire.
type tag struct{ Key, Value string }

// UnmarshalJSON implements json.Unmarshaler.
func (t *tag) UnmarshalJSON(b []byte) error {
	type plain tag
	return strict(b, (*plain)(t), "Key", "Value")
}

// clone returns a copy to change.
func (s *secret) clone() *secret {
	c := *s
	c.tags = slices.Clone(s.tags)
	c.versions = slices.Clone(s.versions)
	for i := range c.versions {
		c.versions[i].stages = slices.Clone(c.versions[i].stages)
	}
	return &c
}

func (s *secret) told() Secret {
	t := Secret{
		Name: s.name, ARN: s.arn, Description: s.description, KMSKeyID: s.kmsKey,
		Created: s.created, CreatedBy: s.by, BeingDeleted: s.going,
	}
	if !s.going {
		t.DeletedDate = s.deleted
	}
	for _, tag := range s.tags {
		if t.Tags == nil {
			t.Tags = map[string]string{}
		}
		t.Tags[tag.Key] = tag.Value
	}
	for _, v := range s.versions {
		t.Tokens = append(t.Tokens, v.id)
	}
	if v := s.staged(current); v != nil {
		sum := sha256.Sum256(v.plain())
		t.current = &sum
		var object map[string]string
		if v.text != nil && json.Unmarshal(v.plain(), &object) == nil {
			t.entries = map[string][sha256.Size]byte{}
			for key, value := range object {
				t.entries[key] = sha256.Sum256([]byte(value))
			}
		}
	}
	return t
}

// staged is the version that has a label, or nil.
func (s *secret) staged(label string) *version {
	i := slices.IndexFunc(s.versions, func(v version) bool { return slices.Contains(v.stages, label) })
	if i < 0 {
		return nil
	}
	return &s.versions[i]
}

// version is the version with an id, or nil.
func (s *secret) version(id string) *version {
	i := slices.IndexFunc(s.versions, func(v version) bool { return v.id == id })
	if i < 0 {
		return nil
	}
	return &s.versions[i]
}

// move gives a label to a version, which any other then loses. Whoever loses
// AWSCURRENT becomes AWSPREVIOUS.
func (s *secret) move(label string, to *version) {
	from := s.staged(label)
	if from == to {
		return
	}
	if from != nil {
		from.drop(label)
	}
	to.stages = append(to.stages, label)
	if label == current && from != nil {
		s.move(previous, from)
	}
}

func (v *version) drop(label string) {
	v.stages = slices.DeleteFunc(v.stages, func(s string) bool { return s == label })
}

// plain is the value, as text or bytes.
func (v *version) plain() []byte {
	if v.text != nil {
		return []byte(*v.text)
	}
	return v.binary
}

// same reports whether two versions hold the same value in the same form.
func (v *version) same(w version) bool {
	return (v.text == nil) == (w.text == nil) && bytes.Equal(v.plain(), w.plain())
}

// newARN is the ARN of a new secret: its name, a hyphen, and six random characters.
func (f *Fake) newARN(name string) string {
	return f.partialARN(name) + "-" + random(6)
}

func (f *Fake) partialARN(name string) string {
	return "arn:" + f.partition() + ":secretsmanager:" + f.config.Region + ":" + f.config.Account + ":secret:" + name
}

// partition is the part of AWS that the account is in, as ARNs name it.
func (f *Fake) partition() string { return partition.Of(f.config.Region) }

// random returns n random letters and digits.
func random(n int) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	var out []byte
	for len(out) < n {
		var b [32]byte
		rand.Read(b[:]) // never fails
		for _, c := range b {
			if int(c) < 4*len(alphabet) && len(out) < n { // so that each is as likely
				out = append(out, alphabet[int(c)%len(alphabet)])
			}
		}
	}
	return string(out)
}

// newID returns an id for what nobody gave one: a version, or an answer.
func newID() string { return random(32) }
