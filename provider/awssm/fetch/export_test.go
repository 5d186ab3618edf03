package fetch

// What the tests look at from the inside.
var (
	Object = object
	Read   = read
)
