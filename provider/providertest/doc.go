// Package providertest has what a driver, or the protocol above it, is tested
// with: [Platform], a platform in memory that does everything that a real,
// eventually consistent one is free to do, and [Intercept], by which any call of
// any driver is made to fail in any way.
package providertest
