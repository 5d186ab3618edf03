package awssmtest_test

import (
	"slices"
	"strings"
)

// filters is one filter.
func filters(key string, values ...string) []f { return []f{{"Key": key, "Values": values}} }

// list lists the names with a prefix, by more filters and fields.
func (w *world) list(prefix string, more f) answer {
	w.t.Helper()
	in := f{"Filters": filters("name", prefix)}
	for k, v := range more {
		if k == "Filters" {
			v = slices.Concat(in["Filters"].([]f), v.([]f))
		}
		in = in.with(k, v)
	}
	return w.do("ListSecrets", in)
}

// shown are the ends of the names that a list shows, in order.
func shown(a answer) string {
	var all []string
	for _, name := range a.each("SecretList", "Name") {
		all = append(all, name[strings.LastIndex(name, "/")+1:])
	}
	slices.Sort(all)
	return say(a.code, all)
}

// tagged makes two secrets, one and two, with a tag each.
func (w *world) tagged(one, two f) {
	w.made(f{"Name": w.prefix + "one", "Tags": []f{one}})
	w.made(f{"Name": w.prefix + "two", "Tags": []f{two}})
}

var listRows = []row{
	{
		says: "a filter of names matches how they begin", source: "API_Filter, Key: name",
		look: func(w *world) string {
			w.made(f{"Name": w.prefix + "abc"})
			w.made(f{"Name": w.prefix + "xabc"})
			return shown(w.list(w.prefix+"ab", nil))
		},
		want: "ok [abc]",
	},
	{
		says: "a filter of names heeds case", source: "API_Filter, Key: name",
		look: func(w *world) string {
			w.made(f{"Name": w.prefix + "abc"})
			w.made(f{"Name": w.prefix + "ABC"})
			return shown(w.list(w.prefix+"AB", nil))
		},
		want: "ok [ABC]",
	},
	{
		says: "a filter that begins with ! negates", source: "API_Filter, Values",
		look: func(w *world) string {
			w.made(f{"Name": w.prefix + "abc"})
			w.made(f{"Name": w.prefix + "xyz"})
			return shown(w.list(w.prefix, f{"Filters": filters("name", "!"+w.prefix+"ab")}))
		},
		want: "ok [xyz]",
	},
	{
		says: "the values of a filter are alternatives", source: "user guide, manage_search-secret",
		look: func(w *world) string {
			w.made(f{"Name": w.prefix + "abc"})
			w.made(f{"Name": w.prefix + "xyz"})
			w.made(f{"Name": w.prefix + "none"})
			return shown(w.do("ListSecrets", f{"Filters": filters("name", w.prefix+"ab", w.prefix+"xy")}))
		},
		want: "ok [abc xyz]",
	},
	{
		says: "a filter of tag keys matches how they begin", source: "API_Filter, Key: tag-key",
		look: func(w *world) string {
			w.tagged(f{"Key": "stage", "Value": "v"}, f{"Key": "backstage", "Value": "v"})
			return shown(w.list(w.prefix, f{"Filters": filters("tag-key", "sta")}))
		},
		want: "ok [one]",
	},
	{
		says: "a filter of tag values heeds case", source: "API_Filter, Key: tag-value",
		look: func(w *world) string {
			w.tagged(f{"Key": "k", "Value": "mark"}, f{"Key": "k", "Value": "MARK"})
			return shown(w.list(w.prefix, f{"Filters": filters("tag-value", "mar")}))
		},
		want: "ok [one]",
	},
	{
		says: "a tag key and a tag value need not be of the same tag", source: "API_Filter, Key: tag-key, tag-value, each by itself",
		look: func(w *world) string {
			w.made(f{"Name": w.prefix + "one", "Tags": []f{{"Key": "mark", "Value": "other"}, {"Key": "other", "Value": "ours"}}})
			return shown(w.list(w.prefix, f{"Filters": append(filters("tag-key", "mark"), filters("tag-value", "ours")...)}))
		},
		want: "ok [one]",
	},
	{
		says: "what lacks a tag key is what a negated filter shows", source: "API_Filter, Values",
		look: func(w *world) string {
			w.tagged(f{"Key": "mark", "Value": "v"}, f{"Key": "none", "Value": "v"})
			return shown(w.list(w.prefix, f{"Filters": filters("tag-key", "!mark")}))
		},
		want: "ok [two]",
	},
	{
		says: "what has no tags at all is what a negated filter shows", source: "API_Filter, Values",
		look: func(w *world) string {
			w.made(f{"Name": w.prefix + "bare"})
			return shown(w.list(w.prefix, f{"Filters": filters("tag-key", "!mark")}))
		},
		want: "ok [bare]", moto: "ok []", why: "it wants a tag that does not match",
	},
	{
		says: "a filter of descriptions does not heed case", source: "API_Filter, Key: description",
		look: func(w *world) string {
			w.made(f{"Name": w.prefix + "one", "Description": "Staged for a run"})
			return shown(w.list(w.prefix, f{"Filters": filters("description", "staged")}))
		},
		want: "ok [one]",
	},
	{
		says: "a filter of all looks at the words of everything", source: "API_Filter, Key: all",
		look: func(w *world) string {
			w.tagged(f{"Key": "k", "Value": "Staged"}, f{"Key": "k", "Value": "other"})
			return shown(w.list(w.prefix, f{"Filters": filters("all", "staged")}))
		},
		want: "ok [one]",
	},
	{
		says: "a filter of another key is refused", source: "moto, test of ListSecrets; API_Filter, Key",
		look: func(w *world) string { return w.do("ListSecrets", f{"Filters": filters("colour", "red")}).code },
		want: "ValidationException",
	},
	{
		says: "a filter of nothing is refused", source: "moto, test of ListSecrets",
		look: func(w *world) string { return w.do("ListSecrets", f{"Filters": []f{{"Key": "name"}}}).code },
		want: "InvalidParameterException",
	},
	{
		says: "the value of a filter may not have an asterisk", source: "API_Filter, Values, Pattern",
		look: func(w *world) string { return w.do("ListSecrets", f{"Filters": filters("name", w.prefix+"*")}).code },
		want: "ValidationException", moto: "ok", why: noLimit,
	},
	{
		says: "the value of a filter may not have 513 characters", source: "API_Filter, Values",
		look: func(w *world) string {
			return w.do("ListSecrets", f{"Filters": filters("name", strings.Repeat("x", 513))}).code
		},
		want: "ValidationException", moto: "ok", why: noLimit,
	},
	{
		says: "a list may not have 11 filters", source: "API_ListSecrets, Filters",
		look: func(w *world) string {
			return w.do("ListSecrets", f{"Filters": slices.Repeat(filters("name", w.prefix), 11)}).code
		},
		want: "ValidationException", moto: "ok", why: noLimit,
	},
	{
		says: "a list does not show what is scheduled for deletion", source: "API_ListSecrets, IncludePlannedDeletion",
		look: func(w *world) string {
			in := w.scheduled()
			return shown(w.list(in["Name"].(string), nil))
		},
		want: "ok []",
	},
	{
		says: "a list shows what is scheduled for deletion when it is asked to, with a date", source: "API_ListSecrets, IncludePlannedDeletion",
		look: func(w *world) string {
			in := w.scheduled()
			a := w.list(in["Name"].(string), f{"IncludePlannedDeletion": true})
			return say(a.each("SecretList", "Name")[0] == in["Name"], a.each("SecretList", "DeletedDate")[0] != "")
		},
		want: "true true",
	},
	{
		says: "a list shows tags and ARNs", source: "API_SecretListEntry",
		look: func(w *world) string {
			in := w.made(f{"Tags": []f{{"Key": "k", "Value": "v"}}})
			a := w.list(w.prefix, nil)
			entry := a.list("SecretList")[0].(map[string]any)
			return say(entry["ARN"] == in["SecretId"], entry["Tags"])
		},
		want: "true [map[Key:k Value:v]]",
	},
	{
		says: "a list comes in pages", source: "API_ListSecrets, NextToken",
		look: func(w *world) string {
			names := w.ids(5)
			var all []string
			var next any
			pages := 0
			for more := true; more; pages++ {
				a := w.list(w.prefix, f{"MaxResults": 2, "NextToken": next})
				all = append(all, a.each("SecretList", "Name")...)
				next, more = a.fields["NextToken"], a.fields["NextToken"] != nil
			}
			missing := 0
			for _, name := range names {
				if !slices.Contains(all, name.(string)) {
					missing++
				}
			}
			return say(pages, len(all), missing)
		},
		want: "3 5 0",
	},
	{
		says: "a page may not have 101", source: "API_ListSecrets, MaxResults",
		look: func(w *world) string { return w.list(w.prefix, f{"MaxResults": 101}).code },
		want: "ValidationException", moto: "ok", why: noLimit,
	},
	{
		says: "a page may not have 0", source: "API_ListSecrets, MaxResults",
		look: func(w *world) string { return w.list(w.prefix, f{"MaxResults": 0}).code },
		want: "ValidationException", moto: "ok", why: noLimit,
	},
	{
		says: "a NextToken that nobody gave is refused", source: "API_ListSecrets, Errors, InvalidNextTokenException",
		look: func(w *world) string { return w.list(w.prefix, f{"NextToken": "123456789"}).code },
		want: "InvalidNextTokenException", moto: "ok", why: "its tokens are numbers",
	},
	{
		says: "a list can be sorted by its last changes", source: "API_ListSecrets, SortBy, SortOrder",
		look: func(w *world) string {
			for _, name := range []string{"b", "c", "a"} {
				w.made(f{"Name": w.prefix + name})
			}
			w.do("TagResource", f{"SecretId": w.prefix + "b", "Tags": []f{{"Key": "k", "Value": "v"}}})
			a := w.list(w.prefix, f{"SortBy": "last-changed-date", "SortOrder": "asc"})
			return strings.ReplaceAll(say(a.each("SecretList", "Name")), w.prefix, "")
		},
		want: "[c a b]", moto: "[b c a]", why: "it does not sort",
	},
	{
		says: "a list can be sorted by name", source: "API_ListSecrets, SortBy, SortOrder",
		look: func(w *world) string {
			for _, name := range []string{"b", "c", "a"} {
				w.made(f{"Name": w.prefix + name})
			}
			a := w.list(w.prefix, f{"SortBy": "name", "SortOrder": "desc"})
			return strings.ReplaceAll(say(a.each("SecretList", "Name")), w.prefix, "")
		},
		want: "[c b a]", moto: "[b c a]", why: "it does not sort",
	},
}
