// Command meridian is the server, its command-line client and its tools in one
// binary.
package main

import (
	"context"
	"os"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	// Before anything can create a file: what this program writes is for its
	// own user only, whatever a library asks for.
	syscall.Umask(0o077)
	os.Exit(run(os.Args[1:]))
}

// run executes one command line and returns the exit code of the process.
func run(args []string) int {
	root := newRoot()
	root.SetArgs(args)
	return reportError(os.Stderr, root.ExecuteContext(context.Background()))
}

// newRoot is the tree of all verbs.
func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "meridian",
		Short: "A key service that speaks the Alibaba Cloud KMS API",
		Long: `A key service that speaks the Alibaba Cloud KMS API.

Every verb ends with one of these exit codes: 0 done, 1 failed, 2 usage, 3 not found,
4 denied, 5 unavailable or sealed, 6 verification failed, 7 some rows failed,
130 interrupted (the same command goes on).`,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.CompletionOptions.DisableDefaultCmd = true // newCompletionCommand is ours
	root.AddCommand(
		newDevCommand(),
		newDemoCommand(),
		newServerCommand(),
		newStatusCommand(),
		newKeyCommand(),
		newAliasCommand(),
		newEncryptCommand(),
		newDecryptCommand(),
		newReencryptCommand(),
		newDatakeyCommand(),
		newSignCommand(),
		newVerifyCommand(),
		newPublicKeyCommand(),
		newMigrateCommand(),
		newRegionCommand(),
		newConfigCommand(),
		newSealCommand(),
		newBenchCommand(),
		newVersionCommand(),
		newCompletionCommand(),
		newManCommand(),
	)
	markUsageErrors(root)
	return root
}
