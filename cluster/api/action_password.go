package api

import (
	"context"
	"crypto/rand"
	"math/big"
	"strings"
)

// Limits of the length of a password (API page GetRandomPassword).
const (
	minPassword = 8
	maxPassword = 128
)

// passwordKinds are the kinds of characters, each with the parameter that leaves it out.
var passwordKinds = []struct{ exclude, characters string }{
	{"ExcludeLowercase", "abcdefghijklmnopqrstuvwxyz"},
	{"ExcludeUppercase", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"},
	{"ExcludeNumbers", "0123456789"},
	{"ExcludePunctuation", "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"},
}

func handleGetRandomPassword(_ context.Context, c *Call) error {
	if err := c.authorizeContainer(); err != nil {
		return err
	}
	length, err := c.passwordLength()
	if err != nil {
		return err
	}
	kinds, err := c.passwordCharacters()
	if err != nil {
		return err
	}
	password := c.Scratch(int(length))[:length]
	all := strings.Join(kinds, "")
	each := c.value("RequireEachIncludedType") == "true"
	for {
		for i := range password {
			if password[i], err = drawCharacter(all); err != nil {
				return err
			}
		}
		// Drawing all of it again until it fits leaves every password that fits equally likely. One of eight characters
		// of four kinds fits more often than not, unless nearly all of a kind are excluded.
		if !each || hasEach(password, kinds) {
			break
		}
	}
	c.Answer.Text("RandomPassword", stringOf(password))
	return nil
}

func (c *Call) passwordLength() (int64, error) {
	const name = "PasswordLength"
	if fault := integerFault(c.value(name), minPassword, maxPassword); fault != "" {
		return 0, errInvalid(name, fault)
	}
	return c.integer(name), nil
}

// passwordCharacters returns the characters of each kind that is left.
func (c *Call) passwordCharacters() (kinds []string, err error) {
	const name = "ExcludeCharacters"
	excluded := c.Params.value(name)
	for _, r := range excluded {
		if r < ' ' || r > '~' {
			return nil, errInvalid(name, "it must be printable ASCII")
		}
	}
	for _, kind := range passwordKinds {
		if c.Params.value(kind.exclude) == "true" {
			continue
		}
		left := strings.Map(func(r rune) rune {
			if strings.ContainsRune(excluded, r) {
				return -1
			}
			return r
		}, kind.characters)
		if left != "" {
			kinds = append(kinds, left)
		}
	}
	if len(kinds) == 0 {
		return nil, errInvalid(name, "with the other parameters it leaves no character to choose from")
	}
	return kinds, nil
}

// drawCharacter returns one of characters, each as likely as the others.
func drawCharacter(characters string) (byte, error) {
	n, err := rand.Int(rand.Reader, big.NewInt(int64(len(characters))))
	if err != nil {
		return 0, err
	}
	return characters[n.Int64()], nil
}

// hasEach reports whether every kind of characters occurs.
func hasEach(password []byte, kinds []string) bool {
	for _, kind := range kinds {
		if !strings.ContainsAny(string(password), kind) {
			return false
		}
	}
	return true
}
