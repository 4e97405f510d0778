// Package store keeps the state of one region in a bbolt file: keys, their
// versions, aliases, tags, policies, import tokens, the keyring, nonces of writes
// and results of recent commands. It knows neither Raft nor HTTP.
//
// State changes only through Apply, which takes entries of the replicated log
// in order. Applying is a pure function of (state, command): no clock, no
// randomness, no iteration over maps. The index and term of the last entry are
// written in the transaction of its effect, so an entry that comes again is
// skipped.
//
// Every record ends in a checksum over bucket, key and value and is checked
// when it is read, because bbolt checks none of its data pages. A mismatch is
// ErrDamaged: an error of storage, never an answer. A rolling hash combines
// all records; nodes at the same index have the same hash.
//
// Errors of storage leave the store unusable: the caller ends the process and
// lets the log decide what happened.
package store
