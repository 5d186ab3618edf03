//go:build unix

package crypto_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/pipesecrets/pipesecrets/crypto"
	"github.com/pipesecrets/pipesecrets/internal/component"
	"github.com/pipesecrets/pipesecrets/secrets"
)

// tree makes a fresh tree: keys/key is a key file, data/ is empty.
func tree(t *testing.T) (root, key, data string) {
	t.Helper()
	root = t.TempDir()
	key, data = filepath.Join(root, "keys", "key"), filepath.Join(root, "data")
	noError(t, os.Mkdir(filepath.Dir(key), 0o700))
	noError(t, os.Mkdir(data, 0o700))
	noError(t, crypto.CreateFileKEK(key, data))
	return root, key, data
}

func TestAKeyFileOpensWhatItSealed(t *testing.T) {
	_, key, data := tree(t)
	kek, err := crypto.FileKEK(key, filepath.Join(data, "db"))
	noError(t, err)
	store, in, plain := &memory{}, newInstallation(), randomBytes(32)
	k, err := crypto.Create(t.Context(), store, kek, in, crypto.XChaCha20Poly1305)
	noError(t, err)
	r := seal(t, k, token(t), plain)

	again, err := crypto.FileKEK(key, data)
	noError(t, err)
	loaded, err := crypto.Load(t.Context(), store, again, in)
	noError(t, err)
	opens(t, loaded, r, plain)

	other := filepath.Join(filepath.Dir(key), "other")
	noError(t, crypto.CreateFileKEK(other, data))
	wrong, err := crypto.FileKEK(other, data)
	noError(t, err)
	if _, err := crypto.Load(t.Context(), store, wrong, in); !errors.Is(err, crypto.ErrWrongKEK) {
		t.Errorf("another key file: got %v, want ErrWrongKEK", err)
	}
}

func TestANewKeyFileIsPrivateWhateverTheUmask(t *testing.T) {
	for _, umask := range []int{0, 0o022, 0o777} {
		root := t.TempDir()
		path := filepath.Join(root, "key")
		was := syscall.Umask(umask)
		err := crypto.CreateFileKEK(path, "")
		syscall.Umask(was)
		noError(t, err)
		info, err := os.Lstat(path)
		noError(t, err)
		if info.Mode() != 0o600 {
			t.Errorf("umask %04o: mode %v, want 0600", umask, info.Mode())
		}
		text, err := os.ReadFile(path)
		noError(t, err)
		raw, ok := strings.CutPrefix(string(text), "pipesecrets-kek-v1:")
		key, err := base64.StdEncoding.DecodeString(strings.TrimSuffix(raw, "\n"))
		if !ok || err != nil || len(key) != 32 || !strings.HasSuffix(raw, "\n") {
			t.Error("not the documented form")
		}
	}
}

func TestCreateFileKEKNeverOverwrites(t *testing.T) {
	root, key, data := tree(t)
	link, dangling := filepath.Join(root, "link"), filepath.Join(root, "dangling")
	noError(t, os.Symlink(key, link))
	noError(t, os.Symlink(filepath.Join(root, "nowhere"), dangling))
	before, err := os.ReadFile(key)
	noError(t, err)
	for _, path := range []string{key, link, dangling, data} {
		if err := crypto.CreateFileKEK(path, ""); !errors.Is(err, fs.ErrExist) {
			t.Errorf("got %v, want ErrExist", err)
		}
	}
	after, err := os.ReadFile(key)
	noError(t, err)
	if string(before) != string(after) {
		t.Error("the key file was overwritten")
	}
	if _, err := os.Lstat(filepath.Join(root, "nowhere")); !errors.Is(err, fs.ErrNotExist) {
		t.Error("created through a dangling link")
	}
}

func TestAKeyFileMustBeRegularPrivateAndOurs(t *testing.T) {
	asRoot := os.Geteuid() == 0
	if !asRoot {
		t.Log("not root: a foreign owner is not tried")
	}
	chmod := func(mode fs.FileMode) func(*testing.T, string) {
		return func(t *testing.T, path string) { noError(t, os.Chmod(path, mode)) }
	}
	for label, c := range map[string]struct {
		spoil func(t *testing.T, path string)
		rule  string // "" for accepted
	}{
		"0600":  {chmod(0o600), ""},
		"0400":  {chmod(0o400), ""},
		"0640":  {chmod(0o640), "permission"},
		"0620":  {chmod(0o620), "permission"},
		"0610":  {chmod(0o610), "permission"},
		"0604":  {chmod(0o604), "permission"},
		"0602":  {chmod(0o602), "permission"},
		"0601":  {chmod(0o601), "permission"},
		"0666":  {chmod(0o666), "permission"},
		"empty": {func(t *testing.T, path string) { noError(t, os.Truncate(path, 0)) }, "one line"},
		"short": {func(t *testing.T, path string) { noError(t, os.Truncate(path, 63)) }, "one line"},
		"long":  {func(t *testing.T, path string) { noError(t, os.Truncate(path, 65)) }, "one line"},
		"huge":  {func(t *testing.T, path string) { noError(t, os.Truncate(path, 1<<40)) }, "one line"},
		"symlink": {func(t *testing.T, path string) {
			noError(t, os.Rename(path, path+".real"))
			noError(t, os.Symlink(path+".real", path))
		}, "regular"},
		"dangling link": {func(t *testing.T, path string) {
			noError(t, os.Remove(path))
			noError(t, os.Symlink(path+".none", path))
		}, "regular"},
		"directory": {func(t *testing.T, path string) {
			noError(t, os.Remove(path))
			noError(t, os.Mkdir(path, 0o700))
		}, "regular"},
		"named pipe without a writer": {func(t *testing.T, path string) {
			noError(t, os.Remove(path))
			noError(t, syscall.Mkfifo(path, 0o600))
		}, "regular"},
		"another owner": {func(t *testing.T, path string) { noError(t, os.Chown(path, 65534, -1)) }, "owned"},
		"another owner, and back": {func(t *testing.T, path string) {
			noError(t, os.Chown(path, 65534, -1))
			noError(t, os.Chown(path, 0, -1))
		}, ""},
		"another group, no permission":     {func(t *testing.T, path string) { noError(t, os.Chown(path, -1, 65534)) }, ""},
		"a link in the path's directories": {func(*testing.T, string) {}, ""},
	} {
		t.Run(label, func(t *testing.T) {
			if strings.HasPrefix(label, "another") && !asRoot {
				component.Missing(t, "root", "only root can give files to others")
			}
			root, key, data := tree(t)
			if strings.HasPrefix(label, "a link") {
				noError(t, os.Symlink(filepath.Dir(key), filepath.Join(root, "alias")))
				key = filepath.Join(root, "alias", "key")
			}
			_, err := crypto.FileKEK(key, data)
			noError(t, err) // the control
			c.spoil(t, key)
			kek, err := crypto.FileKEK(key, data)
			if c.rule == "" {
				noError(t, err)
				return
			}
			var invalid *secrets.InvalidError
			if !errors.As(err, &invalid) || invalid.Field != "key file" || !strings.Contains(invalid.Rule, c.rule) || kek != nil {
				t.Errorf("got %v, want an InvalidError about %q", err, c.rule)
			}
		})
	}
}

func TestAKeyFileThatIsNotThereIsToldAsSuch(t *testing.T) {
	root, _, data := tree(t)
	for _, path := range []string{filepath.Join(root, "none"), filepath.Join(root, "no", "ne")} {
		if _, err := crypto.FileKEK(path, data); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("got %v, want ErrNotExist", err)
		}
	}
	if err := crypto.CreateFileKEK(filepath.Join(root, "no", "ne"), data); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want ErrNotExist", err)
	}
	for _, do := range []func() error{
		func() error { _, err := crypto.FileKEK("", ""); return err },
		func() error { return crypto.CreateFileKEK("", "") },
	} {
		if err := do(); !errors.Is(err, secrets.ErrInvalid) {
			t.Errorf("no path: got %v", err)
		}
	}
}

func TestAKeyFileMayNotStandWithTheDatabase(t *testing.T) {
	root := t.TempDir()
	at := func(path string) string { return filepath.Join(root, filepath.FromSlash(path)) }
	for _, dir := range []string{"data/sub/deep", "keys", "database", "holder", "linked"} {
		noError(t, os.MkdirAll(at(dir), 0o700))
	}
	for _, file := range []string{"data/db", "holder/db"} {
		noError(t, os.WriteFile(at(file), nil, 0o600))
	}
	for link, to := range map[string]string{
		"to-data": at("data"), "to-sub": at("data/sub"), "keys/out": at("data/sub"), "data/out": at("keys"),
		"linked/db": at("holder/db"), "dangling": at("nowhere/db"), "loop": at("loop"),
	} {
		noError(t, os.Symlink(to, at(link)))
	}
	const place, database = "may not be in the database's directory", "must be a path whose directory exists"
	for _, c := range []struct{ key, database, rule string }{
		{"keys/k", "data/db", ""},
		{"keys/k", "data/not-yet", ""},
		{"keys/k", "data", ""},
		{"keys/k", "data/", ""},
		{"k", "data/db", ""},          // above is neither in nor below
		{"database/k", "data/db", ""}, // a common prefix is no common directory
		{"data/out/k", "data/db", ""}, // a link that leads out
		{"linked/k", "linked/db", ""}, // the database is where its link leads
		{"keys/../keys/k", "data/db", ""},

		{"data/k", "data/db", place},
		{"data/k", "data/not-yet", place},
		{"data/k", "data", place},
		{"data/k", "data/.", place},
		{"data/sub/k", "data/db", place},
		{"data/sub/deep/k", "data/db", place},
		{"keys/../data/k", "data/db", place},
		{"to-data/k", "data/db", place},
		{"to-sub/k", "data/db", place},
		{"keys/out/k", "data/db", place},
		{"keys/out/deep/k", "data/db", place},
		{"data/k", "to-data/db", place},
		{"data/k", "to-data/not-yet", place},
		{"data/k", "to-data", place},
		{"to-sub/deep/k", "to-data/db", place},
		{"holder/k", "linked/db", place},

		{"keys/k", "nowhere/db", database},
		{"keys/k", "dangling", database},
		{"keys/k", "loop", database},
		{"keys/k", "file:data/db?mode=rw", database}, // a URI, not a path
	} {
		t.Run(c.key+" for "+c.database, func(t *testing.T) {
			key, data := root+"/"+c.key, root+"/"+c.database // not cleaned
			check := func(op string, err error) {
				t.Helper()
				if c.rule == "" {
					if err != nil {
						t.Errorf("%s: %v", op, err)
					}
					return
				}
				var invalid *secrets.InvalidError
				if !errors.As(err, &invalid) || !strings.HasPrefix(invalid.Rule, c.rule) {
					t.Errorf("%s: got %v, want %q", op, err, c.rule)
				}
			}
			check("create", crypto.CreateFileKEK(key, data))
			if c.rule != "" {
				if _, err := os.Lstat(key); err == nil {
					t.Error("refused, and yet made the file")
				}
				noError(t, crypto.CreateFileKEK(key, "")) // the host vouches
			}
			_, err := crypto.FileKEK(key, data)
			check("open", err)
			_, err = crypto.FileKEK(key, "")
			noError(t, err)
			noError(t, os.Remove(key))
		})
	}

	t.Run("relative paths", func(t *testing.T) {
		t.Chdir(at("data"))
		if err := crypto.CreateFileKEK("k", "db"); !errors.Is(err, secrets.ErrInvalid) {
			t.Errorf("beside it: got %v", err)
		}
		t.Chdir(at("data/sub"))
		if err := crypto.CreateFileKEK("k", "../db"); !errors.Is(err, secrets.ErrInvalid) {
			t.Errorf("below it: got %v", err)
		}
		noError(t, crypto.CreateFileKEK("../../keys/k", "../db"))
	})
}

func TestAnErrorNeverQuotesAKeyFileOrItsPath(t *testing.T) {
	root, key, data := tree(t)
	said := canary()
	noError(t, os.WriteFile(key, []byte(said), 0o600))
	_, malformed := crypto.FileKEK(key, data)
	_, absent := crypto.FileKEK(filepath.Join(root, said), data)
	_, noDir := crypto.FileKEK(filepath.Join(root, said, "key"), data)
	_, noDatabase := crypto.FileKEK(key, filepath.Join(root, said, "db"))
	noError(t, os.Mkdir(filepath.Join(root, said), 0o700))
	exists := crypto.CreateFileKEK(filepath.Join(root, said), data)
	for label, err := range map[string]error{"malformed": malformed, "absent": absent, "no directory": noDir, "no database": noDatabase, "exists": exists} {
		if err == nil {
			t.Errorf("%s: no error", label)
		}
		for ; err != nil; err = errors.Unwrap(err) {
			if strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), said) {
				t.Errorf("%s: the error quotes what was given", label)
			}
		}
	}
}

func TestACreationThatFailsLeavesNoFile(t *testing.T) {
	// The limit is for a process of its own: go test has a log of what a test
	// opens, and it is written whenever its buffer is full.
	const limited = "PIPESECRETS_CRYPTO_TEST_LIMITED"
	if os.Getenv(limited) == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
		cmd.Env = append(os.Environ(), limited+"=1")
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	path := filepath.Join(t.TempDir(), "key")
	signal.Ignore(syscall.SIGXFSZ) // so that the limit is an error of write
	var was syscall.Rlimit
	noError(t, syscall.Getrlimit(syscall.RLIMIT_FSIZE, &was))
	noError(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 10, Max: was.Max}))
	err := crypto.CreateFileKEK(path, "")
	noError(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &was))
	if !errors.Is(err, syscall.EFBIG) {
		t.Errorf("got %v, want EFBIG", err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Error("an incomplete key file is left")
	}
	noError(t, crypto.CreateFileKEK(path, ""))
}
