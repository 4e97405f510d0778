// Package migrate moves wrapped data keys in bulk from one region to another: it reads rows that hold a ciphertext blob,
// has each blob opened in the region that it names and sealed again in another, and writes the rows with the new blobs.
//
// A run is made of a medium that has the rows and takes them back, a way to move them, and a journal. Rows go through in
// batches, several at a time, and come out in the order in which they came in, unless that is free. The journal makes a run that was killed at
// any byte go on where it was: see [Journal].
package migrate
