package secrets

import "testing"

// The cell's own memory can't be seen from outside, which is the point of it.
func TestDestroyWipesTheCell(t *testing.T) {
	plain := []byte("plain")
	c := &cell{plain: plain}
	c.idle.L = &c.mu
	c.destroy()
	for i, b := range plain {
		if b != 0 {
			t.Errorf("byte %d was not wiped", i)
		}
	}
	if c.plain != nil {
		t.Error("the cell still holds its memory")
	}
}
