package sqlite

// OpenWith is [Open] in another dialect: with another clock.
var OpenWith = open

// DSN is what the driver is given for a path.
var DSN = dsn
