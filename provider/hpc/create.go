//go:build unix

package hpc

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/pipesecrets/pipesecrets/provider"
	"github.com/pipesecrets/pipesecrets/secrets"
)

// Create makes the run's directory and writes its files. It leaves nothing
// behind when it fails, short of a crash.
func (d *Driver) Create(ctx context.Context, o provider.Object, open provider.Opener) (string, error) {
	const op = "create"
	if ctx.Err() != nil {
		return "", failed(op, ctx.Err())
	}
	root, err := d.open()
	if err != nil {
		return "", failed(op, err)
	}
	defer root.Close()

	name := dirName(o)
	dir, err := makeDir(root, name)
	if errors.Is(err, fs.ErrExist) {
		return "", &provider.Error{Op: op, Code: provider.Taken}
	}
	if err != nil {
		return "", errors.Join(failed(op, err), d.undo(ctx, root, name))
	}
	defer dir.Close()
	id, err := d.fill(ctx, root, dir, open)
	if err != nil {
		return "", errors.Join(err, d.undo(ctx, root, name))
	}
	return id, nil
}

// undo removes what a failed Create made, also after its context. If that fails
// too, the ledger still has the name.
func (d *Driver) undo(ctx context.Context, root *os.Root, name string) error {
	if err := d.removeRun(context.WithoutCancel(ctx), root, name); err != nil {
		return failed("undo create", err)
	}
	return nil
}

// fill asks for the values and writes them into the new, empty directory. From
// the moment the values are known, removing the directory makes every later
// write fail, so that a launcher that is paused here can't leave anything.
func (d *Driver) fill(ctx context.Context, root, dir *os.Root, open provider.Opener) (string, error) {
	const op = "create"
	info, err := dir.Stat(".")
	if err != nil {
		return "", failed(op, err)
	}
	if ctx.Err() != nil {
		return "", failed(op, ctx.Err())
	}
	values, err := open(ctx)
	if err != nil {
		return "", err
	}
	files, err := makeDir(dir, filesDir)
	if err != nil {
		return "", failed(op, err)
	}
	defer files.Close()
	for name, value := range values {
		if ctx.Err() != nil {
			return "", failed(op, ctx.Err())
		}
		err := value.Reveal(func(plain []byte) error {
			return createFile(files, name.String(), d.config.JobUID, func(w io.Writer) error {
				_, err := w.Write(plain)
				return err
			})
		})
		if err != nil {
			return "", failed(op, err)
		}
	}
	for _, file := range d.joint() {
		err := createFile(dir, file.name, d.config.JobUID, func(w io.Writer) error { return file.write(w, values) })
		if err != nil {
			return "", failed(op, err)
		}
	}
	// The run's directory is handed over last: until then its user can't reach what
	// is in it.
	for _, r := range []*os.Root{files, dir} {
		if err := d.hand(r); err != nil {
			return "", failed(op, err)
		}
	}
	if err := syncDir(root); err != nil {
		return "", failed(op, err)
	}
	return inode(info), nil
}

// Withdraw rewrites what holds several secrets and removes the files of those
// that are no longer among o.Items. What a task or Nextflow put beside them may
// hold the withdrawn value and is removed too.
func (d *Driver) Withdraw(ctx context.Context, o provider.Object, id string, open provider.Opener) error {
	const op = "withdraw"
	root, presence, err := d.find(ctx, op, o, id)
	if err != nil {
		return err
	}
	defer root.Close()
	if presence != provider.Present { // it should be there
		return &provider.Error{Op: op, Code: provider.NotOurs}
	}
	dir, err := openDir(root, dirName(o))
	if err != nil {
		return failed(op, err)
	}
	defer dir.Close()
	r, _, err := d.inRun(ctx, dir)
	if err != nil {
		return failed(op, err)
	}
	return d.cut(r, o.Epoch, open)
}

// cut makes the new files in a directory of this epoch's own, which stands before
// the values are asked for, and then renames them over the old ones: a job finds
// one or the other. A later actor removes the directories of earlier ones, so that
// one who was paused and deposed in between has nothing to rename any more.
func (d *Driver) cut(r *remover, epoch uint64, open provider.Opener) error {
	const op = "withdraw"
	undo := func(name string) error {
		after := *r
		after.ctx = context.WithoutCancel(r.ctx)
		if err := after.tree(name); err != nil {
			return failed("undo withdraw", err)
		}
		return nil
	}
	fresh := freshPrefix + strconv.FormatUint(epoch, 10)
	if err := r.tree(fresh); err != nil { // an attempt of our own
		return failed(op, err)
	}
	made, err := makeDir(r.top, fresh)
	if err != nil {
		return errors.Join(failed(op, err), undo(fresh))
	}
	defer made.Close()
	values, err := open(r.ctx)
	if err != nil {
		return errors.Join(err, undo(fresh))
	}
	if err := d.replace(r, made, fresh, epoch, values); err != nil {
		return errors.Join(failed(op, err), undo(fresh))
	}
	return nil
}

// replace brings the directory to exactly these values, by way of the one that
// was made for it.
func (d *Driver) replace(r *remover, made *os.Root, fresh string, epoch uint64, values map[secrets.Name]secrets.Value) error {
	files, err := openDir(r.top, filesDir)
	if err != nil {
		return err
	}
	defer files.Close()
	joint := d.joint()
	err = errors.Join(
		r.prune(files, filesDir, 1, func(name string) bool {
			parsed, err := secrets.ParseName(name)
			return err == nil && !values[parsed].IsZero()
		}),
		r.prune(r.top, ".", 0, func(name string) bool {
			if earlier, ok := strings.CutPrefix(name, freshPrefix); ok {
				n, err := strconv.ParseUint(earlier, 10, 64)
				return err == nil && n >= epoch
			}
			return name == filesDir || slices.ContainsFunc(joint, func(f jointFile) bool { return f.name == name })
		}))
	if err != nil {
		return err
	}
	for _, file := range joint {
		err := createFile(made, file.name, d.config.JobUID, func(w io.Writer) error { return file.write(w, values) })
		if err == nil {
			err = r.top.Rename(fresh+"/"+file.name, file.name)
		}
		if err != nil {
			return err
		}
	}
	if err := r.tree(fresh); err != nil { // syncs dir
		return err
	}
	return syncDir(files)
}

// freshPrefix begins the name of an actor's own directory within a run's.
const freshPrefix = "fresh-"

// jointFile is a file that holds all secrets of a run.
type jointFile struct {
	name  string
	write func(io.Writer, map[secrets.Name]secrets.Value) error
}

func (d *Driver) joint() []jointFile {
	var files []jointFile
	if !d.config.NoEnv {
		files = append(files, jointFile{envFile, writeEnv})
	}
	if !d.config.NoStore {
		files = append(files, jointFile{storeFile, d.config.Store.Write})
	}
	return files
}

// makeDir creates a directory of mode 0700, whatever the umask, and opens it.
func makeDir(parent *os.Root, name string) (*os.Root, error) {
	if err := parent.Mkdir(name, 0o700); err != nil {
		return nil, err
	}
	dir, err := openDir(parent, name)
	if errors.Is(err, fs.ErrPermission) && os.Geteuid() != 0 {
		// The umask took the owner's own permissions, and without them there is no
		// descriptor to give them back by. Whoever could swap what is named here is
		// the user that we are.
		if err := parent.Chmod(name, 0o700); err != nil {
			return nil, err
		}
		dir, err = openDir(parent, name)
	}
	if err != nil {
		return nil, err
	}
	err = sameOwn(parent, name, dir)
	var f *os.File
	if err == nil {
		f, err = dir.Open(".")
	}
	if err == nil {
		err = errors.Join(setMode(f, 0o700), f.Close())
	}
	if err != nil {
		return nil, errors.Join(err, dir.Close())
	}
	return dir, nil
}

// sameOwn returns an error unless the directory that was opened is the launcher's
// and stands under that name itself: within a run that was handed over, its user
// may have put a link there, or another directory.
func sameOwn(parent *os.Root, name string, dir *os.Root) error {
	named, err := parent.Lstat(name)
	if err != nil {
		return err
	}
	opened, err := dir.Stat(".")
	if err != nil {
		return err
	}
	if !os.SameFile(named, opened) {
		return errSwapped
	}
	if !unmoved(opened) { // or the server squashes us
		return fs.ErrPermission
	}
	return nil
}

// openDir opens a directory. The dot makes it one: OpenRoot would wait for ever
// for the other end of a FIFO that stands under the name.
func openDir(parent *os.Root, name string) (*os.Root, error) { return parent.OpenRoot(name + "/.") }

// createFile creates a file of mode 0600, whatever the umask, and syncs what
// write puts into it. O_EXCL keeps it from following a link or opening anything
// that is there already. Written, it belongs to uid, if that is not 0.
func createFile(dir *os.Root, name string, uid int, write func(io.Writer) error) (err error) {
	f, err := dir.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := setMode(f, 0o600); err != nil {
		return err
	}
	if err := write(f); err != nil { // unbuffered: a buffer would keep plaintext
		return err
	}
	if uid != 0 {
		if err := f.Chown(uid, -1); err != nil {
			return err
		}
	}
	return f.Sync()
}

// setMode gives what was just created its mode, and looks whether it has it now:
// there are mounts that answer yes to a chmod and change nothing, and servers that
// make their files somebody else's.
func setMode(f *os.File, mode fs.FileMode) error {
	if err := f.Chmod(mode); err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if bits(info) != mode || owner(info) != os.Geteuid() {
		return fs.ErrPermission
	}
	return nil
}

// hand gives a directory to the user of the jobs, if that is another one, and
// syncs it.
func (d *Driver) hand(r *os.Root) error {
	dir, err := r.Open(".")
	if err != nil {
		return err
	}
	defer dir.Close() // nothing was written
	if d.config.JobUID != 0 {
		if err := dir.Chown(d.config.JobUID, -1); err != nil {
			return err
		}
	}
	return dir.Sync()
}

func syncDir(r *os.Root) error {
	dir, err := r.Open(".")
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// inode is the id of a directory: it tells it from another one that took its
// name. The device number is left out, since a remount may change it.
func inode(info fs.FileInfo) string {
	return strconv.FormatUint(uint64(info.Sys().(*syscall.Stat_t).Ino), 10)
}

func owner(info fs.FileInfo) int { return int(info.Sys().(*syscall.Stat_t).Uid) }

// bits are the permissions and the three bits beside them.
func bits(info fs.FileInfo) fs.FileMode {
	return info.Mode() & (fs.ModePerm | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky)
}
