package cluster

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	"meridian/store"
	"meridian/store/storepb"
)

// maxCommand bounds a command in the log, in bytes. The largest, a key with all
// its tags and a policy, has less than 100 KiB.
const maxCommand = 256 << 10

// checkFit returns why a command must not enter the log. A leader proposes only
// what it understands itself.
func checkFit(c *storepb.Command) error {
	if err := store.CheckCommand(c); err != nil {
		return err
	}
	if len(c.Id) != store.CommandIDBytes {
		return fmt.Errorf("command id of %d bytes", len(c.Id))
	}
	if size := proto.Size(c); size > maxCommand {
		return fmt.Errorf("command of %d bytes, at most %d", size, maxCommand)
	}
	return nil
}
