package storetest

import "github.com/pipesecrets/pipesecrets/secrets"

var rotationTests = []sentence{
	{"BehindAnswersWhatOtherKeysSealedInTheOrderOfPins", func(f *fixture) {
		a := f.create(5, workspace, "AA") // key 1, pinned, then replaced under key 2
		f.begin("r1", 0, a)
		a2 := next(a)
		a2.KeyID = 2
		f.ok(f.Put(f.ctx, a2, 1))
		b := f.create(3, workspace, "BB") // key 1, pinned, then deleted
		f.begin("r2", 0, b)
		f.ok(f.Delete(f.ctx, b.Pin))
		c := f.record(4, workspace, "CC")
		c.KeyID = 3
		f.ok(f.Put(f.ctx, c, 0))
		a, b = f.records(a.Pin)[0], f.records(b.Pin)[0]
		a2 = f.find(5)

		f.same(f.behind(2, secrets.Pin{}, 9), []secrets.Record{b, c, a})
		f.same(f.behind(1, secrets.Pin{}, 9), []secrets.Record{c, a2})
		f.same(f.behind(99, secrets.Pin{}, 9), []secrets.Record{b, c, a, a2})
		f.same(f.behind(2, secrets.Pin{}, 2), []secrets.Record{b, c})
		f.same(f.behind(2, b.Pin, 9), []secrets.Record{c, a})
		f.same(f.behind(99, a.Pin, 9), []secrets.Record{a2})
		f.same(f.behind(99, a2.Pin, 9), []secrets.Record{})
		f.same(f.behind(99, secrets.Pin{}, 0), []secrets.Record{})
		for primary, n := range map[uint32]int{1: 2, 2: 3, 3: 3, 99: 4} {
			f.same(f.countBehind(primary), n)
		}
	}},
	{"ResealReplacesTheKeyAndTheCiphertextOnly", func(f *fixture) {
		a := f.create(1, workspace, "AA")
		f.begin("r1", 0, a)
		f.update(a)
		a = f.records(a.Pin)[0] // an older, pinned one
		other := a
		other.KeyID, other.Sealed = 2, ciphertext()
		other.Description, other.Name, other.Policy.Disabled, other.UpdatedBy = "other", parseName("ZZ"), true, "mallory"
		f.ok(f.Reseal(f.ctx, other, 1))
		a.KeyID, a.Sealed = 2, other.Sealed
		f.same(f.records(a.Pin), []secrets.Record{a})
	}},
	{"ResealDoesNothingIfTheVersionIsUnderAnotherKeyOrGone", func(f *fixture) {
		a := f.create(1, workspace, "AA")
		other := a
		other.KeyID, other.Sealed = 2, ciphertext()
		f.ok(f.Reseal(f.ctx, other, 3))
		f.same(f.find(1), a)
		b := f.update(a)
		f.ok(f.Reseal(f.ctx, other, 1))
		f.same(f.find(1), b)
		f.fails(f.pinned(a.Pin), secrets.ErrNotFound)
		other.ID = 2
		f.ok(f.Reseal(f.ctx, other, 1))
	}},
	{"KeysetsAreComparedAndSwapped", func(f *fixture) {
		load := func(want []byte, wantGeneration uint64) {
			f.Helper()
			got, generation, err := f.LoadKeysets(f.ctx)
			f.ok(err)
			f.same(got, want)
			f.same(generation, wantGeneration)
		}
		load(nil, 0)
		a, b := ciphertext(), ciphertext()
		f.fails(f.SaveKeysets(f.ctx, a, 0), secrets.ErrConflict)
		f.fails(f.SaveKeysets(f.ctx, a, 2), secrets.ErrConflict)
		load(nil, 0)
		f.ok(f.SaveKeysets(f.ctx, a, 1))
		load(a, 1)
		f.fails(f.SaveKeysets(f.ctx, b, 1), secrets.ErrConflict)
		f.fails(f.SaveKeysets(f.ctx, b, 3), secrets.ErrConflict)
		load(a, 1)
		f.ok(f.SaveKeysets(f.ctx, b, 2))
		load(b, 2)
		kept := append([]byte(nil), b...)
		b[0]++
		got, _, _ := f.LoadKeysets(f.ctx)
		f.same(got, kept)
		got[0]++
		load(kept, 2)
	}},
	{"AKeyThatSealsARecordIsNotRetired", func(f *fixture) {
		a := f.create(1, workspace, "AA")
		f.begin("r1", 0, a)
		f.ok(f.Delete(f.ctx, a.Pin)) // pinned still
		f.fails(f.SaveKeysets(f.ctx, ciphertext(), 1, 7, 1), secrets.ErrKeyInUse)
		got, generation, err := f.LoadKeysets(f.ctx)
		f.ok(err)
		f.same(got, []byte{})
		f.same(generation, uint64(0))
		b := f.record(2, workspace, "BB") // neither of the two was retired
		b.KeyID = 7
		f.ok(f.Put(f.ctx, b, 0))
		f.create(3, workspace, "CC")
	}},
	{"NothingIsSealedUnderARetiredKeyAgain", func(f *fixture) {
		a := f.record(1, workspace, "AA")
		a.KeyID = 2
		f.ok(f.Put(f.ctx, a, 0))
		f.ok(f.SaveKeysets(f.ctx, ciphertext(), 1, 1, 3))
		f.fails(f.Put(f.ctx, f.record(2, workspace, "BB"), 0), secrets.ErrKeyRetired)
		later := next(a)
		later.KeyID = 1
		f.fails(f.Put(f.ctx, later, 1), secrets.ErrKeyRetired)
		other := a
		other.KeyID, other.Sealed = 3, ciphertext()
		f.fails(f.Reseal(f.ctx, other, 2), secrets.ErrKeyRetired)
		f.same(f.find(1), a)
		_, err := f.Find(f.ctx, 2)
		f.fails(err, secrets.ErrNotFound)

		f.ok(f.SaveKeysets(f.ctx, ciphertext(), 2)) // and a later save forgets none
		f.fails(f.Reseal(f.ctx, other, 2), secrets.ErrKeyRetired)
		f.ok(f.SaveKeysets(f.ctx, ciphertext(), 3, 1)) // retiring twice is no error
	}},
}
