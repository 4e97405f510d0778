// Package storepb holds the messages of a region's state: commands, their
// results, records, and the trailer of a snapshot.
package storepb

//go:generate protoc --go_out=../.. --go_opt=module=meridian -I ../.. store/storepb/record.proto store/storepb/command.proto
