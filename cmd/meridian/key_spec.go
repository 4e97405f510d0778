package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"meridian/crypto"
)

// keySpecs are the key specs of the API, and what their versions are.
var keySpecs = []struct {
	name      string
	algorithm crypto.Algorithm
}{
	{"Aliyun_AES_256", crypto.AlgorithmXAES256GCM},
	{"Aliyun_SM4", crypto.AlgorithmXSM4GCM},
	{"RSA_2048", crypto.AlgorithmRSA2048},
	{"RSA_3072", crypto.AlgorithmRSA3072},
	{"EC_P256", crypto.AlgorithmECP256},
	{"EC_P256K", crypto.AlgorithmECP256K},
	{"EC_SM2", crypto.AlgorithmSM2},
}

func keySpecNames() (names []string) {
	for _, s := range keySpecs {
		names = append(names, s.name)
	}
	return names
}

// algorithmOf is what the versions of keys of a spec are; 0 for one that is not
// known here.
func algorithmOf(spec string) crypto.Algorithm {
	for _, s := range keySpecs {
		if s.name == spec {
			return s.algorithm
		}
	}
	return 0
}

// word is a choice on the command line and what the API calls it, which is taken
// as well.
type word struct{ typed, api string }

// Choices of several verbs.
var (
	usageWords    = []word{{"encrypt", "ENCRYPT/DECRYPT"}, {"sign", "SIGN/VERIFY"}}
	originWords   = []word{{"kms", "Aliyun_KMS"}, {"external", "EXTERNAL"}}
	wrappingWords = []word{
		{"oaep-sha256", string(crypto.RSAESOAEPSHA256)}, {"oaep-sha1", string(crypto.RSAESOAEPSHA1)}, {"pkcs1", string(crypto.RSAESPKCS1v15)},
	}
)

// originExternal is the origin of keys whose material is imported.
const originExternal = "EXTERNAL"

// choose finds what the API calls a choice; "" stays that.
func choose(flag, text string, words []word) (string, error) {
	if text == "" {
		return "", nil
	}
	for _, w := range words {
		if strings.EqualFold(text, w.typed) || strings.EqualFold(text, w.api) {
			return w.api, nil
		}
	}
	return "", usageError("%s %q: want %s", flag, text, orList(typedWords(words)))
}

func typedWords(words []word) (all []string) {
	for _, w := range words {
		all = append(all, w.typed)
	}
	return all
}

// chooseName finds a name of the API whatever its case; "" stays that.
func chooseName(flag, text string, names []string) (string, error) {
	if text == "" {
		return "", nil
	}
	i := slices.IndexFunc(names, func(name string) bool { return strings.EqualFold(text, name) })
	if i < 0 {
		return "", usageError("%s %q: want %s", flag, text, orList(names))
	}
	return names[i], nil
}

// orList joins names as a sentence does.
func orList(names []string) string {
	last := len(names) - 1
	if last < 1 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:last], ", ") + " or " + names[last]
}

// completeFlag offers values for a flag.
func completeFlag(c *cobra.Command, flag string, values []string) {
	_ = c.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)) // the flag is there
}
