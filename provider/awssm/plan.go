package awssm

import (
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/secrets"
)

// Plan names the AWS secrets of a run: see the package doc. A run whose references
// would not fit into a job definition is refused with a *secrets.InvalidError. With
// [JSONMap] the items' weights say how many maps it takes.
func (d *Driver) Plan(run secrets.RunID, items []provider.Item, _ func() string) ([]provider.Object, error) {
	items = slices.SortedFunc(slices.Values(items), func(a, b provider.Item) int { return a.Name.Compare(b.Name) })
	base := d.config.Prefix + run.String() + "/"
	var objects []provider.Object
	weight := 0
	for _, item := range items {
		if d.config.Layout == PerSecret {
			objects = append(objects, provider.Object{Name: base + item.Name.String(), Items: []provider.Item{item}})
			continue
		}
		last := len(objects) - 1
		if weight += item.Weight; last < 0 || weight+braces > maxEncoded {
			weight = item.Weight
			last++
			objects = append(objects, provider.Object{Name: fmt.Sprintf("%smap.%d", base, last+1)})
		}
		objects[last].Items = append(objects[last].Items, item)
	}
	if d.config.MaxJobDefinition < 0 {
		return objects, nil
	}
	longest := strings.Repeat("x", secrets.MaxRunID-len(run.String())) // if only the rest is known yet
	if !run.IsZero() {
		longest = ""
	}
	var refs []provider.Reference
	for _, o := range objects {
		refs = append(refs, d.References(o, d.arn(longest+o.Name)+"-XXXXXX")...)
	}
	if _, err := fragment(refs, d.config.MaxJobDefinition-maxAround); err != nil {
		return nil, err
	}
	return objects, nil
}

// arn is the ARN of a secret without the random end that AWS gives it. AWS takes it for
// the secret's, unless its name ends in a hyphen and six characters. Asking by it has
// credentials of another account refused, which would otherwise be told that nothing is
// there.
func (d *Driver) arn(name string) string {
	return "arn:" + d.partition + ":secretsmanager:" + d.config.Region + ":" + d.config.Account + ":secret:" + name
}

// isMap reports whether an object of this name is a map: no name of a secret has a
// dot in it. The layout that a driver is configured for may be another one by now.
func isMap(name string) bool {
	return strings.Contains(name[strings.LastIndexByte(name, '/')+1:], ".")
}

var arnEnd = regexp.MustCompile(`^-[A-Za-z0-9]{6}$`)

// isARN reports whether it is the full ARN of a secret of this name at this
// location.
func (d *Driver) isARN(arn, name string) bool {
	end, ok := strings.CutPrefix(arn, d.arn(name))
	return ok && arnEnd.MatchString(end)
}

// The id of an object is its ARN, and the mark that it was made or seen with: so
// that removing it needs no look at whose it is. ARNs have no # in them.
func idOf(arn string, mark [16]byte) string { return arn + "#" + hex.EncodeToString(mark[:]) }

// arnOf returns the ARN of an id.
func arnOf(id string) string {
	arn, _, _ := strings.Cut(id, "#")
	return arn
}
