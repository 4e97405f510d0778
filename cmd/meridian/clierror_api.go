package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"

	"meridian/cluster/api/client"
)

// callError turns what a call failed with into one line for people (what
// happened, why, what to do, request id) and an exit code. Errors that did not
// come from a call pass through.
func callError(err error, node, keySource string, now time.Time) error {
	if err == nil {
		return nil
	}
	var exit *exitError
	if errors.As(err, &exit) {
		return err
	}
	var refused *client.Error
	if errors.As(err, &refused) {
		if node == "" {
			node = "the node"
		}
		text := refusalText(refused, node, keySource, now)
		if refused.RequestID != "" {
			text += " (request " + refused.RequestID + ")"
		}
		return &exitError{refusalExit(refused), &refusal{text, refused}}
	}
	if text, ok := wrongPortText(err); ok {
		return &exitError{exitFailed, errors.New(text)}
	}
	switch {
	case errors.Is(err, context.Canceled):
		return &exitError{exitInterrupted, errors.New("interrupted")}
	case errors.Is(err, client.ErrOutcomeUnknown):
		return &exitError{exitUnavailable, fmt.Errorf("no answer came, so whether this was done is unknown: look before you repeat it (%w)", err)}
	}
	if transport(err) {
		return &exitError{exitUnavailable, fmt.Errorf("no node answers: %w. Check --endpoint and that the servers run%s", err, portHint(err))}
	}
	return err
}

// refusal is an answer that is an error, in words for people.
type refusal struct {
	text   string
	answer *client.Error
}

func (r *refusal) Error() string { return r.text }

func (r *refusal) Unwrap() error { return r.answer }

// refusalExit is the exit code for an answer that is an error.
func refusalExit(e *client.Error) int {
	switch code := e.Code; {
	case code == "InvalidParameter" && (blobRefused(e) || pairRefused(e)), code == "InvalidKeyMaterial":
		return exitVerification
	case code == "InvalidAction.NotFound", code == "HTTP" && e.Status < http.StatusInternalServerError:
		return exitFailed
	case strings.HasPrefix(code, "InvalidAccessKeyId"), strings.HasPrefix(code, "InvalidTimeStamp"), code == "SignatureDoesNotMatch",
		code == "SignatureNonceUsed", code == "IncompleteSignature", code == "InvalidSecurityToken", code == "InvalidSignatureMethod":
		return exitDenied
	case code == "MissingParameter", code == "InvalidParameter", code == "ValidationError", code == "Unsupported.Alias",
		code == "MalformedPolicyDocument":
		return exitUsage
	case e.Status == http.StatusNotFound:
		return exitNotFound
	case e.Status == http.StatusForbidden, e.Status == http.StatusUnauthorized:
		return exitDenied
	case e.Status == http.StatusServiceUnavailable, e.Status == http.StatusTooManyRequests, e.Status == http.StatusBadGateway, e.Status == http.StatusGatewayTimeout:
		return exitUnavailable
	}
	return exitFailed
}

// blobRefused says that a ciphertext did not open.
func blobRefused(e *client.Error) bool {
	return strings.HasPrefix(e.Message, "CiphertextBlob does not open") || strings.Contains(e.Message, "of CiphertextBlob is not allowed")
}

// pairRefused says that a ciphertext did not open under an asymmetric key.
func pairRefused(e *client.Error) bool {
	return strings.HasPrefix(e.Message, "CiphertextBlob does not decrypt")
}

// refusalText is what happened, why and what to do, without the request id.
func refusalText(e *client.Error, node, keySource string, now time.Time) string {
	switch e.Code {
	case "SignatureDoesNotMatch":
		return signatureText(e, node, keySource)
	case "InvalidTimeStamp.Expired":
		if text, ok := clockText(e.Message, node, now); ok {
			return text
		}
	case "InvalidAccessKeyId.NotFound":
		return fmt.Sprintf("%s does not know the access key%s. Check the key and the endpoint %s", upperFirst(node), fromSource(keySource), e.Endpoint)
	case "Forbidden.AccessKey":
		return fmt.Sprintf("The access key%s is not active", fromSource(keySource))
	case "Forbidden.NoPermission":
		return "Denied: " + plainMessage(e)
	case "InvalidParameter":
		if pairRefused(e) {
			return plainMessage(e)
		}
		if blobRefused(e) {
			return "CiphertextBlob does not open: it is damaged, its encryption context is another, or it is not one of ours"
		}
	case "InvalidParameter.WrongRegion":
		return plainMessage(e) + movingText(e)
	case "ServiceUnavailableTemporary":
		return plainMessage(e) + ". Try another node, or again in a moment: meridian status"
	case "InvalidAction.NotFound":
		return plainMessage(e) + ". The endpoint " + e.Endpoint + " may be another version"
	}
	if text, ok := keyText(e); ok {
		return text
	}
	if e.Code == "HTTP" {
		return plainMessage(e) + ". " + noAPIHint(e)
	}
	text := plainMessage(e)
	if e.Recommend != "" {
		text += ". " + strings.TrimSuffix(e.Recommend, ".")
	}
	return text + " [" + e.Code + "]"
}

// plainMessage is the message on one line, without its stop.
func plainMessage(e *client.Error) string {
	return strings.TrimSuffix(strings.Join(strings.Fields(e.Message), " "), ".")
}

// clockText says by how much this machine's clock is off from a node's, which
// the message tells in brackets.
func clockText(message, node string, now time.Time) (string, bool) {
	_, rest, _ := strings.Cut(message, "(")
	text, _, _ := strings.Cut(rest, ")")
	at, err := time.Parse("2006-01-02T15:04:05Z", text)
	if err != nil {
		return "", false
	}
	offset, way := now.Sub(at), "ahead of"
	if offset < 0 {
		offset, way = -offset, "behind"
	}
	return fmt.Sprintf("Your clock is %d min %s %s (limit 15). Nothing is wrong with the key pair", int(offset.Round(time.Minute)/time.Minute), way, node), true
}

// fromSource says where an access key came from, if that is known.
func fromSource(keySource string) string {
	if keySource == "" {
		return ""
	}
	return " (from " + keySource + ")"
}

func upperFirst(s string) string {
	if s == "the node" {
		return "The node"
	}
	return s
}

// transport says that an error is one of the connection.
func transport(err error) bool {
	var op *net.OpError
	var dns *net.DNSError
	var timeout net.Error
	return errors.As(err, &op) || errors.As(err, &dns) || errors.As(err, &timeout) && timeout.Timeout() ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, context.DeadlineExceeded) || strings.HasSuffix(err.Error(), "EOF")
}
