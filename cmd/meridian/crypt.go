package main

import "github.com/spf13/cobra"

func newEncryptCommand() *cobra.Command {
	return &cobra.Command{Use: "encrypt", Short: "Encrypt up to 4 KiB under a key"}
}

func newDecryptCommand() *cobra.Command {
	return &cobra.Command{Use: "decrypt", Short: "Decrypt a ciphertext"}
}

func newDatakeyCommand() *cobra.Command {
	return &cobra.Command{Use: "datakey", Short: "Make a data key"}
}

func newReencryptCommand() *cobra.Command {
	return &cobra.Command{Use: "reencrypt", Short: "Move a ciphertext under another key"}
}
