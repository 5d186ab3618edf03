//go:build unix

package hpc

import (
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
	"syscall"
)

// remover takes away what stands in a run's directory. Whoever owns that may swap
// anything in it meanwhile, and a launcher that is root would do for him what he
// may not do himself. Therefore nothing is followed, no mode and no owner is
// changed by a name that he could swap, and no directory is emptied that is
// somebody else's: he may have moved it there together with one of his own.
type remover struct {
	ctx  context.Context
	top  *os.Root // the run's directory
	uids []int    // whose directories are emptied; nil: anybody's
	shut bool     // top is shut, and so is each directory below before it is emptied
	// lifted tells that a deep directory was moved to the top, to be removed from there.
	lifted bool
}

// removeRounds bounds how often a removal starts again when something is put into
// the tree while it is taken away.
const removeRounds = 10

// maxDepth bounds the descriptors that a removal holds open at once. What is deeper
// is lifted to the top of the run's directory.
const maxDepth = 50

const liftedPrefix = "lifted-"

var errSwapped = errors.New("hpc: another directory stands there")

// inRun returns what removes from a run's directory, and what was found out about
// that directory.
func (d *Driver) inRun(ctx context.Context, top *os.Root) (*remover, fs.FileInfo, error) {
	info, err := top.Stat(".")
	if err != nil {
		return nil, nil, err
	}
	r := &remover{ctx: ctx, top: top}
	if d.config.JobUID != 0 {
		r.uids = append(r.uids, d.config.JobUID)
	}
	if owner(info) != os.Geteuid() { // it was handed to somebody under another configuration
		r.uids = append(r.uids, owner(info))
	}
	return r, info, nil
}

// removeRun removes a run's directory with everything in it and syncs the root,
// also when it was gone already: who removed it may have crashed before the sync.
func (d *Driver) removeRun(ctx context.Context, root *os.Root, name string) error {
	top, err := openAny(root, name)
	if errors.Is(err, fs.ErrNotExist) {
		return syncDir(root)
	}
	if err != nil {
		return err
	}
	defer top.Close()
	r, info, err := d.inRun(ctx, top)
	if err != nil {
		return err
	}
	if err := shut(top, info, 0o700); err != nil {
		return err
	}
	r.shut = true
	err = r.rounds(func() error {
		if err := r.empty(top, ".", 0, func(string) bool { return false }); err != nil {
			return err
		}
		return gone(root.Remove(name))
	})
	if err != nil {
		return err
	}
	return syncDir(root)
}

// shut takes a directory back from the user whom it was handed to: he can't reach
// what is in it any more, nor swap it, not even by a descriptor of the directory.
func shut(dir *os.Root, info fs.FileInfo, mode fs.FileMode) error {
	f, err := dir.Open(".")
	if err != nil {
		return err
	}
	defer f.Close() // nothing was written
	if os.Geteuid() == 0 && owner(info) != 0 {
		if err := f.Chown(0, -1); err != nil {
			return err
		}
	}
	if bits(info) != mode {
		return f.Chmod(mode)
	}
	return nil
}

// taken is the mode of a directory below the run's that was taken back. By it the
// next removal knows it from one of root's own that the user moved there, should
// this one end half-way.
const taken = fs.ModeSticky | 0o700

// rounds does it until it is done.
func (r *remover) rounds(do func() error) error {
	for left := removeRounds; ; {
		r.lifted = false
		err := do()
		if err == nil && !r.lifted || r.ctx.Err() != nil {
			return err
		}
		if !r.lifted {
			left--
		}
		if left == 0 {
			return err
		}
	}
}

// prune removes what keep does not want from a directory that stands at depth at,
// the run's own at 0, and is reached from that by path.
func (r *remover) prune(dir *os.Root, path string, at int, keep func(name string) bool) error {
	return r.rounds(func() error { return r.empty(dir, path, at, keep) })
}

// tree removes what stands under a name in the run's directory, and syncs that.
func (r *remover) tree(name string) error {
	if err := r.rounds(func() error { return r.remove(r.top, ".", name, 1) }); err != nil {
		return err
	}
	return syncDir(r.top)
}

// empty removes what keep does not want, as far as it can.
func (r *remover) empty(dir *os.Root, path string, at int, keep func(name string) bool) error {
	names, err := namesIn(dir)
	if err != nil {
		return err
	}
	var first error
	for _, name := range names {
		if keep(name) {
			continue
		}
		if err := r.remove(dir, path, name, at+1); err != nil && first == nil {
			first = err
		}
	}
	return first
}

// remove removes what stands under a name.
func (r *remover) remove(parent *os.Root, path, name string, at int) error {
	if err := r.ctx.Err(); err != nil {
		return err
	}
	info, err := parent.Lstat(name)
	switch {
	case err != nil:
		return gone(err)
	case info.Mode().IsRegular():
		return removeFile(parent, name)
	case !info.IsDir():
		return gone(parent.Remove(name))
	}
	inside := r.enter(parent, path, name, at, info)
	switch err := gone(parent.Remove(name)); {
	case err == nil:
		return nil // it is gone, whatever went wrong inside
	case inside != nil:
		return inside // is why
	default:
		return err
	}
}

// enter empties a directory.
func (r *remover) enter(parent *os.Root, path, name string, at int, info fs.FileInfo) error {
	dir, err := openAny(parent, name)
	if err != nil {
		return err
	}
	defer dir.Close()
	opened, err := dir.Stat(".")
	if err != nil {
		return err
	}
	if !os.SameFile(info, opened) { // or a link was followed
		return errSwapped
	}
	path += "/" + name
	if r.uids != nil && !slices.Contains(r.uids, owner(opened)) && !ours(name, at, opened) {
		return fs.ErrPermission
	}
	if r.shut && owner(opened) != os.Geteuid() {
		// It stands in a directory that is shut: nobody can move it out meanwhile.
		if err := shut(dir, opened, taken); err != nil {
			return err
		}
	}
	if at >= maxDepth {
		return r.lift(dir, path)
	}
	return r.empty(dir, path, at, func(string) bool { return false })
}

// ours reports whether a directory that belongs to the launcher is one of this
// driver's: made by a withdrawal, or taken back.
func ours(name string, at int, info fs.FileInfo) bool {
	return unmoved(info) && (at == 1 && strings.HasPrefix(name, freshPrefix) || bits(info) == taken)
}

// unmoved reports whether a directory is the launcher's and nobody else can have moved
// it to where it is: who moves a directory to another one must have the right to write
// in it (rename(2), EACCES), or own it.
func unmoved(info fs.FileInfo) bool {
	return owner(info) == os.Geteuid() && info.Mode().Perm()&0o077 == 0
}

// lift moves the directories of a deep directory to the top. If its owner swaps
// what the path leads through, something else of the run's directory moves within
// that.
func (r *remover) lift(dir *os.Root, path string) error {
	return r.empty(dir, path, maxDepth, func(name string) bool {
		info, err := dir.Lstat(name)
		if err != nil || !info.IsDir() {
			return false
		}
		if r.top.Rename(path+"/"+name, liftedPrefix+strings.ToLower(rand.Text())) == nil {
			r.lifted = true
		}
		return true
	})
}

// openAny opens a directory, also one from which its owner, who we are, has taken
// his own permissions: a task did.
func openAny(parent *os.Root, name string) (*os.Root, error) {
	dir, err := openDir(parent, name)
	if os.Geteuid() == 0 {
		return dir, err // nothing is forbidden to root, and it would be somebody else's
	}
	if errors.Is(err, fs.ErrPermission) {
		if err := parent.Chmod(name, 0o700); err != nil {
			return nil, err
		}
		return openDir(parent, name)
	}
	if err != nil {
		return nil, err
	}
	if info, err := dir.Stat("."); err == nil && info.Mode().Perm()&0o700 != 0o700 {
		_ = parent.Chmod(name, 0o700) // what it can't change makes the removal fail, which tells why
	}
	return dir, nil
}

// removeFile removes a file, and then empties what has no name any more: whoever
// has it open still, a task or a client of NFS that keeps it as .nfs*, reads
// nothing. A file that has another name is not ours to empty.
func removeFile(parent *os.Root, name string) error {
	// Not blocking, since something else may stand there by now.
	f, _ := parent.OpenFile(name, os.O_WRONLY|syscall.O_NONBLOCK, 0)
	err := gone(parent.Remove(name))
	if f != nil {
		defer f.Close()
		if info, failed := f.Stat(); err == nil && failed == nil && info.Mode().IsRegular() && nameless(info) {
			_ = f.Truncate(0) // it is removed, which is what counts
		}
	}
	return err
}

func nameless(info fs.FileInfo) bool { return info.Sys().(*syscall.Stat_t).Nlink == 0 }

// gone returns err unless it says that there is nothing.
func gone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func namesIn(r *os.Root) ([]string, error) {
	dir, err := r.Open(".")
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	return dir.Readdirnames(-1)
}
