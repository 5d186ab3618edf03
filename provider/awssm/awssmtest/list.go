package awssmtest

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"time"
	"unicode"
)

var filterKeys = []string{"all", "description", "name", "owning-service", "primary-region", "tag-key", "tag-value"}

// listed is the answer of ListSecrets.
type listed struct {
	SecretList []described
	NextToken  string `json:",omitempty"`
}

func (o *operation) list() (any, *refusal) {
	if wrong := o.allowed("ListSecrets", "*", nil); wrong != nil {
		return nil, wrong
	}
	page, next, wrong := o.page(100, StaleList)
	if wrong != nil {
		return nil, wrong
	}
	l := listed{SecretList: []described{}, NextToken: next}
	for _, s := range page {
		d := describedOf(s)
		d.SecretVersionsToStages = s.stages()
		l.SecretList = append(l.SecretList, d)
	}
	return l, nil
}

// place is where the page after it begins. It is told to the client in a form that
// is not meant to be read.
type place struct {
	At   time.Time
	Name string
}

// page is the next page of what is listed, and the NextToken for the one after it.
func (o *operation) page(most int, what Freedom) ([]*secret, string, *refusal) {
	var after *place
	if o.in.NextToken != nil {
		text, err := base64.RawURLEncoding.DecodeString(*o.in.NextToken)
		if err != nil || json.Unmarshal(text, &after) != nil || after == nil {
			return nil, "", refuse("InvalidNextTokenException", "The NextToken value is invalid.")
		}
	}
	union := len(o.in.Filters) > 1 && o.f.takes(FilterUnion)
	var found []*secret
	for _, name := range o.f.names {
		s := o.f.seen(o.f.slots[name], o.now, what)
		if s != nil && (s.deleted.IsZero() || o.in.IncludePlannedDeletion) && matches(o.in.Filters, union, s) {
			found = append(found, s)
		}
	}
	by, sign := o.in.SortBy, 1
	if text(o.in.SortOrder) == "desc" {
		sign = -1
	}
	placeOf := func(s *secret) place {
		switch text(by) {
		case "name", "last-accessed-date": // which the fake does not keep
			return place{Name: s.name}
		case "last-changed-date":
			return place{s.changed, s.name}
		default:
			return place{s.created, s.name}
		}
	}
	order := func(a, b place) int { return sign * cmp.Or(a.At.Compare(b.At), strings.Compare(a.Name, b.Name)) }
	slices.SortFunc(found, func(a, b *secret) int { return order(placeOf(a), placeOf(b)) })
	if after != nil {
		found = slices.DeleteFunc(found, func(s *secret) bool { return order(placeOf(s), *after) <= 0 })
	}
	if o.in.MaxResults != nil {
		most = *o.in.MaxResults
	}
	if n := min(most, len(found)); n > 0 && o.f.takes(ShortPage) {
		most = o.f.config.Choose(ShortPage+" of", n)
	}
	if most >= len(found) {
		return found, "", nil
	}
	last := place{}
	switch {
	case most > 0:
		last = placeOf(found[most-1])
	case after != nil:
		last = *after
	default: // before all
		last = place{At: time.Time{}}
		if sign < 0 {
			last = place{At: time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), Name: "\U0010ffff"}
		}
	}
	token, _ := json.Marshal(last) // of a time and a text, always possible
	return found[:most], base64.RawURLEncoding.EncodeToString(token), nil
}

// matches reports whether all filters match or, as users report of Terraform's data
// source, one does.
func matches(filters []filter, union bool, s *secret) bool {
	match := func(f filter) bool { return f.match(s) }
	if union {
		return slices.ContainsFunc(filters, match)
	}
	return !slices.ContainsFunc(filters, func(f filter) bool { return !match(f) })
}

// match follows API_Filter: each but all is a match of prefixes, of the case too
// but for description; ! negates. A key and a value need not be of the same tag.
// Values that are negated and values that are not, in one filter, are not
// documented: here one of the latter must match, and none of the former.
func (f filter) match(s *secret) bool {
	var attributes []string
	prefix := strings.HasPrefix
	switch f.Key {
	case "name":
		attributes = []string{s.name}
	case "description":
		attributes = []string{s.description}
		prefix = func(s, p string) bool { return strings.HasPrefix(strings.ToLower(s), strings.ToLower(p)) }
	case "tag-key":
		for _, t := range s.tags {
			attributes = append(attributes, t.Key)
		}
	case "tag-value":
		for _, t := range s.tags {
			attributes = append(attributes, t.Value)
		}
	case "all":
		attributes = []string{s.name, s.description}
		for _, t := range s.tags {
			attributes = append(attributes, t.Key, t.Value)
		}
		prefix = hasWords
	} // the fake has no replicas, and no secrets of other services
	wanted, any := false, false
	for _, v := range f.Values {
		p, negated := strings.CutPrefix(v, "!")
		has := slices.ContainsFunc(attributes, func(a string) bool { return prefix(a, p) })
		switch {
		case negated && has:
			return false
		case !negated:
			wanted, any = true, any || has
		}
	}
	return any || !wanted
}

// hasWords reports whether each word of a pattern begins a word of a text.
func hasWords(s, pattern string) bool {
	words := func(s string) []string {
		return strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	}
	have, want := words(s), words(pattern)
	return len(want) > 0 && !slices.ContainsFunc(want, func(w string) bool {
		return !slices.ContainsFunc(have, func(h string) bool { return strings.HasPrefix(h, w) })
	})
}
