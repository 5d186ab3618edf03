package main

import (
	"context"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"time"

	"github.com/pipesecrets/pipesecrets/provider/providertest"
)

// look looks at what is staged for some run that is under way, as its tasks would.
func (r *round) look(ctx context.Context) error {
	runs := r.history.underWay(time.Now())
	skip := rand.N(max(len(runs), 1))
	for id, files := range runs {
		if skip--; skip >= 0 {
			continue
		}
		s := sight{run: id, digests: map[string]string{}}
		there, err := r.objects(ctx)
		if err != nil {
			return err
		}
		for _, f := range files {
			name := id + "/" + f.Name
			if f.Cloud && !there.names[name] || f.AWS && !there.names[awsPrefix+name] {
				s.gone = append(s.gone, f.Name)
			}
			if f.Path == "" {
				continue
			}
			content, err := os.ReadFile(f.Path)
			switch {
			case errors.Is(err, fs.ErrNotExist):
				s.gone = append(s.gone, f.Name)
			case err != nil:
				return err
			default:
				s.digests[f.Name] = digestBytes(content)
			}
		}
		s.done = time.Now()
		r.history.saw(s)
		return nil
	}
	return nil
}

// inventory is what is on the platforms.
type inventory struct {
	names  map[string]bool
	coming int
	stats  providertest.Stats
	aws    awsDeeds
}

func (r *round) objects(ctx context.Context) (inventory, error) {
	answer, err := newRemote(socket(r.dir)).ask(ctx, request{Op: opObjects})
	all := inventory{map[string]bool{}, answer.Coming, answer.Stats, answer.AWS}
	for _, o := range answer.Objects {
		all.names[o.Name] = true
	}
	return all, err
}
