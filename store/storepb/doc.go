// Package storepb holds the messages of a region's state: commands, their
// results, records, and the trailer of a snapshot.
package storepb

//go:generate sh -c "cd ../.. && go build -o bin/protoc-gen-go google.golang.org/protobuf/cmd/protoc-gen-go && protoc --plugin=bin/protoc-gen-go --go_out=. --go_opt=module=meridian store/storepb/record.proto store/storepb/command.proto && rm -r bin"
